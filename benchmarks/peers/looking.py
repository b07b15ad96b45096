"""How a peer's method meets the bench: positions in, widths out, an answer or None."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from autofocus.model import Flag, Measurement, Sample
from benchmarks.observing import BenchObserver

Array = NDArray[np.float64]
Points = list[tuple[float, float]]
"""(position, FWHM in px) of every frame that showed a trace."""


class Looks:
    """Takes frames for a peer. Widths come from our own measuring, which is kinder to them than a half-flux radius."""

    def __init__(self, observer: BenchObserver) -> None:
        self._observer = observer
        self.start = observer.focuser.position()
        facts = observer.focuser.facts
        self._low, self._high = facts.low or 0, facts.high or 10**6

    def measure(self, position: float) -> Measurement | None:
        """A frame there; None where no trace is seen."""
        target = round(min(max(position, self._low), self._high))
        measurement = self._observer.look(Sample(target, "recorded"))
        return None if Flag.NO_TRACE in measurement.flags or not measurement.fwhm_px > 0 else measurement

    def width(self, position: float, points: Points) -> float | None:
        """A frame there, added to the points."""
        seen = self.measure(position)
        if seen is not None and seen.position is not None:
            points.append((seen.position, seen.fwhm_px))
        return None if seen is None else seen.fwhm_px


Peer = Callable[[Looks, float], float | None]
"""Takes frames at the user's spacing and returns where it would leave the focuser, None where it gives up."""


def hyperbola(points: Points, *, floor: bool) -> tuple[float, float] | None:
    """Vertex and R² of ``b sqrt(1 + ((x - c) / a)^2) + d``, with d = 0 unless ``floor``; None for too few points."""
    x, y = np.array(points).T
    scale = max(float(np.ptp(x)) / 4.0, 1.0)
    middle = float(x[np.argmin(y)])

    def model(p: Array) -> Array:
        return np.asarray(p[1] * np.sqrt(1.0 + ((x - middle - p[0] * scale) / (p[2] * scale)) ** 2) + p[3])

    begin = np.array([0.0, float(np.min(y)), 1.0, 0.0])
    free = 4 if floor else 3
    if len(points) < free:
        return None

    def residual(q: Array) -> Array:
        return np.asarray(model(np.concatenate([q, begin[free:]])) - y)

    found = least_squares(residual, begin[:free], max_nfev=200)
    return middle + float(found.x[0]) * scale, r_squared(y, y + found.fun)


def r_squared(y: Array, fitted: Array) -> float:
    """The unweighted R² that the peers gate on."""
    total = float(np.sum((y - y.mean()) ** 2))
    return 1.0 - float(np.sum((y - fitted) ** 2)) / total if total > 0 else -math.inf


def inside(position: float, points: Points) -> bool:
    """Does the position lie in the sampled range?"""
    return min(x for x, _ in points) <= position <= max(x for x, _ in points)
