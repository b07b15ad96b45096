"""A model of the averaged profile fitted to its samples, with the covariance of everything in it.

Star, background and neighbours are fitted at once by damped least squares with weak priors (Levenberg 1944,
Marquardt 1963). Models are compared by their evidence, in Laplace's approximation (MacKay 1992, Neural Comput. 4, 415).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.profile import Samples
from autofocus.measure.spectrum.star_model import HEIGHTS, Ripples, StarModel

Doubles = NDArray[np.float64]

MOST_STEPS = 30
RIPPLE_HEIGHTS = (0.01, 0.03, 0.1)
RIPPLE_GAIN = 3.0
MOST_RIPPLES = 25


@dataclass(frozen=True, slots=True, eq=False)
class ProfileFit:
    """A fitted profile. ``chi2`` is per degree of freedom; ``log_evidence`` compares models of the same samples."""

    model: StarModel
    parameters: Doubles
    covariance: Doubles
    chi2: float
    log_evidence: float
    samples: int

    @property
    def excess(self) -> float:
        """How far what is left exceeds noise (in variance, 1 where it does not): errors grow with its root."""
        return max(1.0, self.chi2 / (1.0 + 2.0 * float(np.sqrt(2.0 / self.samples))))

    @property
    def center(self) -> float:
        """Distance of the star's centre from the trace, px."""
        return float(self.parameters[self.model.linear])

    @property
    def blur_width(self) -> float:
        """Width of the Moffat, or of the blur of a disc, px."""
        return float(np.exp(self.parameters[self.model.linear + 1]))

    @property
    def radius(self) -> float:
        """Radius of the disc before its blur, px; 0 without one."""
        return float(np.exp(self.parameters[self.model.linear + 3])) if self.model.kind == "disc" else 0.0

    @property
    def places(self) -> tuple[float, ...]:
        """Where the neighbours stand, px from the trace."""
        return tuple(float(place) for place in self.parameters[self.model.places :])

    @property
    def background(self) -> float:
        """Background at the trace, ADU."""
        return float(self.parameters[0])

    def star(self, distance: Doubles) -> Doubles:
        """Starlight at distances from the trace, ADU, pixel-integrated."""
        heights = self.parameters[self.model.heights]
        return np.asarray(self.model.star_columns(self.parameters, distance) @ heights)

    def neighbours(self, distance: Doubles) -> Doubles:
        """Light of the other stars at distances from the trace, ADU."""
        heights = self.parameters[self.model.heights.stop : self.model.linear]
        return np.asarray(self.model.neighbour_columns(self.parameters, distance) @ heights)

    def sky(self, distance: Doubles) -> Doubles:
        """Background at distances from the trace, ADU."""
        return np.asarray(self.parameters[0] + self.parameters[1] * distance)

    def derivatives(self, distance: Doubles) -> Doubles:
        """Derivatives of the model by its parameters at distances from the trace, shape (distances, size)."""
        return self.model.derivatives(self.parameters, distance, self.model.columns(self.parameters, distance))

    @property
    def light(self) -> float:
        """All light of the star, ADU per column."""
        return float(self.model.areas(self.parameters) @ self.parameters[self.model.heights])

    @property
    def light_gradient(self) -> Doubles:
        """Derivatives of `light` by the parameters, shape (size,)."""
        model, p = self.model, self.parameters
        gradient = np.zeros(model.size)
        gradient[model.heights] = model.areas(p)
        for index in range(model.linear + 1, model.places):
            moved = p.copy()
            moved[index] -= 1e-4
            gradient[index] = (self.light - float(model.areas(moved) @ p[model.heights])) / 1e-4
        return gradient


def fit_model(
    model: StarModel,
    start: Doubles,
    samples: Samples,
    variance: Callable[[Doubles], Doubles],
    light: Doubles | None = None,
) -> ProfileFit:
    """Fit, with weights from ``variance`` of one pixel at the *fitted* signal, so that chance does not weigh itself.

    ``start`` gives the parameters that are not linear; the others follow from them. ``light`` is the starlight of each
    sample if already known, else a first fit with even weights finds it.
    """
    if light is None:
        error = np.sqrt(variance(np.zeros_like(samples.value)) / samples.count)
        rough = _least_squares(model, start, samples, error, steps=6, enough=1.0)
        start, light = rough.parameters[model.linear :], _light(rough, samples)
    error = np.sqrt(variance(light) / samples.count)
    fit = _least_squares(model, start, samples, error, enough=0.1)
    error = np.sqrt(variance(_light(fit, samples)) / samples.count)
    return _least_squares(model, fit.parameters[model.linear :], samples, error)


def _light(fit: ProfileFit, samples: Samples) -> Doubles:
    columns = fit.model.columns(fit.parameters, samples.distance, samples.scale, samples.blur)[:, 2:]
    return np.maximum(columns @ fit.parameters[2 : fit.model.linear], 0.0)


