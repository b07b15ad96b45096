"""The width of the spatial profile, read off the fitted model, and straight from the samples as a cross-check."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.model_fit import Model, ProfileFit, fit_model
from autofocus.measure.profile import Samples

Doubles = NDArray[np.float64]

LEAST_DISC_PX = 5.0
RIM_HEIGHT = 0.25


def fit_profile(
    samples: Samples,
    variance: Callable[[Doubles], Doubles],
    width_px: float,
    neighbours: tuple[float, ...] = (),
    like: ProfileFit | None = None,
) -> ProfileFit | None:
    """Fit the simplest star; where it leaves more than noise, the richer ones, and keep what the evidence prefers.

    Parameters
    ----------
    samples : Samples
        The averaged profile.
    variance : callable
        Variance of one pixel (ADU²) with the given starlight (ADU).
    width_px : float
        A rough full width.
    neighbours : tuple of float
        Where other stars are, px from the trace.
    like : ProfileFit, optional
        A fit of nearly the same samples: its kind of star is fitted from where it ended, and no other.

    Returns
    -------
    ProfileFit or None
        None with fewer than 8 samples.
    """
    if samples.value.size < 8:
        return None
    if like is not None:
        return fit_model(like.model, like.parameters[like.model.linear :], samples, variance, turns=1)
    count = len(neighbours)
    best = fit_model(Model("moffat", count), _start(0.0, width_px, 0.25, neighbours), samples, variance)
    if _is_good(best, samples):
        return best
    width = half_maximum_width(best)[0]
    tries = [("rippled", _start(best.center, best.blur_width, 0.25, neighbours))]
    if width > LEAST_DISC_PX:
        for blur, radius in ((0.4, 0.42), (0.15, 0.5)):
            start = _start(best.center, blur * width, 0.25, neighbours, radius * width)
            tries.append(("disc", start))
    for kind, start in tries:
        fit = fit_model(Model(kind, count), start, samples, variance)  # type: ignore[arg-type]
        if fit.log_evidence > best.log_evidence:
            best = fit
    return best


def _start(center: float, width: float, wing: float, neighbours: tuple[float, ...], radius: float = 0.0) -> Doubles:
    shape = [center, np.log(width), wing] + ([np.log(radius)] if radius else [])
    return np.array([*shape, *neighbours])


def _is_good(fit: ProfileFit, samples: Samples) -> bool:
    """Whether what is left is noise, at the 3 sigma level of chi-squared."""
    return bool(fit.chi2 < 1.0 + 3.0 * np.sqrt(2.0 / samples.value.size))


def half_maximum_width(fit: ProfileFit) -> tuple[float, float]:
    """Full width at half maximum of the pixel-integrated model, px, and its 1 sigma error.

    A doughnut has two rims: each edge is where the profile falls to half of *its own* rim, outside of it. That width is
    the ordinary one for a single peak, the diameter of the disc for a doughnut however uneven its rims are, and grows
    with defocus throughout.

    Returns
    -------
    tuple of float
        NaN for both where the model has no peak.
    """
    reach = _reach(fit)
    grid = np.linspace(fit.center - reach, fit.center + reach, 801)
    curve = fit.star(grid)
    edges = _edges(grid, curve)
    if edges is None:
        return float("nan"), float("nan")
    low, high, rim_low, rim_high = edges
    return float(high - low), _width_error(fit, np.array([low, high, rim_low, rim_high]))


def _reach(fit: ProfileFit) -> float:
    """How far from the centre the flanks can be."""
    radius = 0.0
    if fit.model.kind == "disc":
        radius = float(np.exp(fit.parameters[fit.model.linear + 3]))
    return radius + 2.5 * fit.blur_width + 1.5


def _edges(grid: Doubles, curve: Doubles) -> tuple[float, float, float, float] | None:
    """The two outer half-maximum points and the rims they belong to."""
    top = int(np.argmax(curve))
    if curve[top] <= 0:
        return None
    inner = curve[1:-1]
    peaks = np.flatnonzero((inner >= curve[:-2]) & (inner > curve[2:]) & (inner > RIM_HEIGHT * curve[top])) + 1
    if not peaks.size:
        return None
    left, right = int(peaks[0]), int(peaks[-1])
    below = np.flatnonzero(curve[:left] < 0.5 * curve[left])
    beyond = np.flatnonzero(curve[right:] < 0.5 * curve[right])
    if not below.size or not beyond.size:
        return None
    i, j = int(below[-1]), right + int(beyond[0])
    low = grid[i] + (0.5 * curve[left] - curve[i]) / (curve[i + 1] - curve[i]) * (grid[i + 1] - grid[i])
    high = grid[j - 1] + (curve[j - 1] - 0.5 * curve[right]) / (curve[j - 1] - curve[j]) * (grid[j] - grid[j - 1])
    return float(low), float(high), float(grid[left]), float(grid[right])


def _width_error(fit: ProfileFit, places: Doubles) -> float:
    """Propagate the covariance: an edge moves by the change there less half the change of its rim, over the slope."""
    model, p = fit.model, fit.parameters
    step = 1e-3 * max(float(places[1] - places[0]), 1.0)
    slope = (fit.star(places[:2] + step) - fit.star(places[:2] - step)) / (2 * step)
    changes = np.zeros((4, model.size))
    changes[:, model.heights] = model.star_columns(p, places)
    heights = p[model.heights]
    now = changes[:, model.heights] @ heights
    for index in range(model.linear, model.places):
        moved = p.copy()
        moved[index] += 1e-3 if p[index] < 0.74 or index != model.linear + 2 else -1e-3
        changes[:, index] = (model.star_columns(moved, places) @ heights - now) / (moved[index] - p[index])
    edge = -(changes[:2] - 0.5 * changes[2:]) / slope[:, None]
    gradient = edge[1] - edge[0]
    return float(np.sqrt(max(gradient @ fit.covariance @ gradient, 0.0)))


def direct_width(samples: Samples, sky: Doubles) -> float:
    """The half-maximum width straight from the samples, by straight lines between them: a cross-check.

    Returns
    -------
    float
        Distance between the crossings next to the highest sample; NaN where one is off the samples.
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
