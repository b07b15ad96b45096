"""What an exposure costs: the frames so far tell how long one takes, and how much longer where the motor runs far."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autofocus.search.log import ObservingLog
from autofocus.search.motions import length, way_to, ways

LEAST_FRAMES = 4


def cost_of(log: ObservingLog) -> Callable[[float], float]:
    """Seconds that an exposure at a position costs: exposure, settling and download, and the motion from here.

    The seconds for each step are the least-squares slope of the costs so far by the steps that the motor ran for
    them (so that what overlapped counts only as far as it did not), 0 where they do not tell.
    """
    told = zip(ways(log), log.measurements, strict=True)
    known = [(float(length(way)), m.cost_s) for way, m in told if m.cost_s > 0.0]
    per_step = _slope(known)
    still = float(np.median([cost - per_step * way for way, cost in known])) if known else log.exposure_s

    def seconds(position: float) -> float:
        return max(still, 1e-3) + per_step * length(way_to(log, round(position)))

    return seconds


def _slope(known: list[tuple[float, float]]) -> float:
    """Seconds per step, never negative."""
    if len(known) < LEAST_FRAMES:
        return 0.0
    steps, seconds = np.array(known).T
    spread = float(np.sum((steps - steps.mean()) ** 2))
    if spread == 0.0:
        return 0.0
    return max(float(np.sum((steps - steps.mean()) * (seconds - seconds.mean()))) / spread, 0.0)
