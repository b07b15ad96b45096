"""The parabola through a fixed sweep, and what a person with the original helper does: keep the best frame."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.looking import Looks, Points, inside

EACH_SIDE = 4
WORSE_IN_A_ROW = 3
MOST_FRAMES = 40


def parabola(looks: Looks, spacing: float) -> float | None:
    """Nine points about the start and the vertex of the parabola through them, if inside; then a last frame."""
    points: Points = []
    for k in range(EACH_SIDE, -EACH_SIDE - 1, -1):
        looks.width(looks.start + k * spacing, points)
    if len(points) < EACH_SIDE:
        return None
    x, y = np.array(points).T
    bend, slope, _ = np.polyfit(x - looks.start, y, 2)
    answer = looks.start - slope / (2.0 * bend) if bend > 0 else float("nan")
    if not (bend > 0 and inside(answer, points)):
        return None
    looks.measure(answer)
    return float(answer)


def best_frame(looks: Looks, spacing: float) -> float | None:
    """Step inward from four spacings outside, on while it gets better, and go back to the frame with most light."""
    best: tuple[float, float] | None = None
    worse = 0
    for k in range(MOST_FRAMES):
        seen = looks.measure(looks.start + (EACH_SIDE - k) * spacing)
        if seen is not None and seen.position is not None and (best is None or seen.nsig > best[1]):
            best, worse = (seen.position, seen.nsig), 0
        else:
            worse += 1
        if k >= 2 * EACH_SIDE and worse >= WORSE_IN_A_ROW:
            break
    if best is None:
        return None
    looks.measure(best[0])
    return best[0]
