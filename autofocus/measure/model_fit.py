"""A model of the averaged profile fitted to its samples, with the covariance of everything in it.

Star, background and neighbours are fitted at once by damped least squares with weak priors (Levenberg 1944,
Marquardt 1963). Three stars are tried, and the evidence decides: a Moffat; a Moffat with a halo and smooth
bumps, for real optics at a high signal-to-noise; a blurred disc in strips, for stars far out of focus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autofocus.measure import shape
from autofocus.measure.profile import Samples

Doubles = NDArray[np.float64]
Kind = Literal["moffat", "rippled", "disc"]

WING_PRIOR = (0.15, 0.35)
WING_LEAST, WING_MOST = -0.5, 0.75
HALO_PRIOR = 0.05
RIPPLE_PRIOR = 0.05
STRIP_PRIOR = 0.5
RADIUS_PRIOR = 0.5
RIPPLES = round(2 * shape.RIPPLE_REACH / shape.RIPPLE_SCALE) + 1
HEIGHTS: dict[str, int] = {"moffat": 1, "rippled": 2 + RIPPLES, "disc": shape.ZONES}


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Which star, and how many neighbours.

    The parameters are, in this order: background and gradient; the star's heights; one height for each
    neighbour; then, not linear, centre, ln width, wing, ln radius (a disc only), and each neighbour's place.
    """

    kind: Kind
    neighbours: int = 0

    @property
    def heights(self) -> slice:
        """Where the star's heights stand among the parameters."""
        return slice(2, 2 + HEIGHTS[self.kind])

    @property
    def linear(self) -> int:
        """How many parameters enter linearly."""
        return 2 + HEIGHTS[self.kind] + self.neighbours

    @property
    def places(self) -> int:
        """Where the neighbours' places begin."""
        return self.linear + (4 if self.kind == "disc" else 3)

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.places + self.neighbours

    def star_columns(self, p: Doubles, distance: Doubles, blur: Doubles | float = 0.0) -> Doubles:
        """The star at height 1 of each of its parts, shape (samples, heights)."""
        center, log_width, wing = p[self.linear : self.linear + 3]
        width, off = float(np.exp(log_width)), distance - center
        if self.kind == "disc":
            return shape.zones(off, width, float(wing), float(np.exp(p[self.linear + 3])))
        core = shape.star(off, width, float(wing), blur)[:, None]
        if self.kind == "moffat":
            return core
        return np.hstack([core, shape.halo(off, width)[:, None], shape.ripples(off, width)])

    def areas(self, p: Doubles) -> Doubles:
        """Light of each part of the star at height 1, px."""
        _, log_width, wing = p[self.linear : self.linear + 3]
        width = float(np.exp(log_width))
        if self.kind == "disc":
            return np.full(shape.ZONES, 2.0 * float(np.exp(p[self.linear + 3])) / shape.ZONES)
        core = shape.moffat_area(width, float(wing))
        if self.kind == "moffat":
            return np.array([core])
        wide = shape.moffat_area(shape.HALO_SCALE * width, shape.HALO_WING)
        return np.concatenate([[core, wide], np.full(RIPPLES, shape.ripple_area(width))])

    def columns(self, p: Doubles, samples: Samples) -> Doubles:
        """Every linear part at height 1, shape (samples, linear)."""
        distance, scale = samples.distance, samples.scale[:, None]
        parts = [np.ones((distance.size, 1)), distance[:, None], scale * self.star_columns(p, distance, samples.blur)]
        if self.neighbours:
            _, log_width, wing = p[self.linear : self.linear + 3]
            for place in p[self.places :]:
                like = shape.star(distance - place, float(np.exp(log_width)), float(wing), samples.blur)
                parts.append(like[:, None])
        return np.hstack(parts)

    def priors(self, p: Doubles, height: float) -> tuple[Doubles, Doubles]:
        """What is believed before the fit: rows of (parameters → believed value / its spread), and those values."""
        rows = np.zeros((0, self.size))
        values: list[float] = []

        def believe(index: int, value: float, spread: float) -> None:
            nonlocal rows
            row = np.zeros((1, self.size))
            row[0, index] = 1.0 / spread
            rows = np.vstack([rows, row])
            values.append(value / spread)

        believe(self.linear + 2, *WING_PRIOR)
        if self.kind == "rippled":
            believe(3, 0.0, HALO_PRIOR * height)
            for index in range(4, 4 + RIPPLES):
                believe(index, 0.0, RIPPLE_PRIOR * height)
        if self.kind == "disc":
            believe(self.linear + 3, float(p[self.linear + 3]), RADIUS_PRIOR)
            for index in range(2, 1 + shape.ZONES):
                row = np.zeros((1, self.size))
                row[0, index], row[0, index + 1] = 1.0 / (STRIP_PRIOR * height), -1.0 / (STRIP_PRIOR * height)
                rows = np.vstack([rows, row])
                values.append(0.0)
        return rows, np.array(values)


@dataclass(frozen=True, slots=True, eq=False)
class ProfileFit:
    """A fitted profile. ``chi2`` is per degree of freedom; ``log_evidence`` compares models of the same samples."""

    model: Model
    parameters: Doubles
    covariance: Doubles
    chi2: float
    log_evidence: float

    @property
    def center(self) -> float:
        """Distance of the star's centre from the trace, px."""
        return float(self.parameters[self.model.linear])

    @property
    def blur_width(self) -> float:
        """Width of the Moffat in the model, px."""
        return float(np.exp(self.parameters[self.model.linear + 1]))

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
        total = np.zeros_like(distance)
        linear = self.model.linear
        wing = float(self.parameters[linear + 2])
        for index, place in enumerate(self.parameters[self.model.places :]):
            height = self.parameters[self.model.heights.stop + index]
            total += height * shape.star(distance - place, self.blur_width, wing)
        return total

    def sky(self, distance: Doubles) -> Doubles:
        """Background at distances from the trace, ADU."""
        return np.asarray(self.parameters[0] + self.parameters[1] * distance)

    @property
    def light(self) -> float:
        """All light of the star, ADU per column."""
        return float(self.model.areas(self.parameters) @ self.parameters[self.model.heights])


