"""A model of the averaged profile fitted to its samples, with the covariance of everything in it.

Star, background and neighbours are fitted at once with weak priors. Models are compared by their evidence, in Laplace's
approximation (MacKay 1992, Neural Comput. 4, 415).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting.least_squares import Squares, descend
from autofocus.measure.spectrum.fitting.profile import Noise, Samples
from autofocus.measure.spectrum.fitting.star_model import HEIGHTS, Ripples, StarModel

Doubles = NDArray[np.float64]

MOST_STEPS = 150  # bright real profiles take up to 70: wing and bumps say nearly the same
RIPPLE_HEIGHTS = (0.01, 0.03, 0.1)
RIPPLE_SPREAD, RIPPLE_REACH = 0.3, 4.0  # blur widths
HALO_SCALE, HALO_HEIGHT = 4.0, 0.5  # half-maximum widths; relative to the bumps
LEAST_SPREAD_PX = 0.7
RIPPLE_GROWTH = 0.2
FARTHEST_RIPPLE = 0.75  # of the strip, so that there is sky beyond
RIPPLE_GAIN = 3.0
USUAL_WING = 0.3


@dataclass(frozen=True, eq=False)
class ProfileFit:
    """A fitted profile. ``chi2`` is per degree of freedom; ``expected`` is the model at the samples ``fitted``, ADU.

    ``squares`` are those about its ``parameters``, and ``beliefs`` the rows of the priors among them.
    """

    model: StarModel
    parameters: Doubles
    squares: Squares
    beliefs: Doubles
    chi2: float
    fitted: Samples
    expected: Doubles

    @cached_property
    def covariance(self) -> Doubles:
        """That of the parameters."""
        return self.squares.covariance

    @cached_property
    def log_evidence(self) -> float:
        """Laplace's approximation, up to a constant common to models of the same samples and free parameters."""
        _, log_det = np.linalg.slogdet(self.squares.normal)
        believed = float(np.sum(np.log(np.sum(self.beliefs**2, axis=1))))
        return 0.5 * (believed - self.squares.cost - float(log_det))

    @property
    def excess(self) -> float:
        """How far what is left exceeds noise (in variance, 1 where it does not): errors grow with its root."""
        return max(1.0, self.chi2 / (1.0 + 2.0 * float(np.sqrt(2.0 / self.expected.size))))

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
        return float(np.exp(self.parameters[self.model.linear + 3])) if self.model.kind != "moffat" else 0.0

    @property
    def rough_width(self) -> float:
        """About the full width at half maximum, px; NaN without a peak."""
        if not self.parameters[2] > 0:
            return float("nan")
        return 2.0 * self.radius if self.radius > 0 else float(np.hypot(self.blur_width, 0.9))

    @property
    def places(self) -> tuple[float, ...]:
        """Where the neighbours stand, px from the trace."""
        return tuple(float(place) for place in self.parameters[self.model.places :])

    @property
    def neighbour_heights(self) -> Doubles:
        """Heights of the neighbours, ADU, in the order of their `places`."""
        return self.parameters[self.model.heights.stop : self.model.linear]

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
        if not self.model.neighbours:
            return np.zeros(distance.size)
        return np.asarray(self.model.neighbour_columns(self.parameters, distance) @ self.neighbour_heights)

    def sky(self, distance: Doubles) -> Doubles:
        """Background at distances from the trace, ADU."""
        return np.asarray(self.parameters[0] + self.parameters[1] * distance)

    def value_of(self, samples: Samples) -> Doubles:
        """What the model expects of each sample, ADU."""
        if samples is self.fitted:
            return self.expected
        columns = self.model.columns(self.parameters, samples.distance, samples.scale, samples.box)
        return np.asarray(columns @ self.parameters[: self.model.linear])

    def light_of(self, samples: Samples) -> Doubles:
        """Light of all stars in each sample, ADU."""
        return np.maximum(self.value_of(samples) - self.sky(samples.distance), 0.0)

    def derivatives(self, distance: Doubles) -> Doubles:
        """Derivatives of the model by its parameters at distances from the trace, shape (distances, size)."""
        return self.model.jacobian(self.parameters, distance)

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
    noise: Noise,
    light: Doubles | None = None,
    enough: float = 0.001,
) -> ProfileFit:
    """Fit, with weights from the noise at the *fitted* signal, so that chance does not weigh itself.

    ``start`` gives all parameters, or those that are not linear; the others then follow from them. ``light`` is the
    starlight of each sample if already known, else a few steps with even weights find it. The fit ends where a step
    would gain less than ``enough`` in chi-squared: no parameter is then further than the root of that, in its errors,
    from where it is best.
    """
    p = start if start.size == model.size else np.concatenate([np.zeros(model.linear), start])
    if light is None:
        rough = fit_roughly(model, start, samples, noise)
        p, light = rough.parameters, rough.light_of(samples)
    return _least_squares(model, p, samples, noise.of(samples, light), enough=enough)


def fit_roughly(model: StarModel, start: Doubles, samples: Samples, noise: Noise) -> ProfileFit:
    """A few steps with even weights: what the weights of a fit, or the cleaning of a strip, may start from."""
    p = np.concatenate([np.zeros(model.linear), start])
    return _least_squares(model, p, samples, noise.of(samples, 0.0), steps=6, enough=10.0)


