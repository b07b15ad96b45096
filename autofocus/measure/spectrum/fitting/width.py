"""Which model the spatial profile has: a Moffat or a disc, as the evidence says, and what else it may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting.belief import Doubt, doubt_about
from autofocus.measure.spectrum.fitting.half_maximum import RIM_HEIGHT
from autofocus.measure.spectrum.fitting.ladder import LEAST_DISC_PX, by_all_widths, is_faint
from autofocus.measure.spectrum.fitting.model_fit import ProfileFit, fit_model
from autofocus.measure.spectrum.fitting.profile import Noise, Samples
from autofocus.measure.spectrum.fitting.star_model import SHAPES, Kind, StarModel

Doubles = NDArray[np.float64]

FLAT_WING = -0.1
# ln of odds: against one flat top, which chance draws; against each star beside, where both may be rims of one.
FLAT_ODDS, RIM_ODDS = 1.5, 5.0
LARGEST_HOLE = 0.7  # of a pupil, more than any telescope's


def fit_profile(
    samples: Samples,
    noise: Noise,
    width_px: float,
    neighbours: tuple[float, ...] = (),
    like: ProfileFit | None = None,
    rough: ProfileFit | None = None,
) -> tuple[ProfileFit, Doubt] | None:
    """Fit a Moffat; a disc or a doughnut where the profile is flat or hollow.

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
    rough : ProfileFit, optional
        A rough fit of a Moffat to nearly the same samples: where to start.

    Returns
    -------
    ProfileFit and Doubt or None
        None with fewer than 8 samples, or without a peak.
    """
    if samples.value.size < 8:
        return None
    doubt = Doubt()
    if like is not None and len(like.places) == len(neighbours):
        simple = StarModel(like.model.kind, len(neighbours), held=like.model.held)
        best = fit_model(simple, like.parameters, samples, noise, like.light_of(samples))
    else:
        best, doubt = _simplest(samples, noise, width_px, neighbours, rough)
        if is_faint(best, samples, noise):
            best, doubt = by_all_widths(best, samples, noise, width_px)
    if not best.parameters[2] > 0:
        return None
    return best, doubt


def standing_of_stars(fit: ProfileFit) -> float:
    """The log evidence, less what speaks beforehand against each star beside, which may be a rim."""
    return fit.log_evidence - RIM_ODDS * len(fit.places)


def _simplest(
    samples: Samples, noise: Noise, width_px: float, neighbours: tuple[float, ...], rough: ProfileFit | None
) -> tuple[ProfileFit, Doubt]:
    """The Moffat, disc or doughnut with the greatest evidence; and the others as far as they may be true."""
    count = len(neighbours)
    model = StarModel("moffat", count)
    if rough is None:
        start = np.array([0.0, np.log(width_px), 0.1, *neighbours])
        moffat = fit_model(model, start, samples, noise, enough=0.01)
    else:
        moffat = fit_model(model, rough.parameters, samples, noise, rough.light_of(samples))
    light = moffat.light_of(samples)
    fits = [
        fit_model(StarModel(kind, form.size - SHAPES[kind]), form, samples, noise, light)
        for kind, form in _starts_out_of_focus(moffat)
    ]
    if not fits:
        return moffat, Doubt()

    def standing(fit: ProfileFit) -> float:
        """The evidence with what is believed beforehand."""
        flat = fit.model.kind != "moffat" and len(fit.places) == count
        return standing_of_stars(fit) - FLAT_ODDS * flat

    rivals: dict[Kind, ProfileFit] = {}
    for fit in sorted([moffat, *fits], key=standing, reverse=True):
        rivals.setdefault(fit.model.kind, fit)  # two of one kind may have ended at the same place
    best, *others = rivals.values()
    if not others:
        return best, Doubt()
    return best, doubt_about(best, [best, *others], [standing(fit) for fit in (best, *others)])


def _starts_out_of_focus(found: ProfileFit) -> list[tuple[Kind, Doubles]]:
    """Where to start: a disc and a doughnut under a flat profile, a doughnut over two "stars" that may be its rims."""
    width = found.rough_width
    starts: list[tuple[Kind, Doubles]] = []
    flat = float(found.parameters[found.model.linear + 2]) < FLAT_WING
    if width > LEAST_DISC_PX and (flat or found.excess > 1.0):
        even = [found.center, np.log(0.25 * width), 0.5, np.log(0.47 * width), 0.5]
        starts.append(("disc", np.array([*even, *found.places])))
        starts.append(("doughnut", np.array([*even, 0.3, *found.places])))
    heights = found.parameters[found.model.heights.stop : found.model.linear]
    for index, place in enumerate(found.places):
        apart = abs(place - found.center)
        radius = 0.5 * (apart + found.blur_width)
        hole = max(0.5 * (apart - found.blur_width) / radius, 0.05)
        alike = RIM_HEIGHT < heights[index] / max(float(found.parameters[2]), 1e-9) < 1.0 / RIM_HEIGHT
        if alike and hole < LARGEST_HOLE:
            rest = [other for other in found.places if other != place]
            form = [0.5 * (place + found.center), np.log(0.4 * found.blur_width), 0.5, np.log(radius), 0.3, hole]
            starts.append(("doughnut", np.array([*form, *rest])))
    return starts
