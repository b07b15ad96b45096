"""N.I.N.A.: nine points by default, stepping inward from the outer side, more on the side that lacks a trend."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.looking import Looks, Points, hyperbola, inside, r_squared

OFFSET_STEPS = 4
R_SQUARED = 0.7
ABOVE_MINIMUM = 0.1
MOST_POINTS = OFFSET_STEPS * 10


def nine_points(looks: Looks, spacing: float) -> float | None:
    """Hyperbola (N.I.N.A.'s default fit), R² of 0.7 and a minimum inside the range asked for, then a last frame."""
    points = _sweep(looks, spacing)
    fit = hyperbola(points, floor=False) if points else None
    if points is None or fit is None or fit[1] < R_SQUARED or not inside(fit[0], points):
        return None
    looks.measure(fit[0])
    return fit[0]


def trend_and_hyperbola(looks: Looks, spacing: float) -> float | None:
    """Mean of the hyperbola's minimum and of where the two trend lines meet."""
    points = _sweep(looks, spacing)
    fit = hyperbola(points, floor=False) if points else None
    if points is None or fit is None:
        return None
    (left, left_r2), (right, right_r2) = (_line(side) for side in _trends(points))
    answer = 0.5 * (fit[0] + (right[1] - left[1]) / (left[0] - right[0]))
    if min(fit[1], left_r2, right_r2) < R_SQUARED or not inside(answer, points):
        return None
    looks.measure(answer)
    return answer


def _line(side: Points) -> tuple[tuple[float, float], float]:
    """Slope, intercept and R² of a trend line."""
    x, y = np.array(side)[:, 0], np.array(side)[:, 1]
    slope, intercept = np.polyfit(x, y, 1)
    return (float(slope), float(intercept)), r_squared(y, slope * x + intercept)


def _sweep(looks: Looks, spacing: float) -> Points | None:
    """Points until both trends have as many as the offset; None where there is no trend, or never enough."""
    points: Points = []
    for k in range(OFFSET_STEPS, -1, -1):
        looks.width(looks.start + k * spacing, points)
    lowest, highest = float(looks.start), looks.start + OFFSET_STEPS * spacing
    for _ in range(MOST_POINTS):
        left, right = _trends(points) if points else ([], [])
        if not left and not right:
            return None
        if len(left) < OFFSET_STEPS:
            lowest -= spacing
            looks.width(lowest, points)
        elif len(right) < OFFSET_STEPS:
            highest += spacing
            looks.width(highest, points)
        else:
            return points
    return None


def _trends(points: Points) -> tuple[Points, Points]:
    """Points left and right of the least that are clearly above it."""
    best, least = min(points, key=lambda point: point[1])
    above = [point for point in points if point[1] > least + ABOVE_MINIMUM]
    return [p for p in above if p[0] < best], [p for p in above if p[0] > best]
