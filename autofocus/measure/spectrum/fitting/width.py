"""The width of the spatial profile, read off the fitted model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting.model_fit import ProfileFit, fit_model
from autofocus.measure.spectrum.fitting.profile import Noise, Samples
from autofocus.measure.spectrum.fitting.star_model import StarModel

Doubles = NDArray[np.float64]

LEAST_DISC_PX = 5.0
FLAT_WING = -0.1
RIM_HEIGHT = 0.25
GRID = 321
NEAR = 0.15  # of the width: the samples about an edge
MISSED_SIGMAS = 3.0
# ln of odds: against one flat top, which chance draws; against each star beside, where both may be rims of one.
FLAT_ODDS, RIM_ODDS = 3.0, 5.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """What else the width may be: a star of the other kind, how ``likely`` and how much ``wider`` (a factor) it is.

    ``missed_px`` is what the samples at the edges and the rims say beyond the model, where that is more than noise.
    """

    likely: float = 0.0
    wider: float = 1.0
    missed_px: float = 0.0


def fit_profile(
    samples: Samples,
    noise: Noise,
    width_px: float,
    neighbours: tuple[float, ...] = (),
    like: ProfileFit | None = None,
) -> tuple[ProfileFit, Doubt] | None:
    """Fit a Moffat; a disc where the profile is flat or hollow.

    Parameters
    ----------
    samples : Samples
        The averaged profile.
    noise : Noise
        That of a pixel.
    width_px : float
        A rough full width.
    neighbours : tuple of float
        Where other stars are, px from the trace.
    like : ProfileFit, optional
        A fit of nearly the same samples: its kind of star is fitted from where it ended, and no other.

    Returns
    -------
    ProfileFit and Doubt or None
        None with fewer than 8 samples, or without a peak.
    """
    if samples.value.size < 8:
        return None
    doubt = Doubt()
    if like is not None and len(like.places) == len(neighbours):
        simple = StarModel(like.model.kind, len(neighbours))
        best = fit_model(simple, like.parameters[like.model.linear :], samples, noise, like.light_of(samples))
    else:
        best, doubt = _simplest(samples, noise, width_px, neighbours)
    if not best.parameters[2] > 0:
        return None
    return best, doubt


def _simplest(
    samples: Samples, noise: Noise, width_px: float, neighbours: tuple[float, ...]
) -> tuple[ProfileFit, Doubt]:
    """The Moffat or the disc, whichever has the greater evidence; and the other as far as it may be true."""
    count = len(neighbours)
    start = np.array([0.0, np.log(width_px), 0.1, *neighbours])
    moffat = fit_model(StarModel("moffat", count), start, samples, noise, enough=0.1)
    light = moffat.light_of(samples)
    discs = [fit_model(StarModel("disc", form.size - 6), form, samples, noise, light) for form in _disc_starts(moffat)]
    if not discs:
        return moffat, Doubt()

    def standing(fit: ProfileFit) -> float:
        """The evidence with what is believed beforehand."""
        odds = -FLAT_ODDS if fit.model.kind == "disc" and not neighbours else 0.0
        return fit.log_evidence + odds - RIM_ODDS * len(fit.places)

    disc = max(discs, key=standing)
    ahead = standing(disc) - standing(moffat)
    best, other = (disc, moffat) if ahead > 0 else (moffat, disc)
    likely = 1.0 / (1.0 + float(np.exp(min(abs(ahead), 50.0))))
    wider = half_maximum_width(other)[0] / half_maximum_width(best)[0]
    return best, Doubt(likely, wider) if np.isfinite(wider) else Doubt()


def believed_width(fit: ProfileFit, doubt: Doubt) -> tuple[float, float]:
    """The width and its error, a rival's weighed in (Hoeting et al. 1999, Stat. Sci. 14, 382), and what is missed."""
    width, error = half_maximum_width(fit)
    mean = 1.0 + doubt.likely * (doubt.wider - 1.0)
    apart = doubt.likely * (1.0 - doubt.likely) * (width * (doubt.wider - 1.0)) ** 2
    return width * mean, float(np.sqrt((error * mean) ** 2 + apart + doubt.missed_px**2))


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


def _disc_starts(found: ProfileFit) -> list[Doubles]:
    """Where to start the fit of a disc: under a flat profile, and over two "stars" that may be the rims of one."""
    width = found.rough_width
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
