"""The full width at half maximum of a fitted profile, and what the samples say of it beyond the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting.model_fit import ProfileFit
from autofocus.measure.spectrum.fitting.profile import Noise, Samples

Doubles = NDArray[np.float64]

RIM_HEIGHT = 0.25
GRID = 321
NEAR = 0.15  # of the width: the samples about an edge
MISSED_SIGMAS = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class HalfMaximum:
    """The outer edges of a profile and the rims they belong to (``places``: low, high, rims), px from the trace."""

    places: Doubles
    slopes: Doubles

    @property
    def width(self) -> float:
        """From edge to edge."""
        return float(self.places[1] - self.places[0])


def half_maximum(fit: ProfileFit) -> HalfMaximum | None:
    """Where the pixel-integrated model falls to half; None where it has no peak.

    A doughnut has two rims: each edge is where the profile falls to half of *its own* rim, outside of it. That width is
    the ordinary one for a single peak, the diameter of the disc for a doughnut however uneven its rims are, and grows
    with defocus throughout.
    """
    reach = fit.radius + 2.5 * fit.blur_width + 1.5
    grid = np.linspace(fit.center - reach, fit.center + reach, GRID)
    curve = fit.star(grid)
    top = int(np.argmax(curve))
    inner = curve[1:-1]
    peaks = np.flatnonzero((inner >= curve[:-2]) & (inner > curve[2:]) & (inner > RIM_HEIGHT * curve[top])) + 1
    if curve[top] <= 0 or not peaks.size:
        return None
    left, right = int(peaks[0]), int(peaks[-1])
    below = np.flatnonzero(curve[:left] < 0.5 * curve[left])
    beyond = np.flatnonzero(curve[right:] < 0.5 * curve[right])
    if not below.size or not beyond.size:
        return None
    i, j = int(below[-1]), right + int(beyond[0])
    step = grid[1] - grid[0]
    slopes = np.array([curve[i + 1] - curve[i], curve[j] - curve[j - 1]]) / step
    low = grid[i] + (0.5 * curve[left] - curve[i]) / slopes[0]
    high = grid[j] + (0.5 * curve[right] - curve[j]) / slopes[1]
    return HalfMaximum(np.array([low, high, grid[left], grid[right]]), slopes)


def half_maximum_width(fit: ProfileFit) -> tuple[float, float]:
    """Full width at half maximum of the pixel-integrated model, px, and its 1 sigma error; NaN where it has no peak."""
    found = half_maximum(fit)
    if found is None:
        return float("nan"), float("nan")
    # An edge moves by the change there less half the change of its rim, over the slope.
    changes = fit.derivatives(found.places)
    changes[:, :2] = 0.0  # the background is no part of the star
    edge = -(changes[:2] - 0.5 * changes[2:]) / found.slopes[:, None]
    gradient = edge[1] - edge[0]
    return found.width, float(np.sqrt(max(gradient @ fit.covariance @ gradient, 0.0) * fit.excess))


def half_maximum_middle(fit: ProfileFit) -> float:
    """The middle between the edges of `half_maximum`, px from the trace: the centre, whatever lies on top."""
    if fit.model.kind == "moffat" and fit.model.ripples is None:
        return fit.center
    found = half_maximum(fit)
    return fit.center if found is None else 0.5 * float(found.places[0] + found.places[1])


def missed_width(fit: ProfileFit, samples: Samples, noise: Noise) -> float:
    """How far the half-maximum width of the samples themselves is from the model's, px; 0 where noise may be why.

    What the model leaves near each edge, less half of what it leaves near its rim, moves that edge by its ratio to the
    slope there. A width read so has the sampling of the model, which straight lines between samples have not.
    """
    found = half_maximum(fit) if fit.excess > 1.0 else None
    if found is None:
        return 0.0
    expected = fit.value_of(samples)
    left = (samples.value - expected) / samples.scale
    error = noise.of(samples, np.maximum(expected - fit.sky(samples.distance), 0.0)) / samples.scale
    near = np.abs(samples.distance - found.places[:, None]) < max(NEAR * found.width, 0.5)
    count = np.maximum(near.sum(axis=1), 1)
    mean, variance = near @ left / count, near @ np.square(error) / count**2
    sign = np.array([-1.0, 1.0]) / found.slopes
    missed = float(-sign @ (mean[:2] - 0.5 * mean[2:]))
    noise_px = float(np.sqrt(np.square(sign) @ (variance[:2] + 0.25 * variance[2:])))
    return missed if abs(missed) > MISSED_SIGMAS * noise_px else 0.0
