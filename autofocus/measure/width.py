"""The width of the spatial profile: a model fitted to its samples, the half-maximum read off the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.profile import Samples
from autofocus.measure.shape import moffat_area, pixel_moffat

Doubles = NDArray[np.float64]

WING_PRIOR = (0.25, 0.25)
WING_RANGE = (0.0, 0.75)


@dataclass(frozen=True, slots=True, eq=False)
class ProfileFit:
    """A fitted profile: light, background and shape, with the covariance of all parameters.

    ``parameters`` are amplitude, background, gradient, centre, ln width, wing; ``chi2`` is per degree of freedom.
    """

    parameters: Doubles
    covariance: Doubles
    chi2: float
    weights: Doubles
    design: Doubles

    @property
    def center(self) -> float:
        """Distance of the profile's centre from the trace, px."""
        return float(self.parameters[3])

    @property
    def background(self) -> tuple[float, float]:
        """Background at the trace, ADU, and its gradient, ADU/px."""
        return float(self.parameters[1]), float(self.parameters[2])

    def star(self, distance: Doubles) -> Doubles:
        """Starlight at distances from the trace, ADU, pixel-integrated."""
        amplitude, _, _, center, log_width, wing = self.parameters
        return np.asarray(amplitude * pixel_moffat(distance - center, float(np.exp(log_width)), float(wing)))

    def sky(self, distance: Doubles) -> Doubles:
        """Background at distances from the trace, ADU."""
        return self.parameters[1] + self.parameters[2] * distance

    @property
    def light(self) -> float:
        """All light of the star, ADU per column."""
        return float(self.parameters[0]) * moffat_area(float(np.exp(self.parameters[4])), float(self.parameters[5]))


def fit_profile(samples: Samples, variance: Callable[[Doubles], Doubles], width_px: float) -> ProfileFit | None:
    """Fit a pixel-integrated Moffat on a straight background.

    Weights come from ``variance`` of one pixel at the *fitted* signal, so that chance does not weigh itself. A
    weak prior keeps the wing where the data say nothing of it.

    Returns
    -------
    ProfileFit or None
        None where nothing can be fitted (fewer than 8 samples).
    """
    if samples.value.size < 8:
        return None
    start = _start(samples, width_px)
    error = np.sqrt(variance(np.zeros_like(samples.value)) / samples.count)
    fit = None
    for _ in range(3):
        fit = _least_squares(samples, error, start)
        signal = np.maximum(fit.star(samples.distance), 0.0)
        error = np.sqrt(variance(signal) / samples.count)
        start = fit.parameters
    return fit


def _start(samples: Samples, width_px: float) -> Doubles:
    distance, value = samples.distance, samples.value
    outer = np.abs(distance) > 3 * width_px
    level = float(np.median(value[outer])) if outer.sum() > 4 else float(np.min(value))
    core = np.abs(distance) <= max(0.5 * width_px, 1.0)
    height = float(np.max(value[core])) - level if core.any() else 1.0
    return np.array([max(height, 1e-3), level, 0.0, 0.0, np.log(width_px), WING_PRIOR[0]])


def _model(samples: Samples, p: Doubles) -> tuple[Doubles, Doubles]:
    shape = samples.scale * pixel_moffat(samples.distance - p[3], float(np.exp(p[4])), float(p[5]), samples.blur)
    return shape, p[0] * shape + p[1] + p[2] * samples.distance


def _jacobian(samples: Samples, p: Doubles) -> tuple[Doubles, Doubles]:
    """The model and its derivatives: exact in the linear parameters, by differences in the others."""
    shape, model = _model(samples, p)
    jacobian = np.empty((model.size, p.size))
    jacobian[:, 0] = shape
    jacobian[:, 1] = 1.0
    jacobian[:, 2] = samples.distance
    for index, step in ((3, 1e-3 * np.exp(p[4])), (4, 1e-3), (5, 1e-3)):
        moved = p.copy()
        moved[index] += step
        jacobian[:, index] = p[0] * (_model(samples, moved)[0] - shape) / step
    return model, jacobian


