"""The width of the spatial profile, read off the fitted model, and straight from the samples as a cross-check."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.model_fit import ProfileFit, fit_model, with_ripples
from autofocus.measure.spectrum.profile import Samples
from autofocus.measure.spectrum.star_model import StarModel

Doubles = NDArray[np.float64]

LEAST_DISC_PX = 5.0
FLAT_WING = -0.1
RIM_HEIGHT = 0.25


def fit_profile(
    samples: Samples,
    variance: Callable[[Doubles], Doubles],
    width_px: float,
    neighbours: tuple[float, ...] = (),
    like: ProfileFit | None = None,
) -> ProfileFit | None:
    """Fit a Moffat; a disc where the profile is flat or hollow; and ripples on top where more than noise is left.

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
    if like is not None and len(like.places) == len(neighbours):
        simple = StarModel(like.model.kind, len(neighbours))
        light = np.maximum(like.star(samples.distance) * samples.scale + like.neighbours(samples.distance), 0.0)
        best = fit_model(simple, like.parameters[like.model.linear :], samples, variance, light)
    else:
        best = _simplest(samples, variance, width_px, neighbours)
    width = half_maximum_width(best)[0]
    return with_ripples(best, samples, variance, 0.5 * (width if np.isfinite(width) else width_px))


def _simplest(
    samples: Samples, variance: Callable[[Doubles], Doubles], width_px: float, neighbours: tuple[float, ...]
) -> ProfileFit:
    """The Moffat or the disc, whichever has the greater evidence."""
    count = len(neighbours)
    start = np.array([0.0, np.log(width_px), 0.1, *neighbours])
    best = fit_model(StarModel("moffat", count), start, samples, variance)
    light = np.maximum(best.star(samples.distance) * samples.scale + best.neighbours(samples.distance), 0.0)
    for form in _disc_starts(best):
        fit = fit_model(StarModel("disc", form.size - 6), form, samples, variance, light)
        if fit.log_evidence > best.log_evidence:
            best = fit
    return best


def _disc_starts(found: ProfileFit) -> list[Doubles]:
    """Where to start the fit of a disc: under a flat profile, and over two "stars" that may be the rims of one."""
    width = half_maximum_width(found)[0]
    starts = []
    flat = float(found.parameters[found.model.linear + 2]) < FLAT_WING
    if width > LEAST_DISC_PX and (flat or found.excess > 1.0):
        starts.append(
            np.array([found.center, np.log(0.25 * width), 0.5, np.log(0.47 * width), 0.3, 0.5, *found.places])
        )
    heights = found.parameters[found.model.heights.stop : found.model.linear]
    for index, place in enumerate(found.places):
        apart = abs(place - found.center)
        if RIM_HEIGHT < heights[index] / max(float(found.parameters[2]), 1e-9) < 1.0 / RIM_HEIGHT:
            rest = [other for other in found.places if other != place]
            middle, radius = 0.5 * (place + found.center), 0.5 * (apart + found.blur_width)
            hole = max(0.5 * (apart - found.blur_width) / radius, 0.05)
            starts.append(np.array([middle, np.log(0.4 * found.blur_width), 0.5, np.log(radius), hole, 0.3, *rest]))
    return starts


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
    edges = _half_maximum_edges(fit)
    if edges is None:
        return float("nan"), float("nan")
    low, high, rim_low, rim_high = edges
    return float(high - low), _width_error(fit, np.array([low, high, rim_low, rim_high]))


def half_maximum_middle(fit: ProfileFit) -> float:
    """The middle between the edges of `half_maximum_width`, px from the trace: the centre, whatever lies on top."""
    edges = _half_maximum_edges(fit)
    return fit.center if edges is None else 0.5 * (edges[0] + edges[1])


def _half_maximum_edges(fit: ProfileFit) -> tuple[float, float, float, float] | None:
    reach = fit.radius + 2.5 * fit.blur_width + 1.5
    grid = np.linspace(fit.center - reach, fit.center + reach, 801)
    return _edges(grid, fit.star(grid))


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
    step = 1e-3 * max(float(places[1] - places[0]), 1.0)
    around = fit.star(np.concatenate([places[:2] + step, places[:2] - step]))
    slope = (around[:2] - around[2:]) / (2 * step)
    changes = fit.derivatives(places)
    changes[:, :2] = 0.0  # the background is no part of the star
    edge = -(changes[:2] - 0.5 * changes[2:]) / slope[:, None]
    gradient = edge[1] - edge[0]
    return float(np.sqrt(max(gradient @ fit.covariance @ gradient, 0.0) * fit.excess))


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
