"""What a series tells without focus curves: the trend from frame to frame, a first guess, where to look next."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autofocus.companion.rough import USUAL_SCATTER, RoughOptimum
from autofocus.model import Flag, Measurement, Metric
from autofocus.session.advice import direction

CLEAR_CHANGE_SIGMAS = 2.0
CLEAR_SLOPE_SIGMAS = 2.5
NEAREST = 3
SHARE_OF_WAY = 0.6  # of the way to where the widths would vanish: they never do, focus comes before


def tells(one: Measurement) -> bool:
    """Whether a frame says anything of focus."""
    return Flag.NO_TRACE not in one.flags and (one.fwhm_px > 0 or one.nsig > 0)


def trend(series: Sequence[Measurement]) -> tuple[str, ...]:
    """Without positions: what the last frame did, and the best so far."""
    telling = [one for one in series if tells(one)]
    last = series[-1] if series else None
    if last is not None and not tells(last):
        return (f"{last.verdict or 'no spectrum found'}: this frame tells nothing of focus",)
    if len(telling) < 2:
        return ()
    before, now = telling[-2:]
    parts = [f"FWHM {_arrow(before, now, 'fwhm')}"]
    if now.mode != "lines":
        parts[0] += f" {'flux' if now.mode == 'stars' else 'NSIG'} {_arrow(before, now, 'nsig')}"
    narrowest = min((one for one in telling if one.fwhm_px > 0), key=lambda one: one.fwhm_px, default=None)
    brightest = max((one for one in telling if one.nsig > 0), key=lambda one: one.nsig, default=None)
    if narrowest is not None:
        parts.append(f"narrowest so far {narrowest.file} ({narrowest.fwhm_px:.2f}px)")
    if brightest is not None:
        parts.append(f"most light so far {brightest.file} ({brightest.nsig:.2f})")
    return (" | ".join(parts),)


def guessed(guess: RoughOptimum) -> str:
    """A first guess in words."""
    name = "narrowest" if guess.metric == "fwhm" else "most light"
    return f"{name} near {guess.position:.0f} ± {max(guess.uncertainty, 1.0):.0f}"


def downhill(placed: Sequence[Measurement], positions: Sequence[float]) -> str:
    """Where to look next when the numbers only rise or only fall: beyond the best end."""
    best = _best_frame(placed).position or 0.0
    low, high = min(positions), max(positions)
    spacing = (high - low) / (len(set(positions)) - 1)
    outward = best > (low + high) / 2
    leap = max(spacing, SHARE_OF_WAY * (_way_left(placed, best) or 0.0))
    target = high + leap if outward else low - leap
    away = target - positions[-1]
    return f"focus is not bracketed yet: move {direction(away)} about {abs(away):.0f} to {target:.0f} and take a frame"


def narrowest_at_an_end(placed: Sequence[Measurement], positions: Sequence[float]) -> bool:
    """Whether the best frame is the first or the last of those taken, by position."""
    return _best_frame(placed).position in (min(positions), max(positions))


def _best_frame(placed: Sequence[Measurement]) -> Measurement:
    with_width = [one for one in placed if one.fwhm_px > 0]
    if len(with_width) >= 2:
        return min(with_width, key=lambda one: one.fwhm_px)
    return max(placed, key=lambda one: one.nsig if one.nsig > 0 else 0.0)


def _way_left(placed: Sequence[Measurement], best: float) -> float | None:
    """How far beyond the narrowest frame the widths would vanish; None where they do not clearly fall towards it.

    Far from focus the width of a star grows in proportion to the distance, so a straight line through the widths
    nearest to focus meets zero near it, or beyond: nearer to it the width falls ever less. Of three frames the line
    goes through the narrowest and the mean of the others.
    """
    near = sorted((one for one in placed if one.fwhm_px > 0), key=lambda one: abs((one.position or 0.0) - best))
    near = [one for one in near if one.position is not None][:NEAREST]
    others = [one for one in near if one.position != best]
    if not others or near[0].position != best:
        return None
    run = abs(sum(one.position or 0.0 for one in others) / len(others) - best)
    mean = sum(one.fwhm_px for one in others) / len(others)
    rise = mean - near[0].fwhm_px
    error = USUAL_SCATTER * math.hypot(near[0].fwhm_px, mean / math.sqrt(len(others)))
    return near[0].fwhm_px * run / rise if rise > CLEAR_SLOPE_SIGMAS * error else None


def _arrow(before: Measurement, now: Measurement, metric: Metric) -> str:
    """Up, down or level, from the change against its error."""
    if metric == "fwhm":
        change, errors = now.fwhm_px - before.fwhm_px, (before.fwhm_err_px, now.fwhm_err_px)
    else:
        change, errors = now.nsig - before.nsig, (before.nsig_err, now.nsig_err)
    error = math.hypot(*(item if math.isfinite(item) else 0.0 for item in errors))
    if not math.isfinite(change):
        return "?"
    if abs(change) <= CLEAR_CHANGE_SIGMAS * error:
        return "→"
    return "↑" if change > 0 else "↓"
