"""The models that a run cannot tell apart, taken together: their mean curves, optima, and the spread of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from autofocus.curve.hyperbola import Array
from autofocus.curve.series import LIGHT, WIDTH
from autofocus.curve.solve import Solution, extremes

AICC_WITHIN = 6.0
NODES = 61
REACH = 2.5

Merit = Callable[[Array], Array]
"""Curves (batch, nodes, 2) in scaled units -> what is to be maximised (batch, nodes), positive."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Models within `AICC_WITHIN` of the best, with Akaike weights.

    ``x`` (nodes,) scaled positions, dense about the optima; ``curves`` (models, nodes, 2) each model's own;
    ``varied`` for each model its curves (2k, nodes, 2) one standard deviation along each axis of its covariance,
    both ways.
    """

    solutions: tuple[Solution, ...]
    weights: Array
    x: Array
    curves: Array
    varied: tuple[Array, ...]

    @property
    def best(self) -> Solution:
        """The model with the smallest AICc."""
        return self.solutions[0]

    def mean(self) -> Array:
        """Mean curves (nodes, 2)."""
        return np.asarray(np.einsum("m,mgc->gc", self.weights, self.curves))

    def optimum(self, merit: Merit) -> tuple[float, float]:
        """Scaled position where ``merit`` is largest, averaged over the models, and its standard deviation.

        The variance is that within the models (each axis of the covariance moved one standard deviation both ways:
        the delta method without its linearity) plus that between them.
        """
        places = peak(self.x, merit(self.curves))
        inner = np.array(
            [
                0.5 * np.sum((peak(self.x, merit(varied)) - place) ** 2)
                for varied, place in zip(self.varied, places, strict=True)
            ]
        )
        middle = float(self.weights @ places)
        error = float(np.sqrt(self.weights @ (inner + (places - middle) ** 2)))
        return middle, error if error > 0.0 else REACH  # a flat curve that nothing moves knows no place

    def spread(self) -> Array:
        """Standard deviation (nodes, 2) of the mean curves."""
        inner = np.stack(
            [0.5 * np.sum((varied - own) ** 2, axis=0) for varied, own in zip(self.varied, self.curves, strict=True)]
        )
        between = (self.curves - self.mean()) ** 2
        return np.asarray(np.sqrt(np.einsum("m,mgc->gc", self.weights, inner + between)))

    def frame_scatter(self) -> Array:
        """Relative scatter (nodes, 2) of single frames about the curves: seeing, transparency, unexplained width."""
        best, step = self.best, 0.05
        more, less = (best.candidate.curves(best.theta[None], self.x, 1.0 + sign * step, 0.0)[0] for sign in (1, -1))
        through_seeing = best.scatter[0] * (more - less) / (2.0 * step * self.curves[0])
        return np.asarray(np.hypot(through_seeing, best.scatter[[2, 1]]))


def peak(x: Array, merit: Array) -> Array:
    """Where each row of ``merit`` (batch, nodes) is largest: vertex of the parabola through the top three nodes."""
    top = np.clip(np.argmax(merit, axis=1), 1, x.size - 2)
    rows = np.arange(len(merit))
    left, right = x[top - 1] - x[top], x[top + 1] - x[top]
    down_left = merit[rows, top - 1] - merit[rows, top]
    down_right = merit[rows, top + 1] - merit[rows, top]
    bend = left * down_right - right * down_left
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 0.5 * (left**2 * down_right - right**2 * down_left) / bend
    return np.asarray(x[top] + np.where(np.isfinite(shift), np.clip(shift, left, right), 0.0))


def gather(solutions: Sequence[Solution]) -> Ensemble:
    """Weigh the models by AICc, drop those beyond `AICC_WITHIN`, and evaluate their curves and variations."""
    ranked = sorted(solutions, key=lambda one: one.aicc)
    kept = tuple(one for one in ranked if one.aicc - ranked[0].aicc <= AICC_WITHIN)
    weights = np.array([np.exp(-0.5 * (one.aicc - kept[0].aicc)) for one in kept])
    x = _nodes(kept[0])
    varied = tuple(_varied(one, x) for one in kept)
    curves = np.stack([one.candidate.curves(one.theta[None], x, 1.0, 0.0)[0] for one in kept])
    return Ensemble(kept, weights / weights.sum(), x, curves, varied)


def _nodes(solution: Solution) -> Array:
    """Positions around the optima of a model, three times denser in the middle than on average."""
    coarse = np.linspace(-REACH, REACH, NODES)
    curves = solution.candidate.curves(solution.theta[None], coarse, 1.0, 0.0)[0]
    optima = [coarse[np.argmin(curves[:, WIDTH])] if np.ptp(curves[:, WIDTH]) else None]
    optima.append(coarse[np.argmax(curves[:, LIGHT])] if np.ptp(curves[:, LIGHT]) else None)
    middle = float(np.mean([place for place in optima if place is not None] or [0.0]))
    t = np.linspace(-1.0, 1.0, NODES)
    return np.asarray(middle + REACH * (t + 2.0 * t**3) / 3.0)


def _varied(solution: Solution, x: Array) -> Array:
    return solution.candidate.curves(extremes(solution), x, 1.0, 0.0)
