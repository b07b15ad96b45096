"""Refine: each further exposure where it takes most off the error of best focus, for what it costs."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from autofocus.curve.design import Design, next_positions
from autofocus.digits import shown_error
from autofocus.model import BestFocus, FocusCurves, Measurement, Sweep
from autofocus.search.approach import in_order, is_inside
from autofocus.search.cost import cost_of
from autofocus.search.fitting import used_frames, used_positions
from autofocus.search.gates import Verdict
from autofocus.search.log import Attempt, ObservingLog

LEAST_TO_STOP = 7  # frames near focus: fewer cannot tell how much the seeing scatters, and may agree by chance
NEAR = 2.5  # half spans: further out the seeing does nothing
ENOUGH_FRAMES = 9  # before it may be said that more would not help
LEAST_SHRINKING = 0.02  # of the error, for each further exposure
NEARLY = 1.2  # of the tolerance: one more exposure should do
REACH = 1.8
CANDIDATES = 49


def good_enough(log: ObservingLog, attempt: Attempt, curves: FocusCurves, verdict: Verdict) -> bool:
    """Is the error within the tolerance, and are there frames enough to believe it?"""
    best = curves.best
    if best is None or not verdict.passed:
        return False
    reach = NEAR * attempt.estimate.half_span
    near = sum(abs(position - best.position) <= reach for position in used_positions(log, curves))
    return near >= LEAST_TO_STOP and best.uncertainty <= log.task.settings.tolerance_steps


def refine(log: ObservingLog, attempt: Attempt, curves: FocusCurves) -> Generator[Sweep, tuple[Measurement, ...], bool]:
    """Take the next exposures where they tell most; False, and none taken, where no exposure would tell enough."""
    best = curves.best
    assert best is not None
    frames = used_frames(log, curves)
    design = most_telling(log, frames, best, attempt.estimate.half_span)
    if design is None:
        return False
    shrinks = 1.0 - design.uncertainty_after / max(design.uncertainty_now, 1e-9)
    if len(frames) >= ENOUGH_FRAMES and shrinks < LEAST_SHRINKING * len(design.positions):
        log.warn_once(
            f"The error of {shown_error(best.uncertainty)} steps is more than the tolerance, but further exposures"
            " would hardly shrink it: the models of the curve differ by that much."
        )
        return False
    positions = in_order([round(x) for x in design.positions], log.task.approach)
    why = f"where the error of {shown_error(best.uncertainty)} steps shrinks most"
    got = yield from log.ask(positions, "refine", why, curves=curves, follow=1)
    return bool(got)


def most_telling(log: ObservingLog, frames: list[Measurement], best: BestFocus, half_span: float) -> Design | None:
    """The next exposures, each where it takes most variance off the best focus per second (`curve.design`).

    One where that should be enough for the tolerance, otherwise two, so that moves overlap downloads.

    Parameters
    ----------
    half_span : float
        Candidates lie up to `REACH` times this far from best focus, steps, where they can be approached.

    Returns
    -------
    Design or None
        None where nothing can be fitted or reached.
    """
    settings, room = log.task.settings, log.task.room
    grid = np.linspace(-REACH, REACH, CANDIDATES) * half_span + best.position
    candidates = sorted({round(float(x)) for x in grid if is_inside(float(x), room)})
    nearly = best.uncertainty <= NEARLY * settings.tolerance_steps
    return next_positions(
        frames,
        candidates,
        objective=settings.objective,
        count=1 if nearly else 2,
        cost_s=cost_of(log),
        science_exposure_s=settings.science_exposure_s,
        min_nsig_fraction=settings.min_nsig_fraction,
    )
