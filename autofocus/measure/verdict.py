"""Is this a stellar spectrum at all? The trace, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autofocus.measure.ridge import ABSURD, Ridge, Votes, collect_votes, find_ridges, lengths
from autofocus.measure.trace import Trace, follow, survey
from autofocus.model import Axis, Frame

FEW_COLUMNS = 256
MANY_LINES = 4
MOST_TRACES = 6
MOST_FOLLOWED = 4
ASPECT_OF_A_LINE = 0.5
SHORT_SIDE = 3.0
COMPARABLE = 0.1
SURE = 20.0
LEAST_SPREAD = 0.1
ONE_IMAGE = 0.2
MOST_GAIN = 5.0  # e-/ADU
CONTRAST = 0.02  # lamps and flats are uneven by as much


@dataclass(frozen=True, slots=True)
class Verdict:
    """The trace to measure and the other traces beside it, or the reason why there is none."""

    trace: Trace | None
    others: tuple[Trace, ...] = ()
    reason: str = ""


def find_trace(frame: Frame, dispersion_axis: str) -> Verdict:
    """Find the brightest stellar trace of the frame, in either orientation."""
    rows, columns = frame.shape
    longer: tuple[Axis, ...] = ("x", "y") if columns >= rows else ("y", "x")
    axes = longer if dispersion_axis == "auto" else tuple(axis for axis in longer if axis == dispersion_axis)
    constant = _constant(frame)
    if constant:
        return Verdict(None, reason=constant)
    verdict = Verdict(None)
    for wanted in (FEW_COLUMNS, max(rows, columns)):
        verdict = _judge(_look(frame, axes, wanted), forced=dispersion_axis != "auto")
        if verdict.trace is not None:
            break
    return verdict


def _look(frame: Frame, axes: tuple[Axis, ...], wanted: int) -> list[Look]:
    """Look along each axis, the longer side first; the other only where it could still win."""
    looks: list[Look] = []
    for axis in axes:
        votes = collect_votes(frame, axis, wanted)
        if votes is None:
            continue
        ridges, dips = find_ridges(votes)
        looks.append(Look(votes, ridges, *_continuous(votes, ridges, dips)))
        if len(axes) == 2 and 0 < _score(looks[0]) < _score_at_best(axes[1], frame):
            break
    return looks


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one orientation shows.

    All ridges; those along which light is continuous, brightest first; and how many of these have at least a tenth of
    the brightest one's light.
    """

    votes: Votes
    ridges: list[Ridge]
    continuous: list[Ridge]
    comparable: int


def _continuous(votes: Votes, ridges: list[Ridge], dips: list[Ridge]) -> tuple[list[Ridge], int]:
    """The ridges that could be stars, brightest first, and how many come near the brightest."""
    least = CONTRAST * _most_lamp_light(votes)
    seen = [(survey(votes, ridge), ridge) for ridge in ridges]
    runs = [(trace, ridge) for trace, ridge in seen if is_continuous(trace)]
    broken = max((ridge.significance for trace, ridge in seen if not is_continuous(trace)), default=0.0)
    lit = []
    for trace, ridge in runs:
        # Beside something far stronger that is no trace (a star, a lamp's edge), a weak ridge is a part of it.
        is_own = ridge.significance > min(broken, SURE)
        height = trace.brightness / max(trace.width_px, 1.0)
        if is_own and height > least and _is_above_structure(ridge, ridges, dips):
            lit.append((trace.brightness, ridge))
    lit.sort(key=lambda pair: -pair[0])
    comparable = sum(brightness > COMPARABLE * lit[0][0] for brightness, _ in lit)
    return [ridge for _, ridge in lit], comparable


def _most_lamp_light(votes: Votes) -> float:
    """The most light, ADU per pixel, that can lie evenly over the frame: a lamp, or a bright sky.

    Two bounds, and the lesser counts: photons are at most 5 e-/ADU times the variance of a pixel, and the darkest parts
    (overscan, beyond the ends of the slit, one end of the spectrum) lie below the middle by less than it.
    """
    every = max(1, votes.across // 64)
    noise = 1.4826 * float(np.median(np.abs(votes.residuals[1::every] - votes.residuals[:-1:every]))) / np.sqrt(2.0)
    pixels = votes.residuals[::every] + votes.level
    dark, middle = np.percentile(pixels, [2.0, 50.0])
    return float(max(min(MOST_GAIN * noise**2, float(middle - dark) - 2.5 * noise), 0.0))


def _is_above_structure(ridge: Ridge, ridges: list[Ridge], dips: list[Ridge]) -> bool:
    """Whether a weak ridge is more than one of the ripples of an uneven slit, which go both ways.

    The gap between two stars is a dip as well, but no deeper than the fainter of the two is high.
    """
    if ridge.significance > SURE:
        return True
    for dip in dips:
        higher = [r.center_px for r in ridges if r.significance > dip.significance]
        between = any(c < dip.center_px for c in higher) and any(c > dip.center_px for c in higher)
        if not between and ridge.significance < 2.0 * dip.significance:
            return False
    return True


def _score(look: Look) -> float:
    """Few traces along the longer side speak for the dispersion; 0 where nothing does."""
    is_long = look.votes.length >= look.votes.across
    count = look.comparable if is_long else len(look.continuous)
    if count == 0 or count > MOST_TRACES:
        return 0.0
    return count * (1.0 if is_long else SHORT_SIDE)


def _score_at_best(axis: Axis, frame: Frame) -> float:
    """The score of a single trace along this axis: no look at it can do better."""
    across, length = lengths(frame, axis)
    return 1.0 if length >= across else SHORT_SIDE


def is_continuous(trace: Trace) -> bool:
    """Whether light is there along the frame: not the image of a star, nor of a few, nor a chance alignment.

    Without the sixth of the parts that shows most, the rest must still show it, with a tenth of the light. Two
    parts far above all others are the image of a star, though its smear runs along the frame.
    """
    if not trace.inside(np.array([0.0, (trace.length - 1) / 2, trace.length - 1.0])):
        return False
    sigmas = np.sort(trace.flux / trace.flux_err)
    most = sigmas.size // 6
    rest = float(sigmas[:-most].sum() / np.sqrt(sigmas.size - most))
    light = np.sort(trace.flux)
    spread = float(light[:-most].sum()) > LEAST_SPREAD * float(light.sum())
    is_image = light[-3] < ONE_IMAGE * light[-1]
    return rest > 5.0 and float(np.median(sigmas)) > 0.5 and spread and not is_image


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
    finite = part[np.abs(part) < ABSURD]
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
        score = _score(look)
        is_long = look.votes.length >= ASPECT_OF_A_LINE * look.votes.across
        if score > 0 and (forced or is_long) and (best is None or score < best[0]):
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