def fit_model(
    model: Model, start: Doubles, samples: Samples, variance: Callable[[Doubles], Doubles], turns: int = 2
) -> ProfileFit:
    """Fit, with weights from ``variance`` of one pixel at the *fitted* signal, so that chance does not weigh itself.

    ``start`` gives the parameters that are not linear; the others follow from them.
    """
    nonlinear = start
    signal = np.zeros_like(samples.value)
    fit = None
    for _ in range(turns + 1):
        error = np.sqrt(np.maximum(variance(signal), 1e-12) / samples.count)
        fit = _least_squares(model, nonlinear, samples, error)
        columns = model.columns(fit.parameters, samples)[:, 2:]
        signal = np.maximum(columns @ fit.parameters[2 : model.linear], 0.0)
        nonlinear = fit.parameters[model.linear :]
    assert fit is not None
    return fit


def _bounded(model: Model, p: Doubles, reach: float) -> Doubles:
    p = p.copy()
    n = model.linear
    p[n] = np.clip(p[n], -0.6 * reach, 0.6 * reach)
    p[n + 1] = np.clip(p[n + 1], np.log(0.3), np.log(2.0 * reach))
    p[n + 2] = np.clip(p[n + 2], WING_LEAST, WING_MOST)
    if model.kind == "disc":
        p[n + 3] = np.clip(p[n + 3], np.log(0.5), np.log(reach))
    return p


def _jacobian(model: Model, p: Doubles, samples: Samples, columns: Doubles) -> Doubles:
    """Derivatives of the model: exact in the linear parameters, by differences in the others."""
    jacobian = np.empty((samples.value.size, model.size))
    jacobian[:, : model.linear] = columns
    now = columns @ p[: model.linear]
    width = float(np.exp(p[model.linear + 1]))
    for index in range(model.linear, model.size):
        is_place = index == model.linear or index >= model.places
        step = 2e-3 * width if is_place else 2e-3
        if index == model.linear + 2 and p[index] + step > WING_MOST:
            step = -step
        moved = p.copy()
        moved[index] += step
        jacobian[:, index] = (model.columns(moved, samples) @ p[: model.linear] - now) / step
    return jacobian


def _least_squares(model: Model, start: Doubles, samples: Samples, error: Doubles) -> ProfileFit:
    """Damped least squares over all parameters at once."""
    y, reach = samples.value / error, float(np.abs(samples.distance).max())
    p = _bounded(model, np.concatenate([np.zeros(model.linear), start]), reach)
    columns = model.columns(p, samples)
    core = columns / error[:, None]
    ridge = 1e-9 * np.diag(np.sum(core**2, axis=0) + 1e-30)
    p[: model.linear] = np.linalg.solve(core.T @ core + ridge, core.T @ y)
    height = max(float(np.max(np.abs(columns[:, model.heights] @ p[model.heights]))), 1e-9)
    rows, values = model.priors(p, height)

    def residuals(at: Doubles, parts: Doubles) -> Doubles:
        return np.concatenate([y - (parts @ at[: model.linear]) / error, values - rows @ at])

    r = residuals(p, columns)
    cost, damping = float(r @ r), 1e-3
    jacobian = np.vstack([_jacobian(model, p, samples, columns) / error[:, None], rows])
    normal = jacobian.T @ jacobian
    for _ in range(30):
        scale = np.diag(normal) + 1e-30
        step = np.linalg.solve(normal + np.diag(damping * scale + 1e-12 * scale), jacobian.T @ r)
        trial = _bounded(model, p + step, reach)
        parts = model.columns(trial, samples)
        trial_r = residuals(trial, parts)
        trial_cost = float(trial_r @ trial_r)
        if trial_cost > cost:
            damping *= 10.0
            if damping > 1e7:
                break
            continue
        gained = cost - trial_cost
        p, r, cost, columns, damping = trial, trial_r, trial_cost, parts, damping * 0.1
        jacobian = np.vstack([_jacobian(model, p, samples, columns) / error[:, None], rows])
        normal = jacobian.T @ jacobian
        if gained < 1e-3 + 1e-6 * cost:
            break
    scale = np.sqrt(np.diag(normal) + 1e-30)
    covariance = np.linalg.pinv(normal / np.outer(scale, scale), hermitian=True) / np.outer(scale, scale)
    return ProfileFit(model, p, covariance, _chi2(r, y.size, model.size - len(values)), _evidence(cost, normal, rows))


def _chi2(r: Doubles, samples: int, free: int) -> float:
    data = r[:samples]
    return float(data @ data) / max(samples - max(free, 4), 1)


def _evidence(cost: float, normal: Doubles, rows: Doubles) -> float:
    """Laplace's approximation of the log evidence, up to a constant common to models with as many free parameters.

    All three kinds have five: background, gradient, one height, centre and width; the rest carry priors.
    """
    _, log_det = np.linalg.slogdet(normal)
    return -0.5 * cost - 0.5 * float(log_det) + 0.5 * float(np.sum(np.log(np.sum(rows**2, axis=1))))
