"""The motions of a run, told again from where its frames were taken."""

from __future__ import annotations

from itertools import pairwise

from autofocus.search.approach import Direction, waypoints
from autofocus.search.log import ObservingLog

Way = tuple[int, ...]
"""Where the motor stood, and where it went from there, the place of the frame last."""


def ways(log: ObservingLog) -> list[Way]:
    """The way to each frame of the log."""
    told: list[Way] = []
    here, last = log.task.start_position, None
    for measurement, run_up in zip(log.measurements, log.run_ups, strict=True):
        target = here if measurement.position is None else round(measurement.position)
        told.append(_way(log, here, target, last, run_up))
        here, last = target, log.task.approach
    return told


def way_to(log: ObservingLog, target: int) -> Way:
    """The way from where the last frame was taken."""
    seen = [m.position for m in log.measurements if m.position is not None]
    if not seen:
        return _way(log, log.task.start_position, target, None, log.run_up_steps)
    return _way(log, round(seen[-1]), target, log.task.approach, log.run_up_steps)


def length(way: Way) -> int:
    """Steps that the motor runs."""
    return sum(abs(end - begin) for begin, end in pairwise(way))


def _way(log: ObservingLog, here: int, target: int, last: Direction | None, run_up: int) -> Way:
    task = log.task
    try:
        points = waypoints(
            here,
            target,
            approach=task.approach,
            backlash_steps=task.backlash_steps,
            run_up_steps=run_up,
            last=last,
            low=task.low,
            high=task.high,
        )
    except ValueError:  # no room to overshoot: it goes there directly
        points = (target,)
    return (here, *points)
