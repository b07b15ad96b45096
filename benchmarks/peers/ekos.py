"""Ekos, Linear 1 Pass with the hyperbola and the classic walk.

Peirce's criterion is left out: it drops a point only where R² rises by it, so that it never changes a good curve.
"""

from __future__ import annotations

from benchmarks.peers.looking import Looks, Points, hyperbola

OUT_STEPS = 5
R_SQUARED = 0.8
MOST_POINTS = 51
RESTARTS = 3


def linear_one_pass(looks: Looks, spacing: float) -> float | None:
    """Out by five steps, then inward until four solutions lie behind the focuser; rerun once below R² of 0.8."""
    answer: tuple[float, float] | None = None
    for _ in range(2):
        answer = _pass(looks, spacing)
        if answer is None:
            return None
        if answer[1] >= R_SQUARED:
            break
    assert answer is not None
    looks.measure(answer[0])
    return answer[0]  # a second fit below the limit is called a success as well


def _pass(looks: Looks, spacing: float) -> tuple[float, float] | None:
    outermost = position = looks.start + OUT_STEPS * spacing
    points: Points = []
    behind = beyond = restarts = 0
    for _ in range(MOST_POINTS):
        looks.width(position, points)
        fit = hyperbola(points, floor=True) if len(points) >= OUT_STEPS + 2 else None
        if fit is not None:
            behind = behind + 1 if fit[0] > position else 0
            beyond = beyond + 1 if fit[0] > outermost else 0
            if beyond >= RESTARTS and restarts < RESTARTS:
                outermost = position = min(fit[0], outermost + 20 * spacing) + OUT_STEPS * spacing
                points, behind, beyond, restarts = [], 0, 0, restarts + 1
                continue
            if behind >= OUT_STEPS - 1:
                return fit
        position -= spacing
    return None
