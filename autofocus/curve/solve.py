"""One model fitted to one run: parameters, their covariance with the scatters marginalised, and AICc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from autofocus.curve.candidates import Candidate
from autofocus.curve.hyperbola import Array
from autofocus.curve.noise import MISCENTRING_HALF_WIDTHS, FrameNoise, misfit, scatter_grid, whitener
from autofocus.curve.series import WIDTH, Series

STUDENT = 6.0
ROUNDS = 2
DIFFERENCE = 1e-5
SEEING_STEP = 0.05


@dataclass(frozen=True, eq=False)
class Look:
    """The curves at the frames about one set of parameters.

    ``reference`` (n, 2) the curves; relative to it the derivative by ln seeing, the mean loss by miscentring and the
    residual, each (n, 2), and the jacobian (n, 2, k); 0 where a channel is missing.
    """

    reference: Array
    seeing: Array
    off_centre: Array
    residual: Array
    jacobian: Array


@dataclass(frozen=True, eq=False)
class Solution:
    """A fitted model.

    ``theta`` (k,), ``covariance`` (k, k); ``scatter`` (3,) the likeliest scatters; ``look`` the curves at the
    frames; ``frames`` the noise of the frames; ``aicc`` the corrected information criterion at ``scatter``.
    """

    candidate: Candidate
    series: Series
    theta: Array
    covariance: Array
    scatter: Array
    look: Look
    frames: FrameNoise
    aicc: float


def solve(candidate: Candidate, series: Series, start: Array | None = None) -> Solution:
    """Fit by alternating weighted least squares and the weighing of the scatters, from the best of many starts."""
    grid, log_prior = scatter_grid(width_errors_known=series.errors_known[WIDTH])
    scatter = grid[[int(np.argmax(log_prior))]]
    theta = _best_start(candidate, series) if start is None else start
    temper = np.ones(series.x.size)
    look = look_at(candidate, series, theta)
    for _ in range(ROUNDS):
        whiten = whitener(frame_noise(series, look, temper).covariance(scatter))[0]
        theta = _least_squares(candidate, series, theta, look.reference, whiten)
        look = look_at(candidate, series, theta)
        temper = robust_weights(frame_noise(series, look, np.ones(temper.size)), scatter, look.residual)
        frames = frame_noise(series, look, temper)
        weights, shifts, covariances, deviances = _weigh(candidate, theta, look, frames, grid, log_prior)
        best = int(np.argmax(weights))
        scatter = grid[[best]]
    spread = shifts - weights @ shifts
    covariance = np.einsum("h,hij->ij", weights, covariances + spread[:, :, None] * spread[:, None, :])
    determined = float(np.sum(1.0 - np.diag(covariances[best]) / candidate.sd**2))
    aicc = _aicc(float(deviances[best]), int(series.has.sum()), determined)
    return Solution(candidate, series, theta, covariance, scatter[0], look, frames, aicc)


def look_at(candidate: Candidate, series: Series, theta: Array) -> Look:
    """Evaluate, in one batch, all that the noise and the linearised fit need at ``theta`` (k,)."""
    size, still = theta.size, 5
    batch = np.vstack([np.tile(theta, (still, 1)), theta + DIFFERENCE * np.eye(size)])
    seeing, jitter = np.ones((still + size, 1)), np.zeros((still + size, 1))
    seeing[1:3, 0] = 1.0 + SEEING_STEP, 1.0 - SEEING_STEP
    jitter[3:5, 0] = MISCENTRING_HALF_WIDTHS, -MISCENTRING_HALF_WIDTHS
    curves = candidate.curves(batch, series.x, seeing, jitter)
    reference = curves[0]
    relative = np.where(series.has, curves / reference - 1.0, 0.0)
    return Look(
        reference=reference,
        seeing=(relative[1] - relative[2]) / (2.0 * SEEING_STEP),
        off_centre=0.5 * (relative[3] + relative[4]),
        residual=np.where(series.has, series.values / reference - 1.0, 0.0),
        jacobian=np.moveaxis(relative[still:] / DIFFERENCE, 0, -1),
    )


def frame_noise(series: Series, look: Look, temper: Array) -> FrameNoise:
    """The noise of each frame about the curves looked at, relative to them."""
    model = misfit(look.reference[:, [WIDTH]] / look.reference[:, WIDTH].min())
    own = (series.errors / look.reference) ** 2 + model**2 + look.off_centre**2
    return FrameNoise(np.where(series.has, own, 1.0), look.seeing, series.has, temper)


def robust_weights(frames: FrameNoise, scatter: Array, residual: Array) -> Array:
    """Student's weights (n,), at most 1: a frame many sigmas off counts little, and less the further off it is."""
    white = np.einsum("nab,nb->na", whitener(frames.covariance(scatter))[0], residual)
    channels = frames.has.sum(axis=1)
    return np.asarray(np.minimum(1.0, (STUDENT + channels) / (STUDENT + np.sum(white**2, axis=1))))


