"""One model fitted to one run: parameters, their covariance with the scatters marginalised, and AICc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from autofocus.curve.candidates import Candidate
from autofocus.curve.hyperbola import Array
from autofocus.curve.noise import MISCENTRING_HALF_WIDTHS, FrameNoise, memory, misfit, scatter_grid, whitener
from autofocus.curve.series import WIDTH, Series

STUDENT = 6.0
ROUNDS = 2
DIFFERENCE = 1e-5
SEEING_STEP = 0.05
STRETCHES = np.array([0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4])


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

    ``theta`` (k,), ``covariance`` (k, k); ``scatter`` (3,) the likeliest scatters, and ``information`` (k, k) the
    inverse of the covariance there; ``look`` the curves at the
    frames; ``frames`` the noise of the frames; ``aicc`` the corrected information criterion at ``scatter``.
    """

    candidate: Candidate
    series: Series
    theta: Array
    covariance: Array
    information: Array
    scatter: Array
    look: Look
    frames: FrameNoise
    aicc: float


def solve(candidate: Candidate, series: Series, start: Array, *, transparency: float | None = None) -> Solution:
    """Fit by alternating weighted least squares and the weighing of the scatters, from one start (`first_guesses`).

    ``transparency`` is the scatter to begin with, None: the likeliest beforehand. Under clouds there may be an answer
    of its own for each: light that changes with focus under a clear sky, or with time.
    """
    grid, log_prior = scatter_grid(width_errors_known=series.errors_known[WIDTH], clouded=series.clouded)
    scatter = grid[[int(np.argmax(log_prior))]]
    if transparency is not None:
        scatter[0, 1] = transparency
    theta = start
    temper = np.ones(series.x.size)
    look = look_at(candidate, series, theta)
    for _ in range(ROUNDS):
        theta = _least_squares(
            candidate, series, theta, look.reference, frame_noise(candidate, series, look, temper), scatter
        )
        look = look_at(candidate, series, theta)
        temper = robust_weights(frame_noise(candidate, series, look, np.ones(temper.size)), scatter, look.residual)
        frames = frame_noise(candidate, series, look, temper)
        weights, shifts, covariances, deviances = _weigh(candidate, theta, look, frames, grid, log_prior)
        best = int(np.argmax(weights))
        scatter = grid[[best]]
    spread = shifts - weights @ shifts
    covariance = np.einsum("h,hij->ij", weights, covariances + spread[:, :, None] * spread[:, None, :])
    determined = float(np.sum(1.0 - np.diag(covariances[best]) / candidate.sd**2))
    deviance = float(deviances[best]) + forgiven(frames, scatter, look.residual)
    aicc = _aicc(deviance, int(series.has.sum()), determined)
    information = np.linalg.inv(covariances[best])
    return Solution(candidate, series, theta, covariance, information, scatter[0], look, frames, aicc)


def extremes(solution: Solution) -> Array:
    """Parameters (2k, k) one standard deviation from the best along each axis of the covariance, up and then down.

    Where the deviance rises otherwise than the parabola that the covariance stands for (as that of a centring offset,
    whose first effect is its square), the step is stretched or shrunk until it rises by as much.
    """
    variances, axes = np.linalg.eigh(solution.covariance)
    steps = (axes * np.sqrt(np.maximum(variances, 0.0))).T
    steps = np.vstack([steps, -steps])
    expected = np.einsum("ik,kl,il->i", steps, solution.information, steps)
    trials = solution.theta + STRETCHES[:, None, None] * steps
    rises = _deviance(solution, trials.reshape(-1, solution.theta.size)).reshape(len(STRETCHES), -1)
    rises = np.maximum.accumulate(rises - _deviance(solution, solution.theta[None])[0], axis=0)
    stretch = [np.interp(rise, rises[:, axis], STRETCHES) for axis, rise in enumerate(expected)]
    return np.asarray(solution.theta + np.array(stretch)[:, None] * steps)


def _deviance(solution: Solution, thetas: Array) -> Array:
    """Squares of the whitened residuals and of the departures from the priors, summed (batch,)."""
    candidate, series = solution.candidate, solution.series
    curves = candidate.curves(thetas, series.x, 1.0, 0.0)
    off = deviations(series, curves, solution.look.reference)
    _, white = solution.frames.whitened(solution.scatter[None], np.moveaxis(off, 0, -1))
    from_prior = np.sum(((thetas - candidate.mean) / candidate.sd) ** 2, axis=1)
    return np.asarray(np.sum(white[0] ** 2, axis=0) + from_prior)


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
        residual=deviations(series, reference, reference),
        jacobian=np.moveaxis(relative[still:] / DIFFERENCE, 0, -1),
    )


