"""Where one more exposure tells most about the chosen optimum.

Fedorov's one-step exchange for a single function of the parameters (c-optimal design): in the coordinates z of the
fit, whitened so that cov(z) = 1, the optimum has the gradient u, and the squared length of u is its variance. A frame
whose relative deviations have the jacobian D and the covariance C leaves u (1 + Dᵀ C⁻¹ D)⁻¹ uᵀ. The models that the
data cannot tell apart vote with their Akaike weights; the spread between them is taken to stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from autofocus.curve.ensemble import Ensemble, Merit, peak
from autofocus.curve.fit import Fitted, fit_models, modelled_channels
from autofocus.curve.hyperbola import Array
from autofocus.curve.noise import FrameNoise, misfit
from autofocus.curve.objective import decide_by
from autofocus.curve.series import WIDTH, Series
from autofocus.curve.solve import SEEING_STEP, Solution
from autofocus.model import FocusCurves, Measurement, Objective


@dataclass(frozen=True, slots=True)
class Design:
    """Positions, the most telling first, and the 1 σ error of the optimum (steps) now and after them."""

    positions: tuple[float, ...]
    uncertainty_now: float
    uncertainty_after: float


@dataclass(frozen=True, eq=False)
class _Vote:
    """One model: u (k,), the shrinking cov (k, k), and each candidate's jacobian (c, 2, k) and noise⁻¹ (c, 2, 2)."""

    weight: float
    gradient: Array
    covariance: Array
    jacobian: Array
    precision: Array

    def variance(self) -> float:
        return float(self.gradient @ self.covariance @ self.gradient)

    def gains(self) -> Array:
        """How much each candidate (c,) would take off the variance: Woodbury's identity, rank two."""
        toward = self.jacobian @ self.covariance
        inner = toward @ np.swapaxes(self.jacobian, 1, 2) + np.linalg.inv(self.precision)
        along = toward @ self.gradient
        return np.asarray(np.einsum("ca,ca->c", along, np.linalg.solve(inner, along[..., None])[..., 0]))

    def with_frame(self, chosen: int) -> _Vote:
        """The vote once a candidate was observed."""
        design = self.jacobian[chosen]
        information = np.linalg.inv(self.covariance) + design.T @ self.precision[chosen] @ design
        return _Vote(self.weight, self.gradient, np.linalg.inv(information), self.jacobian, self.precision)


def next_positions(
    measurements: Sequence[Measurement],
    candidates: Sequence[float],
    *,
    objective: Objective,
    count: int = 1,
    cost_s: Callable[[float], float] | None = None,
    science_exposure_s: float | None = None,
    min_nsig_fraction: float | None = None,
) -> Design | None:
    """Choose further exposures, one after the other, each where it takes most variance off the optimum per second.

    Parameters
    ----------
    measurements :
        The frames so far, as for `fit_focus`.
    candidates : sequence of float
        Positions that may be asked for, steps; one may be chosen several times.
    objective, science_exposure_s, min_nsig_fraction :
        As for `fit_focus`.
    count : int
        How many exposures.
    cost_s : callable, optional
        Seconds that an exposure at a position costs, its move included; None: all alike.

    Returns
    -------
    Design or None
        None where nothing can be fitted yet, or there are no candidates.
    """
    fitted = fit_models(measurements)
    if isinstance(fitted, FocusCurves) or not candidates:
        return None
    modelled = modelled_channels(fitted.ensemble)
    decision, _ = decide_by(objective, measurements, fitted.series, modelled, science_exposure_s, min_nsig_fraction)
    votes, between = _votes(fitted, decision.merit, np.array(candidates, dtype=float))
    costs = np.array([cost_s(position) for position in candidates]) if cost_s else np.ones(len(candidates))
    before = _uncertainty(votes, between)
    chosen: list[float] = []
    for _ in range(count):
        gain = sum(vote.weight * vote.gains() for vote in votes)
        best = int(np.argmax(gain / costs))
        chosen.append(candidates[best])
        votes = [vote.with_frame(best) for vote in votes]
    scale = fitted.series.scale
    return Design(tuple(chosen), before * scale, _uncertainty(votes, between) * scale)


def _uncertainty(votes: Sequence[_Vote], between: float) -> float:
    return float(np.sqrt(sum(vote.weight * vote.variance() for vote in votes) + between))


def _votes(fitted: Fitted, merit: Merit, positions: Array) -> tuple[list[_Vote], float]:
    """A vote of each model, and the variance between the models (scaled units)."""
    series, ensemble = fitted.series, fitted.ensemble
    x = np.clip((positions - series.middle) / series.scale, ensemble.x[0], ensemble.x[-1])
    places = peak(ensemble.x, merit(ensemble.curves))
    votes = []
    for weight, solution, varied, place in zip(
        ensemble.weights, ensemble.solutions, ensemble.varied, places, strict=True
    ):
        moved = peak(ensemble.x, merit(varied)) - place
        size = len(moved) // 2
        up, down = moved[:size], moved[size:]
        gradient = np.sign(up - down) * np.sqrt(0.5 * (up**2 + down**2))
        at, slopes = _at(ensemble, solution, varied, x)
        votes.append(_Vote(float(weight), gradient, np.eye(size), slopes, _precision(series, solution, at, x)))
    return votes, float(ensemble.weights @ (places - ensemble.weights @ places) ** 2)


def _at(ensemble: Ensemble, solution: Solution, varied: Array, x: Array) -> tuple[Array, Array]:
    """A model's curves (c, 2) at ``x``, and their relative derivatives (c, 2, k) by the whitened coordinates."""
    at = solution.candidate.curves(solution.theta[None], x, 1.0, 0.0)[0]
    size = len(varied) // 2
    along = 0.5 * (varied[:size] - varied[size:])
    slopes = np.array([[np.interp(x, ensemble.x, along[k, :, channel]) for k in range(size)] for channel in (0, 1)])
    return at, np.moveaxis(slopes, 2, 0) / at[..., None]


def _precision(series: Series, solution: Solution, at: Array, x: Array) -> Array:
    """Inverse covariance (c, 2, 2) of a frame at ``x``, with the typical measuring error of the run."""
    typical = np.array([_typical_error(series, channel) for channel in (0, 1)])
    more, less = (
        solution.candidate.curves(solution.theta[None], x, 1.0 + sign * SEEING_STEP, 0.0)[0] for sign in (1, -1)
    )
    own = typical**2 + misfit(at[:, [WIDTH]] / solution.look.reference[:, WIDTH].min(), *solution.candidate.misfit) ** 2
    modelled = np.broadcast_to(series.has.any(axis=0), own.shape)
    gradient = np.where(modelled, (more - less) / (2.0 * SEEING_STEP * at), 0.0)
    frames = FrameNoise(np.where(modelled, own, 1.0), gradient, modelled, np.ones(len(x)), np.eye(len(x)))
    return np.asarray(np.linalg.inv(frames.each(solution.scatter[None])[0]))


def _typical_error(series: Series, channel: int) -> float:
    rows = series.has[:, channel]
    return float(np.median(series.errors[rows, channel] / np.abs(series.values[rows, channel]))) if rows.any() else 0.0