def _least_squares(
    model: StarModel, start: Doubles, samples: Samples, error: Doubles, steps: int = MOST_STEPS, enough: float = 0.01
) -> ProfileFit:
    """Damped least squares over all parameters at once."""
    distance, scale, blur = samples.distance, samples.scale, samples.blur
    y, reach = samples.value / error, float(np.abs(distance).max())
    low, high = model.bounds(reach)
    n = model.linear
    p = np.concatenate([np.zeros(n), np.clip(start, low, high)])
    columns = model.columns(p, distance, scale, blur)
    height = _first_heights(model, p, columns / error[:, None], y)
    rows, values = model.priors(height, float(np.abs(samples.distance).max()))

    def residuals(at: Doubles, parts: Doubles) -> Doubles:
        return np.concatenate([y - (parts @ at[:n]) / error, values - rows @ at])

    r = residuals(p, columns)
    cost, damping = float(r @ r), 1e-3
    normal, gradient = _normal(model.derivatives(p, distance, columns, scale, blur), error, rows, r)
    for _ in range(steps):
        step = _solve(normal, damping, gradient)
        trial = p + step
        trial[n:] = np.clip(trial[n:], low, high)
        parts = model.columns(trial, distance, scale, blur)
        trial_r = residuals(trial, parts)
        trial_cost = float(trial_r @ trial_r)
        if not trial_cost <= cost:
            damping *= 10.0
            if damping > 1e5:
                break
            continue
        gained = cost - trial_cost
        p, r, cost, columns, damping = trial, trial_r, trial_cost, parts, max(damping * 0.1, 1e-9)
        normal, gradient = _normal(model.derivatives(p, distance, columns, scale, blur), error, rows, r)
        if gained < enough:
            break
    diagonal = np.sqrt(np.diag(normal) + 1e-30)
    covariance = np.linalg.pinv(normal / np.outer(diagonal, diagonal), hermitian=True) / np.outer(diagonal, diagonal)
    data = r[: y.size]
    chi2 = float(data @ data) / max(y.size - max(model.size - len(values), 4), 1)
    return ProfileFit(model, p, covariance, chi2, _evidence(cost, normal, rows), y.size)


def _first_heights(model: StarModel, p: Doubles, weighted: Doubles, y: Doubles) -> float:
    """Set the linear parameters for the shape given, ripples at 0, and return the height of the star."""
    keep = [*range(2 + HEIGHTS[model.kind]), *range(model.heights.stop, model.linear)]
    core = weighted[:, keep]
    normal = core.T @ core
    p[keep] = np.linalg.solve(normal + 1e-6 * np.diag(np.diag(normal) + 1e-30), core.T @ y)
    return max(abs(float(p[2])), 1e-9)


def _normal(jacobian: Doubles, error: Doubles, rows: Doubles, r: Doubles) -> tuple[Doubles, Doubles]:
    jacobian = np.vstack([jacobian / error[:, None], rows])
    return jacobian.T @ jacobian, jacobian.T @ r


def _solve(normal: Doubles, damping: float, gradient: Doubles) -> Doubles:
    diagonal = np.sqrt(np.diag(normal) + 1e-30)
    scaled = normal / np.outer(diagonal, diagonal)
    scaled[np.diag_indices_from(scaled)] += damping + 1e-11
    return np.asarray(np.linalg.solve(scaled, gradient / diagonal) / diagonal)


def _evidence(cost: float, normal: Doubles, rows: Doubles) -> float:
    """Laplace's approximation of the log evidence, up to a constant common to models of the same free parameters."""
    _, log_det = np.linalg.slogdet(normal)
    return -0.5 * cost - 0.5 * float(log_det) + 0.5 * float(np.sum(np.log(np.sum(rows**2, axis=1))))


def with_ripples(
    fit: ProfileFit, samples: Samples, variance: Callable[[Doubles], Doubles], half_width: float
) -> ProfileFit:
    """The fit with smooth bumps on top, as high as what it has left speaks for; itself where that is noise.

    The bumps are a Gaussian process in all but name: their heights are drawn from a normal distribution whose spread
    is chosen by its marginal likelihood, everything linearised about the fit (Rasmussen & Williams 2006, ch. 5).

    Parameters
    ----------
    half_width : float
        Half the full width at half maximum, px: the bumps reach 2.5 times as far to both sides.
    """
    model, p = fit.model, fit.parameters
    error = np.sqrt(variance(_light(fit, samples)) / samples.count)
    spread = max(fit.blur_width, 1.0) * 0.5
    reach = half_width + 2.0 * fit.blur_width
    count = min(2 * int(np.ceil(reach / spread)) + 1, MOST_RIPPLES)
    places = fit.center + np.linspace(-reach, reach, count)
    ripples = Ripples(places, float(max(spread, places[1] - places[0])), 1.0, fit.blur_width)
    columns = model.columns(p, samples.distance, samples.scale, samples.blur)
    height = abs(float(p[2]))
    rows, values = model.priors(height, float(np.abs(samples.distance).max()))
    jacobian = np.vstack(
        [model.derivatives(p, samples.distance, columns, samples.scale, samples.blur) / error[:, None], rows]
    )
    left = np.concatenate([(samples.value - columns @ p[: model.linear]) / error, values - rows @ p])
    bumps = np.vstack(
        [
            ripples.columns(samples.distance) * samples.scale[:, None] / error[:, None],
            np.zeros((len(rows), ripples.count)),
        ]
    )
    # What the parameters can take up themselves is no bump.
    taken = bumps - jacobian @ (fit.covariance @ (jacobian.T @ bumps))
    values_of, vectors = np.linalg.eigh(taken.T @ bumps)
    power = np.square(vectors.T @ (taken.T @ left))
    strength = np.maximum(values_of, 0.0)

    def gain(part: float) -> float:
        prior = 1.0 / (part * height) ** 2
        return 0.5 * float(np.sum(power / (strength + prior)) - np.sum(np.log1p(strength / prior)))

    best = max(RIPPLE_HEIGHTS, key=gain)
    if not gain(best) > RIPPLE_GAIN:
        return fit
    richer = replace(model, ripples=replace(ripples, height=best * height))
    return _least_squares(richer, p[model.linear :], samples, error, enough=0.1)
