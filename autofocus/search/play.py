"""Play in the gear beyond what every arrival takes up: frames reached after a reversal then lag behind their count.

The motions of a run are known, and with them how far the drawtube of a focuser with a given play would have lagged at
each frame. Play is suspected where the curves fit the places so corrected better than those that were counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from autofocus.curve.candidates import candidates
from autofocus.curve.fit import LEAST_PLACES
from autofocus.curve.series import build, sort_out
from autofocus.curve.solve import first_guesses, solve
from autofocus.errors import NoFocusFound
from autofocus.model import Measurement
from autofocus.search.approach import sign
from autofocus.search.fitting import near_indices
from autofocus.search.locate import LONGEST_RUN_UP_STEPS
from autofocus.search.log import ObservingLog
from autofocus.search.motions import ways
from autofocus.search.task import Estimate

BEYOND_STEPS = (20, 50, 120)
"""Play beyond what an arrival takes up, as it is tried: each stands for what lies about it."""
CLEARLY = 5.0
"""By how much AICc has to be better; without play it mostly is worse by more than that."""
STRICTEST = -1  # of the models: the optical one, where both metrics are known
VISIBLE_STEPS = 2.0  # a frame that lags by less is kept
AMPLE = 2.0  # times the play suspected, as it may be more
LEAST_FRAMES = 7  # fewer fit anything


@dataclass(frozen=True, slots=True)
class Play:
    """Play that the frames speak for, steps, and the frames (indices of the log) that lag by it."""

    steps: int
    lagging: tuple[int, ...]


def take_up_play(log: ObservingLog, estimate: Estimate) -> bool:
    """Where frames lag by play that nobody declared, drop them and arrive from further away from now on.

    Returns
    -------
    bool
        Whether frames were dropped, so that others are needed in their place.

    Raises
    ------
    NoFocusFound
        ``confirmation_failed`` where no budget is left to take others.
    """
    play = suspected(log, near_indices(log, estimate.center, estimate.half_span))
    if play is None:
        return False
    told = (
        f"The frames disagree as if the focuser had about {play.steps} steps of play, more than was taken up"
        f" ({log.run_up_steps}): set focuser.backlash_steps to {round(1.5 * play.steps)}."
    )
    if log.ended is not None:
        raise NoFocusFound(told, reason="confirmation_failed")
    log.warn_once(told)
    longer = round(AMPLE * play.steps)
    if longer > LONGEST_RUN_UP_STEPS:
        return False  # no gear has so much play: it is something else, which the gates have to judge
    log.run_up_steps = longer
    log.left_out |= dict.fromkeys(play.lagging, "the focuser's play was not taken up")
    return True


def suspected(log: ObservingLog, indices: Sequence[int]) -> Play | None:
    """The play that makes the frames of ``indices`` fit better; None where none does."""
    plain = _misfit(log, indices, [0.0] * len(log.measurements)) if len(indices) >= LEAST_FRAMES else None
    if plain is None:
        return None
    best, found = plain - CLEARLY, None
    for beyond in BEYOND_STEPS:
        play = log.run_up_steps + beyond
        lags = lags_of(log, play)
        lagging = tuple(i for i in indices if abs(lags[i]) > VISIBLE_STEPS)
        misfit = _misfit(log, indices, lags) if 0 < len(lagging) < len(indices) else None
        if misfit is not None and misfit < best:
            best, found = misfit, Play(play, lagging)
    return found


def lags_of(log: ObservingLog, play: float) -> list[float]:
    """How far the tube of a focuser with ``play`` stood from its count at each frame of the log, steps.

    The first motion is taken to begin with the slack taken up. Counted in the direction of the approach, the tube
    stands at the motor, or at most ``play`` ahead of it.
    """
    toward = sign(log.task.approach)
    tube = float(log.task.start_position * toward)
    lags = []
    for way in ways(log):
        for point in way[1:]:
            tube = min(max(tube, point * toward), point * toward + play)
        lags.append(tube * toward - way[-1])
    return lags


def _misfit(log: ObservingLog, indices: Sequence[int], lags: Sequence[float]) -> float | None:
    """AICc of the strictest model of the frames, each at its count and its lag; None where there is no curve."""
    frames = [_moved(log.at(i), lags[i]) for i in indices]
    series = build(frames, sort_out(frames)[0])
    models = () if series is None else candidates(series, LEAST_PLACES)
    if series is None or not models:
        return None
    try:
        return min(solve(models[STRICTEST], series, start).aicc for start in first_guesses(models[STRICTEST], series))
    except np.linalg.LinAlgError:
        return None


def _moved(measurement: Measurement, lag: float) -> Measurement:
    position = measurement.position
    return measurement if position is None else replace(measurement, position=position + lag)
