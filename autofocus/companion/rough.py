"""A first guess of best focus from three positions, before a curve can be fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autofocus.model import Flag, Measurement, Metric

USUAL_SCATTER = 0.05  # seeing and transparency from frame to frame, where a frame's own error is smaller


@dataclass(frozen=True, slots=True)
class RoughOptimum:
    """Where a metric seems best, its 1 σ error, and whether it lies between the frames that told, by that error."""

    metric: Metric
    position: float
    uncertainty: float
    bracketed: bool


def rough_optimum(measurements: Sequence[Measurement], metric: Metric) -> RoughOptimum | None:
    """The vertex of a parabola by weighted least squares.

    The square of a hyperbola's width is a parabola in position, exactly; the top of the NSIG curve is one in first
    order. Returns None with fewer than three positions, and where the frames show no valley (peak).
    """
    import numpy as np

    rows = [row for one in measurements if (row := _row(one, metric)) is not None]
    if len({position for position, _, _ in rows}) < 3:
        return None
    position, value, error = (np.array(column) for column in zip(*rows, strict=True))
    middle, scale = float(position.mean()), float(np.ptp(position)) / 2
    design = np.vander((position - middle) / scale, 3) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    a, b, _ = covariance @ design.T @ (value / error)
    if (a <= 0) if metric == "fwhm" else (a >= 0):
        return None
    vertex = -b / (2 * a)
    slope = np.array([b / (2 * a * a), -1 / (2 * a), 0.0])
    place = middle + scale * float(vertex)
    spread = scale * math.sqrt(float(slope @ covariance @ slope))
    inside = position.min() + spread < place < position.max() - spread
    return RoughOptimum(metric, place, spread, bool(inside))


def _row(one: Measurement, metric: Metric) -> tuple[float, float, float] | None:
    """Position, what is parabolic, and its error; None where the frame does not tell."""
    value, error = (one.fwhm_px, one.fwhm_err_px) if metric == "fwhm" else (one.nsig, one.nsig_err)
    if one.position is None or Flag.NO_TRACE in one.flags or not value > 0:
        return None
    error = math.hypot(error if math.isfinite(error) else 0.0, USUAL_SCATTER * value)
    return (one.position, value * value, 2 * value * error) if metric == "fwhm" else (one.position, value, error)
