"""Is this a stellar spectrum at all? The trace, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autofocus.measure.ridge import Ridge, Votes, collect_votes, find_ridges, lengths
from autofocus.measure.trace import Trace, follow
from autofocus.model import Axis, Frame

MANY_LINES = 4
MOST_TRACES = 6
ASPECT_OF_A_LINE = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """The trace to measure and the other traces beside it, or the reason why there is none."""

    trace: Trace | None
    others: tuple[Trace, ...] = ()
    reason: str = ""


def find_trace(frame: Frame, dispersion_axis: str) -> Verdict:
    """Find the brightest stellar trace of the frame, in either orientation."""
    axes: tuple[Axis, ...] = ("x", "y") if dispersion_axis == "auto" else (dispersion_axis,)  # type: ignore[assignment]
    flat = _constant(frame)
    if flat:
        return Verdict(None, reason=flat)
    looks = []
    for axis in axes:
        votes = collect_votes(frame, axis)
        if votes is None:
            continue
        ridges = find_ridges(votes)
        traces = [t for t in (follow(votes, ridge) for ridge in ridges) if is_continuous(t)]
        looks.append((axis, ridges, _apart(traces)))
    return _judge(frame, looks, forced=dispersion_axis != "auto")


def is_continuous(trace: Trace) -> bool:
    """Whether light is there along the frame: not the image of a star, nor of a few, nor a chance alignment."""
    if not trace.inside(np.array([0.0, (trace.length - 1) / 2, trace.length - 1.0])):
        return False
    sigmas = np.sort(trace.flux / trace.flux_err)
    rest = sigmas[: -sigmas.size // 6]
    total = float(rest.sum() / np.sqrt(rest.size))
    return total > 5.0 and float(np.median(sigmas)) > 0.5


def _apart(traces: list[Trace]) -> list[Trace]:
    """Brightest first, ridges that ended on the same trace only once."""
    kept: list[Trace] = []
    for trace in sorted(traces, key=lambda t: -t.brightness):
        middle = trace.center((trace.length - 1) / 2)
        if all(abs(middle - other.center((other.length - 1) / 2)) > 0.7 * other.width_px for other in kept):
            kept.append(trace)
    return kept


def _constant(frame: Frame) -> str:
    rows, columns = frame.shape
    part = frame.section(slice(None, None, max(1, rows // 64)), slice(None, None, max(1, columns // 64)))
    finite = part[np.isfinite(part)]
    if finite.size == 0:
        return "no valid pixels"
    low, high = float(finite.min()), float(finite.max())
    if low < high:
        return ""
    return (
        "all pixels are saturated"
        if frame.saturation_adu is not None and low >= frame.saturation_adu
        else (f"all pixels have the same value, {low:g}")
    )


def _judge(frame: Frame, looks: list[tuple[Axis, list[Ridge], list[Trace]]], *, forced: bool) -> Verdict:
    """Choose between the orientations, or say what the frame is."""
    best: tuple[float, Verdict] | None = None
    for axis, _, traces in looks:
        if not traces or len(traces) > MOST_TRACES:
            continue
        across, length = lengths(frame, axis)
        if not forced and length < ASPECT_OF_A_LINE * across:
            continue
        score = len(traces) * (1.0 if length >= across else 3.0)
        if best is None or score < best[0]:
            best = (score, Verdict(traces[0], tuple(traces[1:])))
    if best is not None:
        return best[1]
    if any(len(traces) >= MANY_LINES for _, _, traces in looks):
        return Verdict(
            None, reason="many parallel lines and no continuous trace across them: an arc lamp, or an echelle"
        )
    if any(traces for _, _, traces in looks):
        return Verdict(None, reason="a single line across the dispersion: a slit image or an arc lamp")
    if any(ridges for _, ridges, _ in looks):
        return Verdict(None, reason="light in places but no continuous trace: a star field, a flat or stray light")
    return Verdict(None, reason="no trace above the noise: a flat, a dark, a bias, or the star is not on the slit")


__all__ = ["Verdict", "Votes", "find_trace", "is_continuous"]
