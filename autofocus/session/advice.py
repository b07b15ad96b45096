"""What to do next, in plain words: sentences made from focus curves for somebody who turns the knob by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from autofocus.digits import with_error
from autofocus.model import BestFocus, CurveFit, FocusCurves, Objective

OPTIMUM = {"snr": "best signal-to-noise", "nsig": "most light", "fwhm": "narrowest"}
DISAGREE = "FWHM and NSIG disagree"
AT_BEST = "you are at best focus as far as the frames can tell"
CLEAR_SIGMAS = 2.0  # a gap between the optima is spoken of from here on


def direction(steps: float) -> str:
    """The field's word for a motion: inward is towards smaller positions."""
    return "in" if steps < 0 else "out"


def gap(curves: FocusCurves) -> float | None:
    """Steps from the narrowest position to that of most light where the errors do not cover them, else None."""
    if curves.fwhm is None or curves.nsig is None:
        return None
    steps = curves.nsig.position - curves.fwhm.position
    error = math.hypot(curves.nsig.uncertainty, curves.fwhm.uncertainty)
    return steps if abs(steps) > CLEAR_SIGMAS * error and abs(steps) >= 1 else None


def disagreement(curves: FocusCurves) -> str:
    """How far the two optima lie apart, or "" when they agree within their errors."""
    steps = gap(curves)
    if steps is None or curves.fwhm is None or curves.nsig is None:
        return ""
    return (
        f"{DISAGREE} by {abs(steps):.0f} steps:"
        f" narrowest {curves.fwhm.position:.0f}, most light {curves.nsig.position:.0f}"
    )


def diagnosis(curves: FocusCurves) -> str:
    """What a gap between the optima means for the instrument, or ""."""
    if gap(curves) is None:
        return ""
    return (
        "the light is focused on the slit at one position and looks narrow at another: the spectrograph's collimator"
        " or camera is out of focus, or astigmatic; no focuser position mends that"
    )


def optima(curves: FocusCurves) -> str:
    """Where focus is, with its error, in one line; "" without curves."""
    parts, best = [], curves.best
    if best is not None:
        parts.append(f"best focus {with_error(best.position, best.uncertainty)} ({OPTIMUM[best.objective]})")
    parts.extend(
        f"{OPTIMUM[curve.metric]} {with_error(curve.position, curve.uncertainty)}"
        for curve in (curves.fwhm, curves.nsig)
        if curve is not None and (best is None or curve.metric != best.objective)
    )
    return " | ".join(parts)


@dataclass(frozen=True, slots=True)
class NextFrame:
    """Where one more frame would tell most, and the error of best focus that would be left."""

    position: float
    uncertainty_after: float


def advise(
    curves: FocusCurves, positions: Sequence[float], tolerance_steps: float, telling: NextFrame | None = None
) -> tuple[str, ...]:
    """The next move, from where the last frame was taken.

    Parameters
    ----------
    curves
        The fit of the series; without ``best`` there is nothing to advise.
    positions
        Where the frames of the series were taken, in their order; the last is where the focuser stands.
    tolerance_steps
        An error of best focus no larger than this is good enough to stop.
    telling
        Where one more frame would tell most, when the error is larger.
    """
    best = curves.best
    if best is None or not positions:
        return ()
    here = positions[-1]
    away = best.position - here
    if not best.bracketed:
        target = _beyond(best.position, positions)
        return (f"focus is not bracketed yet: move {_by(target - here)} to {target:.0f} and take a frame",)
    settled = best.uncertainty <= tolerance_steps
    said = [_next_move(best, away, settled=settled)]
    if not settled and telling is not None:
        said.append(_one_more(telling, _loosest(curves, best.objective), tolerance_steps))
    said.append(disagreement(curves))
    return tuple(sentence for sentence in said if sentence)


def _next_move(best: BestFocus, away: float, *, settled: bool) -> str:
    """To go, or to stay: nobody should chase a few steps that gain nothing."""
    if abs(away) <= max(best.uncertainty, 1.0):
        return "you are within the error of best: stop" if settled else AT_BEST
    if settled and best.low <= best.position - away <= best.high:
        return f"you are {abs(away):.0f} steps from the best and within 2 % of it: stop"
    return f"move {_by(away)} to {best.position:.0f}"


def _by(steps: float) -> str:
    return f"{direction(steps)} about {abs(steps):.0f}"


def usual_spacing(positions: Sequence[float]) -> float:
    """The usual distance between neighbouring positions."""
    distinct = sorted(set(positions))
    gaps = sorted(b - a for a, b in pairwise(distinct))
    return gaps[len(gaps) // 2] if gaps else 15.0


def _beyond(best: float, positions: Sequence[float]) -> float:
    """Where the next frame helps to bracket: one spacing beyond the end next to which focus seems to lie."""
    low, high, spacing = min(positions), max(positions), usual_spacing(positions)
    outwards = sum(p > best for p in set(positions)) < sum(p < best for p in set(positions))
    return high + spacing if outwards else low - spacing


def deciding(curves: FocusCurves, objective: Objective) -> list[CurveFit]:
    """The curves that the objective rests on."""
    wanted = {"fwhm": (curves.fwhm,), "nsig": (curves.nsig,), "snr": (curves.fwhm, curves.nsig)}[objective]
    return [curve for curve in wanted if curve is not None]


def _loosest(curves: FocusCurves, objective: Objective) -> CurveFit | None:
    """The curve whose optimum is known least among those that the objective rests on."""
    return max(deciding(curves, objective), key=lambda curve: curve.uncertainty, default=None)


def _one_more(telling: NextFrame, curve: CurveFit | None, tolerance_steps: float) -> str:
    """What one more frame at the most telling place would do."""
    name = "focus" if curve is None else curve.metric.upper()
    if telling.uncertainty_after <= tolerance_steps:
        return f"one more frame near {telling.position:.0f} would settle {name}"
    return f"one more frame near {telling.position:.0f} would tell most of {name}"
