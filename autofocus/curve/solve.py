"""One model fitted to one run: parameters, their covariance with the scatters marginalised, and AICc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from autofocus.curve.candidates import Candidate
from autofocus.curve.hyperbola import Array
from autofocus.curve.noise import MISCENTRING_HALF_WIDTHS, FrameNoise, misfit, scatter_grid, whitener
from autofocus.curve.series import LIGHT, WIDTH, Series

STUDENT = 6.0
ROUNDS = 3
DIFFERENCE = 1e-5


@dataclass(frozen=True, eq=False)
class Solution:
    """A fitted model.

    ``theta`` (k,), ``covariance`` (k, k); ``scatter`` (3,) the likeliest scatters; ``reference`` (n, 2) the curves at
    the frames; ``residual`` (n, 2) relative deviations, 0 where a channel is missing; ``frames`` the noise of the frames;
    ``jacobian`` (n, 2, k) relative; ``aicc`` the corrected information criterion at ``scatter``.
    """

    candidate: Candidate
    series: Series
    theta: Array
    covariance: Array
    scatter: Array
    reference: Array
    residual: Array
    jacobian: Array
    frames: FrameNoise
    aicc: float


def solve(candidate: Candidate, series: Series) -> Solution:
    """Fit by alternating weighted least squares and the weighing of the scatters, from the best of many starts."""
    grid, log_prior = scatter_grid(width_errors_known=series.errors_known[WIDTH])
    scatter = grid[[int(np.argmax(log_prior))]]
    theta = _best_start(candidate, series)
    temper = np.ones(series.x.size)
    for round_ in range(ROUNDS):
        reference = candidate.curves(theta[None], series.x, 1.0, 0.0)[0]
        frames = frame_noise(candidate, series, theta, reference, temper)
        theta = _least_squares(candidate, series, theta, reference, whitener(frames.covariance(scatter))[0])
        reference, residual, jacobian = _linearise(candidate, series, theta)
        temper = robust_weights(frame_noise(candidate, series, theta, reference, np.ones(temper.size)), scatter, residual)
        frames = frame_noise(candidate, series, theta, reference, temper)
        weights, shifts, covariances, fits = _weigh(candidate, theta, residual, jacobian, frames, grid, log_prior)
        best = int(np.argmax(weights))
        scatter = grid[[best]]
        if round_ == 0:
            theta = theta + np.clip(shifts[best], -0.3, 0.3)
    mean_shift = weights @ shifts
    spread = shifts - mean_shift
    covariance = np.einsum("h,hij->ij", weights, covariances + spread[:, :, None] * spread[:, None, :])
    return Solution(
        candidate, series, theta, covariance, scatter[0], reference, residual, jacobian, frames,
        _aicc(fits[best], int(series.has.sum()), candidate.free),
    )


def frame_noise(candidate: Candidate, series: Series, theta: Array, reference: Array, temper: Array) -> FrameNoise:
    """The noise of each frame about the curves of ``theta``, relative to ``reference`` (n, 2)."""
    batch = theta[None]
    step = 0.05
    more, less = (candidate.curves(batch, series.x, 1.0 + sign * step, 0.0)[0] for sign in (1, -1))
    moved = [candidate.curves(batch, series.x, 1.0, sign * MISCENTRING_HALF_WIDTHS)[0] for sign in (1, -1)]
    off_centre = (moved[0] + moved[1]) / (2.0 * reference) - 1.0
    model = misfit(reference[:, [WIDTH]] / reference[:, WIDTH].min())
    own = (series.errors / reference) ** 2 + model**2 + off_centre**2
    gradient = (more - less) / (2.0 * step * reference)
    return FrameNoise(np.where(series.has, own, 1.0), np.where(series.has, gradient, 0.0), series.has, temper)


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
    scaled = whiten / reference[:, None, :]

    def residuals(trial: Array) -> Array:
        off = np.where(series.has, series.values - candidate.curves(trial[None], series.x, 1.0, 0.0)[0], 0.0)
        white = np.einsum("nab,nb->na", scaled, off).ravel()
        return np.concatenate([white, (trial - candidate.mean) / candidate.sd])

    def jacobian(trial: Array) -> Array:
        slopes = np.where(series.has[..., None], -_slopes(candidate, series, trial), 0.0)
        white = np.einsum("nab,nbk->nak", scaled, slopes).reshape(-1, trial.size)
        return np.vstack([white, np.diag(1.0 / candidate.sd)])

    found = least_squares(residuals, theta, jac=jacobian, method="lm", xtol=1e-5, ftol=1e-6, max_nfev=40)
    return np.asarray(found.x if np.all(np.isfinite(found.x)) else theta)


def _slopes(candidate: Candidate, series: Series, theta: Array) -> Array:
    steps = np.vstack([theta, theta + DIFFERENCE * np.eye(theta.size)])
    curves = candidate.curves(steps, series.x, 1.0, 0.0)
    return np.asarray(np.moveaxis((curves[1:] - curves[0]) / DIFFERENCE, 0, -1))


def _linearise(candidate: Candidate, series: Series, theta: Array) -> tuple[Array, Array, Array]:
    reference = candidate.curves(theta[None], series.x, 1.0, 0.0)[0]
    residual = np.where(series.has, (series.values - reference) / reference, 0.0)
    slopes = np.where(series.has[..., None], _slopes(candidate, series, theta) / reference[..., None], 0.0)
    return reference, residual, slopes


def _weigh(
    candidate: Candidate, theta: Array, residual: Array, jacobian: Array, frames: FrameNoise, grid: Array, log_prior: Array
) -> tuple[Array, Array, Array, Array]:
    """Weights (grid,) of the scatters, and for each the step to its optimum, covariance and deviance."""
    covariance = frames.covariance(grid)
    whiten = whitener(covariance)
    size = theta.size
    white = np.einsum("hnab,nb->hna", whiten, residual).reshape(len(grid), -1)
    design = (whiten @ jacobian[None]).reshape(len(grid), -1, size)
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
    return weights / weights.sum(), shifts, inverse, deviance


def _aicc(deviance: float, values: int, free: int) -> float:
    """AICc of Hurvich & Tsai (1989); the correction is held finite where values are hardly more than parameters."""
    return float(deviance + 2 * free + 2 * free * (free + 1) / max(values - free - 1, 1))
