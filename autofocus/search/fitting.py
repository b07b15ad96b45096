"""The curves of the attempt under way, fitted to those frames of the log that help."""

from __future__ import annotations

from dataclasses import replace

from autofocus.curve.fit import fit_focus
from autofocus.model import FocusCurves, Measurement
from autofocus.search.log import ObservingLog, has_trace

FAR_OUT = 4.5  # half spans from the centre: beyond, no aberration is small any more and no model true to a few percent
LEAST_PLACES = 5


def fit_log(log: ObservingLog, center: float, half_span: float) -> FocusCurves:
    """Fit the frames of this attempt; those far out on the slopes only where there are few others.

    Returns
    -------
    FocusCurves
        ``left_out`` counts in the whole log, and holds the frames of earlier attempts and those far out as well.
    """
    chosen, far = _split(log, center, half_span)
    frames = [log.at(i) for i in chosen]
    settings = log.task.settings
    curves = fit_focus(
        frames,
        objective=settings.objective,
        science_exposure_s=settings.science_exposure_s,
        min_nsig_fraction=settings.min_nsig_fraction,
    )
    left_out = dict(log.left_out)
    left_out |= dict.fromkeys(far, "far out of focus: it served to find the way")
    left_out |= {chosen[i]: why for i, why in curves.left_out.items()}
    return replace(curves, left_out=left_out)


def near_indices(log: ObservingLog, center: float, half_span: float) -> list[int]:
    """The frames of this attempt that a fit begins with, before it leaves any out."""
    return _split(log, center, half_span)[0]


def used_frames(log: ObservingLog, curves: FocusCurves) -> list[Measurement]:
    """The frames that the curves rest on."""
    return [log.at(i) for i in log.indices() if i not in curves.left_out]


def used_positions(log: ObservingLog, curves: FocusCurves) -> list[float]:
    """Where those frames were taken, steps."""
    return [m.position for m in used_frames(log, curves) if m.position is not None]


def _split(log: ObservingLog, center: float, half_span: float) -> tuple[list[int], list[int]]:
    """Indices of the frames to fit, and of those too far out."""
    near: list[int] = []
    far: list[int] = []
    for i in log.indices():
        position, phase = log.measurements[i].position, log.measurements[i].phase
        is_far = phase == "locate" and position is not None and abs(position - center) > FAR_OUT * half_span
        (far if is_far else near).append(i)
    places = {log.measurements[i].position for i in near if has_trace(log.measurements[i])}
    return (near, far) if len(places) >= LEAST_PLACES else (sorted(near + far), [])