def _least_squares(samples: Samples, error: Doubles, start: Doubles) -> ProfileFit:
    """Levenberg-Marquardt, damped on the diagonal, with bounds by clipping."""
    p, damping = start.copy(), 1e-3
    reach = float(np.abs(samples.distance).max())
    y = samples.value

    def residuals(model: Doubles, at: Doubles) -> Doubles:
        return np.append((y - model) / error, (WING_PRIOR[0] - at[5]) / WING_PRIOR[1])

    def bounded(at: Doubles) -> Doubles:
        at = at.copy()
        at[3] = np.clip(at[3], -0.5 * reach, 0.5 * reach)
        at[4] = np.clip(at[4], np.log(0.3), np.log(2.0 * reach))
        at[5] = np.clip(at[5], *WING_RANGE)
        return at

    model, jacobian = _jacobian(samples, p)
    r = residuals(model, p)
    cost = float(r @ r)
    for _ in range(40):
        weighted = np.vstack([jacobian / error[:, None], np.zeros(p.size)])
        weighted[-1, 5] = 1.0 / WING_PRIOR[1]
        normal, gradient = weighted.T @ weighted, weighted.T @ r
        step = np.linalg.lstsq(normal + damping * np.diag(np.diag(normal)), gradient, rcond=None)[0]
        trial = bounded(p + step)
        trial_model = _model(samples, trial)[1]
        trial_r = residuals(trial_model, trial)
        trial_cost = float(trial_r @ trial_r)
        if trial_cost <= cost:
            done = cost - trial_cost < 1e-4
            p, r, cost, damping = trial, trial_r, trial_cost, damping * 0.2
            _, jacobian = _jacobian(samples, p)
            if done:
                break
        else:
            damping *= 8.0
            if damping > 1e8:
                break
    weighted = np.vstack([jacobian / error[:, None], np.zeros(p.size)])
    weighted[-1, 5] = 1.0 / WING_PRIOR[1]
    covariance = np.linalg.pinv(weighted.T @ weighted)
    chi2 = cost / max(y.size - p.size, 1)
    return ProfileFit(p, covariance, chi2, 1.0 / error**2, jacobian)


def half_maximum_width(fit: ProfileFit) -> tuple[float, float]:
    """Full width at half maximum of the pixel-integrated model, px, and its 1 σ error."""
    p = fit.parameters
    width = _pixel_width(float(p[4]), float(p[5]))
    step = 1e-3
    slope = np.array(
        [
            (_pixel_width(float(p[4]) + step, float(p[5])) - width) / step,
            (_pixel_width(float(p[4]), float(p[5]) + step) - width) / step,
        ]
    )
    return width, float(np.sqrt(max(slope @ fit.covariance[4:6, 4:6] @ slope, 0.0)))


def _pixel_width(log_width: float, wing: float) -> float:
    """FWHM of the Moffat averaged over a pixel: Newton's method on one flank."""
    width = float(np.exp(log_width))
    height = float(pixel_moffat(np.zeros(1), width, wing)[0])
    half = 0.5 * np.hypot(width, 0.75)
    for _ in range(12):
        at = pixel_moffat(np.array([half, half + 1e-4 * width]), width, wing) / height - 0.5
        slope = (at[1] - at[0]) / (1e-4 * width)
        if slope >= 0:
            break
        move = float(np.clip(-at[0] / slope, -0.3 * half, 0.3 * half))
        half += move
        if abs(move) < 1e-9 * width:
            break
    return 2.0 * half


def direct_width(samples: Samples, sky: Doubles) -> float:
    """The half-maximum width straight from the samples, by straight lines between them: a cross-check.

    Returns
    -------
    float
        Distance between the outermost crossings that connect to the peak; NaN where one is off the samples.
    """
    order = np.argsort(samples.distance)
    distance = samples.distance[order]
    value = (samples.value - sky)[order] / samples.scale[order]
    top = int(np.argmax(np.where(np.abs(distance) < 0.5 * distance.max(), value, -np.inf)))
    half = 0.5 * value[top]
    left = np.flatnonzero(value[:top] < half)
    right = np.flatnonzero(value[top:] < half)
    if not left.size or not right.size:
        return float("nan")
    i, j = int(left[-1]), top + int(right[0])
    low = distance[i] + (half - value[i]) / (value[i + 1] - value[i]) * (distance[i + 1] - distance[i])
    high = distance[j - 1] + (value[j - 1] - half) / (value[j - 1] - value[j]) * (distance[j] - distance[j - 1])
    return float(high - low)