def _best_start(candidate: Candidate, series: Series) -> Array:
    starts = candidate.starts(series)
    curves = candidate.curves(starts, series.x, 1.0, 0.0)
    relative = np.where(series.has, (series.values - curves) / (np.abs(series.values) + np.abs(curves)), 0.0)
    cost = np.sum(np.log1p((relative / 0.05) ** 2), axis=(1, 2))
    return np.asarray(starts[int(np.argmin(cost))])


def _least_squares(candidate: Candidate, series: Series, theta: Array, reference: Array, whiten: Array) -> Array:
    """Levenberg-Marquardt with fixed weights; the jacobian comes with each evaluation of the residuals."""
    scaled = whiten / reference[:, None, :]
    slopes: dict[bytes, Array] = {}

    def residuals(trial: Array) -> Array:
        batch = np.vstack([trial, trial + DIFFERENCE * np.eye(trial.size)])
        curves = np.where(series.has, candidate.curves(batch, series.x, 1.0, 0.0), series.values)
        white = np.einsum("nab,xnb->xna", scaled, series.values - curves).reshape(len(batch), -1)
        slopes.clear()
        slopes[trial.tobytes()] = (white[1:] - white[0]).T / DIFFERENCE
        return np.concatenate([white[0], (trial - candidate.mean) / candidate.sd])

    def jacobian(trial: Array) -> Array:
        if trial.tobytes() not in slopes:
            residuals(trial)
        return np.vstack([slopes[trial.tobytes()], np.diag(1.0 / candidate.sd)])

    found = least_squares(residuals, theta, jac=jacobian, method="lm", xtol=1e-4, ftol=1e-4, max_nfev=30)
    return np.asarray(found.x if np.all(np.isfinite(found.x)) else theta)


def _weigh(
    candidate: Candidate, theta: Array, look: Look, frames: FrameNoise, grid: Array, log_prior: Array
) -> tuple[Array, Array, Array, Array]:
    """Weights (grid,) of the scatters, and for each the step to its optimum, covariance and deviance."""
    covariance = frames.covariance(grid)
    whiten = whitener(covariance)
    size = theta.size
    white = np.einsum("hnab,nb->hna", whiten, look.residual).reshape(len(grid), -1)
    design = (whiten @ look.jacobian[None]).reshape(len(grid), -1, size)
    transposed = np.swapaxes(design, 1, 2)
    precision = 1.0 / candidate.sd**2
    information = transposed @ design + np.diag(precision)
    pull = (transposed @ white[..., None])[..., 0] + precision * (candidate.mean - theta)
    inverse = np.linalg.inv(information)
    shifts = (inverse @ pull[..., None])[..., 0]
    from_prior = float(np.sum((theta - candidate.mean) ** 2 * precision))
    squares = np.sum(white**2, axis=1)
    log_determinant = np.sum(np.log(np.linalg.det(covariance * frames.temper[None, :, None, None])), axis=1)
    misfit_ = squares + from_prior - np.sum(shifts * pull, axis=1)
    log_weight = log_prior - 0.5 * (misfit_ + log_determinant + np.linalg.slogdet(information)[1])
    weights = np.exp(log_weight - log_weight.max())
    deviance = squares + log_determinant + from_prior - 2.0 * log_prior
    return np.asarray(weights / weights.sum()), np.asarray(shifts), np.asarray(inverse), np.asarray(deviance)


def _aicc(deviance: float, values: int, free: float) -> float:
    """AICc of Hurvich & Tsai (1989), held finite where values are hardly more than parameters.

    ``free`` is the effective number of parameters of a fit with priors: the trace of its smoother.
    """
    return deviance + 2.0 * free + 2.0 * free * (free + 1.0) / max(values - free - 1.0, 1.0)