def deviations(series: Series, curves: Array, reference: Array) -> Array:
    """How far the values lie from ``curves`` (batch, n, 2), relative to ``reference`` (n, 2); 0 where there is none.

    Light well above its noise is compared by logarithms: air multiplies it, and a cloud takes at most all of it.
    """
    ratio = np.where(series.logarithmic, series.values / curves, 1.0)
    return np.asarray(
        np.where(series.has, np.where(series.logarithmic, np.log(ratio), (series.values - curves) / reference), 0.0)
    )


def frame_noise(candidate: Candidate, series: Series, look: Look, temper: Array) -> FrameNoise:
    """The noise of each frame about the curves looked at, relative to them."""
    model = misfit(look.reference[:, [WIDTH]] / look.reference[:, WIDTH].min(), *candidate.misfit)
    own = (
        (series.errors / np.where(series.logarithmic, series.values, look.reference)) ** 2
        + model**2
        + look.off_centre**2
    )
    return FrameNoise(np.where(series.has, own, 1.0), look.seeing, series.has, temper, memory(series.time_s))


def robust_weights(frames: FrameNoise, scatter: Array, residual: Array) -> Array:
    """Student's weights (n,), at most 1: a frame many sigmas off counts little, and less the further off it is."""
    channels = frames.has.sum(axis=1)
    return np.asarray(np.minimum(1.0, (STUDENT + channels) / (STUDENT + _squares(frames, scatter, residual))))


def forgiven(frames: FrameNoise, scatter: Array, residual: Array) -> float:
    """What Student's loss, the integral of his weights, has beyond the weighted squares, summed over the frames.

    A far frame is forgiven its squares, but the model that needs such frames is not.
    """
    channels = frames.has.sum(axis=1)
    squares = _squares(frames, scatter, residual) / frames.temper
    beyond = np.maximum(squares, channels)
    loss = channels + (STUDENT + channels) * np.log((STUDENT + beyond) / (STUDENT + channels))
    weighted = frames.temper * squares
    return float(np.sum(np.where(squares > channels, loss - weighted, squares - weighted)))


def _squares(frames: FrameNoise, scatter: Array, residual: Array) -> Array:
    """Squared Mahalanobis distance (n,) of each frame, its weight included."""
    return np.asarray(np.sum(np.einsum("nab,nb->na", whitener(frames.each(scatter))[0], residual) ** 2, axis=1))


def first_guesses(candidate: Candidate, series: Series) -> tuple[Array, ...]:
    """Parameters (k,) to begin a search from: the likeliest start, and that of the other branch if there are two.

    A star in the slit and one beside it are optima of their own, and no search finds the way from one to the other.
    """
    starts = candidate.starts(series)
    curves = candidate.curves(starts, series.x, 1.0, 0.0)
    relative = np.where(series.has, (series.values - curves) / (np.abs(series.values) + np.abs(curves)), 0.0)
    cost = np.sum(np.log1p((relative / 0.05) ** 2), axis=(1, 2))
    first = int(np.argmin(cost))
    if candidate.beside_slit is None:
        return (np.asarray(starts[first]),)
    beside = candidate.beside_slit(starts)
    other = int(np.argmin(np.where(beside == beside[first], np.inf, cost)))
    return np.asarray(starts[first]), np.asarray(starts[other])


def _least_squares(
    candidate: Candidate, series: Series, theta: Array, reference: Array, frames: FrameNoise, scatter: Array
) -> Array:
    """Levenberg-Marquardt with fixed weights; the jacobian comes with each evaluation of the residuals."""
    count = series.values.size
    _, whiten = frames.whitened(scatter, np.eye(count).reshape(-1, 2, count))
    slopes: dict[bytes, Array] = {}

    def residuals(trial: Array) -> Array:
        batch = np.vstack([trial, trial + DIFFERENCE * np.eye(trial.size)])
        off = deviations(series, candidate.curves(batch, series.x, 1.0, 0.0), reference)
        white = off.reshape(len(batch), -1) @ whiten[0].T
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
    log_determinant, white, design = frames.whitened(grid, look.residual, look.jacobian)
    white = white[..., 0]
    transposed = np.swapaxes(design, 1, 2)
    precision = 1.0 / candidate.sd**2
    information = transposed @ design + np.diag(precision)
    pull = (transposed @ white[..., None])[..., 0] + precision * (candidate.mean - theta)
    inverse = np.linalg.inv(information)
    shifts = (inverse @ pull[..., None])[..., 0]
    from_prior = float(np.sum((theta - candidate.mean) ** 2 * precision))
    squares = np.sum(white**2, axis=1)
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
