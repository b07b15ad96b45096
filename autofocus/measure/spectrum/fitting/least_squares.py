"""Damped least squares between borders (Levenberg 1944, Marquardt 1963), ended by what is still to be gained.

A step refused, or one that gives less than was promised, is followed by a shorter one (Nielsen 1999, IMM-REP-1999-05).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

FIRST_DAMPING = 1e-3
LEAST_DAMPING, MOST_DAMPING = 1e-9, 1e5
EASING = 0.1
MOST_IDLE = 10


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """The sum of squares at the parameters ``p`` (``cost``), what is ``left``, the normal matrix and the gradient."""

    p: Doubles
    left: Doubles
    cost: float
    normal: Doubles
    gradient: Doubles

    @classmethod
    def of(cls, p: Doubles, left: Doubles, jacobian: Doubles) -> Squares:
        """Those of what is ``left`` at ``p`` and of the model's derivatives there."""
        return cls(p, left, float(left @ left), jacobian.T @ jacobian, jacobian.T @ left)

    @property
    def covariance(self) -> Doubles:
        """That of the parameters."""
        diagonal, scaled = _scaled(self.normal, 1e-10)
        return np.asarray(np.linalg.inv(scaled) / (diagonal[:, None] * diagonal))


def descend(
    at: Squares, squares: Callable[[Doubles], Squares], low: Doubles, high: Doubles, steps: int, enough: float
) -> Squares:
    """Go down until a step would gain less than ``enough``; the last parameters stay between ``low`` and ``high``.

    What a step would gain is known before it is taken, so that none is spent on making sure. A model with kinks may
    promise what no step gives: the end is also where many in a row have gained less than ``enough`` altogether.
    """
    damping, stiffening, idle, best = FIRST_DAMPING, 2.0, 0, at.cost
    for _ in range(steps):
        step = _step(at, damping, low - at.p[-low.size :], high - at.p[-low.size :])
        promised = float(step @ (2.0 * at.gradient - at.normal @ step))
        if damping <= FIRST_DAMPING and promised < enough:
            break
        trial = squares(at.p + step)
        if trial.cost <= at.cost:
            kept = (at.cost - trial.cost) / max(promised, 1e-30)
            damping = max(damping * max(EASING, 1.0 - (2.0 * kept - 1.0) ** 3), LEAST_DAMPING)
            at, stiffening = trial, 2.0
        else:
            damping, stiffening = damping * stiffening, 2.0 * stiffening
        idle = 0 if at.cost < best - enough else idle + 1
        best = at.cost if idle == 0 else best
        if idle > MOST_IDLE or damping > MOST_DAMPING:
            break
    return at


def _step(at: Squares, damping: float, low: Doubles, high: Doubles) -> Doubles:
    """The damped step; what would leave its borders goes as far as they are, and the rest to where it is best then."""
    step = _solved(at.normal, damping, at.gradient)
    last = step[-low.size :]
    kept = np.minimum(np.maximum(last, low), high)
    beyond = kept != last
    if beyond.any():
        bound = np.concatenate([np.zeros(step.size - low.size, dtype=bool), beyond])
        last[beyond] = kept[beyond]
        rest = at.gradient[~bound] - at.normal[np.ix_(~bound, bound)] @ step[bound]
        step[~bound] = _solved(at.normal[np.ix_(~bound, ~bound)], damping, rest)
        last[:] = np.minimum(np.maximum(last, low), high)
    return step


def _solved(normal: Doubles, damping: float, gradient: Doubles) -> Doubles:
    diagonal, scaled = _scaled(normal, damping + 1e-11)
    return np.asarray(np.linalg.solve(scaled, gradient / diagonal) / diagonal)


def _scaled(normal: Doubles, added: float) -> tuple[Doubles, Doubles]:
    """Root of the diagonal, and the matrix scaled to a diagonal of 1 + ``added``."""
    diagonal = np.sqrt(normal.diagonal() + 1e-30)
    scaled = normal / (diagonal[:, None] * diagonal)
    scaled.flat[:: len(normal) + 1] += added
    return diagonal, scaled