def _least_squares(
    model: StarModel, p: Doubles, samples: Samples, error: Doubles, steps: int = MOST_STEPS, enough: float = 0.001
) -> ProfileFit:
    """Damped least squares over all parameters at once, from ``p``; its linear ones follow where they are 0."""
    distance, scale, box = samples.distance, samples.scale, samples.box
    y, weight, reach = samples.value / error, (1.0 / error)[:, None], float(np.abs(distance).max())
    low, high = model.bounds(reach)
    n, size = model.linear, y.size
    p = np.concatenate([p[:n], np.minimum(np.maximum(p[n:], low), high)])
    if not p[:n].any():
        _first_heights(model, p, samples, weight, y)
    rows, values = model.priors(max(abs(float(p[2])), 1e-9), reach)
    bumps = None if model.ripples is None else model.ripples.columns(distance)
    target = np.concatenate([y, values])

    def squares(at: Doubles) -> Squares:
        jacobian = np.concatenate([model.jacobian(at, distance, scale, box, bumps) * weight, rows])
        left = target - jacobian[:, :n] @ at[:n]
        left[size:] -= rows[:, n:] @ at[n:]
        return Squares.of(at, left, jacobian)

    found = descend(squares(p), squares, low, high, steps, enough)
    left = found.left[:size]
    chi2 = float(left @ left) / max(size - max(model.size - len(values), 4), 1)
    return ProfileFit(model, found.p, found, rows, chi2, samples, samples.value - left * error)


def _first_heights(model: StarModel, p: Doubles, samples: Samples, weight: Doubles, y: Doubles) -> None:
    """Set the linear parameters for the shape given, ripples at 0."""
    keep = [*range(2 + HEIGHTS[model.kind]), *range(model.heights.stop, model.linear)]
    core = model.columns(p, samples.distance, samples.scale, samples.box)[:, keep] * weight
    normal = core.T @ core
    p[keep] = np.linalg.solve(normal + 1e-6 * np.diag(normal.diagonal() + 1e-30), core.T @ y)


def with_ripples(fit: ProfileFit, samples: Samples, noise: Noise) -> ProfileFit:
    """The fit with smooth bumps on top, as high as what it has left speaks for; itself where that is noise.

    The bumps are a Gaussian process in all but name: their heights are drawn from a normal distribution whose spread
    is chosen by its marginal likelihood, everything linearised about the fit (Rasmussen & Williams 2006, ch. 5).
    """
    model, p = fit.model, fit.parameters
    error = noise.of(samples, fit.light_of(samples))
    left = (samples.value - fit.value_of(samples)) / error
    near = np.abs(samples.distance - fit.center) < fit.radius + 2.5 * fit.blur_width
    if not np.any(near):  # its own rows are all left out: nothing is seen of its shape
        return fit
    if np.mean(np.square(left[near])) < 1.0 + np.sqrt(8.0 / np.count_nonzero(near)) and fit.excess == 1.0:
        return fit
    height, reach = abs(float(p[2])), float(np.abs(samples.distance).max())
    rows, values = model.priors(height, reach)
    whole = model.jacobian(p, samples.distance, samples.scale, samples.box) / error[:, None]
    jacobian, left = np.concatenate([whole, rows]), np.concatenate([left, values - rows @ p])
    ripples = _ripples(fit, FARTHEST_RIPPLE * reach)
    bumps = np.zeros((left.size, ripples.count))
    bumps[: error.size] = ripples.columns(samples.distance) * (samples.scale / error)[:, None]
    bumps *= height * ripples.heights
    # What the parameters can take up themselves is no bump.
    taken = bumps - jacobian @ (fit.covariance @ (jacobian.T @ bumps))
    strength, vectors = np.linalg.eigh(taken.T @ bumps)
    power, strength = np.square(vectors.T @ (taken.T @ left)), np.maximum(strength, 0.0)

    def gain(part: float) -> float:
        prior = 1.0 / part**2
        return 0.5 * float(np.sum(power / (strength + prior)) - np.sum(np.log1p(strength / prior)))

    best = max(RIPPLE_HEIGHTS, key=gain)
    if not gain(best) > RIPPLE_GAIN:
        return fit
    start = p[model.linear :].copy()
    if model.kind == "moffat":
        start[2] = min(start[2], USUAL_WING)
    start = np.concatenate([np.zeros(model.linear + ripples.count), start])
    richer = replace(model, ripples=replace(ripples, heights=best * height * ripples.heights))
    return _least_squares(richer, start, samples, error, enough=0.01)


def _ripples(fit: ProfileFit, farthest: float) -> Ripples:
    """Bumps about the star: narrow up to its edges, ever wider and lower beyond; heights relative to its own."""
    spread = max(RIPPLE_SPREAD * fit.blur_width, LEAST_SPREAD_PX)
    inner = int(np.ceil(max(fit.radius - 0.5 * fit.blur_width, 0.0) / spread))
    outer = max(min(fit.radius + RIPPLE_REACH * fit.blur_width, farthest) - inner * spread, 0.0)
    order = np.arange(inner + int(np.ceil(np.arcsinh(RIPPLE_GROWTH * outer / spread) / RIPPLE_GROWTH)) + 1)
    beyond = RIPPLE_GROWTH * np.maximum(order - inner, 0)
    away = spread * (np.minimum(order, inner) + np.sinh(beyond) / RIPPLE_GROWTH)
    heights = 1.0 / (1.0 + np.square(2.0 * np.maximum(away - inner * spread, 0.0) / fit.blur_width))
    both = np.concatenate([order[:0:-1], order])
    places = fit.center + np.concatenate([-away[:0:-1], away])
    halo = HALO_SCALE * max(fit.rough_width, 1.0)
    return Ripples(places, spread * np.cosh(beyond)[both], halo, np.append(heights[both], HALO_HEIGHT))
