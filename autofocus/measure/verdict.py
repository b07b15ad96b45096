"""Is this a stellar spectrum at all? The trace, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autofocus.measure.ridge import Ridge, Votes, collect_votes, find_ridges
from autofocus.measure.trace import Trace, follow, survey
from autofocus.model import Axis, Frame

MANY_LINES = 4
MOST_TRACES = 6
MOST_FOLLOWED = 4
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
        if votes is not None:
            ridges = find_ridges(votes)
            looks.append(Look(votes, ridges, _continuous(votes, ridges)))
    return _judge(looks, forced=dispersion_axis != "auto")


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one orientation shows: all ridges, and those along which light is continuous, brightest first."""

    votes: Votes
    ridges: list[Ridge]
    continuous: list[Ridge]


def _continuous(votes: Votes, ridges: list[Ridge]) -> list[Ridge]:
    seen = [(survey(votes, ridge), ridge) for ridge in ridges]
    lit = [(trace.brightness, ridge) for trace, ridge in seen if is_continuous(trace)]
    return [ridge for _, ridge in sorted(lit, key=lambda pair: -pair[0])]


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


def _judge(looks: list[Look], *, forced: bool) -> Verdict:
    """Choose between the orientations, or say what the frame is."""
    best: tuple[float, Look] | None = None
    for look in looks:
        across, length = look.votes.across, look.votes.length
        count = len(look.continuous)
        if count == 0 or count > MOST_TRACES or not (forced or length >= ASPECT_OF_A_LINE * across):
            continue
        score = count * (1.0 if length >= across else 3.0)
        if best is None or score < best[0]:
            best = (score, look)
    if best is not None:
        look = best[1]
        traces = _apart(
            [t for t in (follow(look.votes, r) for r in look.continuous[:MOST_FOLLOWED]) if is_continuous(t)]
        )
        if traces:
            return Verdict(traces[0], tuple(traces[1:]))
    if any(len(look.continuous) >= MANY_LINES for look in looks):
        return Verdict(
            None, reason="many parallel lines and no continuous trace across them: an arc lamp, or an echelle"
        )
    if any(look.continuous for look in looks):
        return Verdict(None, reason="a single line across the dispersion: a slit image or an arc lamp")
    if any(look.ridges for look in looks):
        return Verdict(None, reason="light in places but no continuous trace: a star field, a flat or stray light")
    return Verdict(None, reason="no trace above the noise: a flat, a dark, a bias, or the star is not on the slit")
