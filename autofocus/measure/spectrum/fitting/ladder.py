"""Where light is scarce: all widths are gone through, as a fit from one start may end on chance or on a single rim.

On rungs evenly spaced in the logarithm of the width each kind of star is fitted, its width held there by a belief half
as wide as the rungs are apart. The evidences of the rungs are then the posterior of the width, however skewed or torn.

Noise alone has as much to say for a wide star as for a narrow one, and there are more widths than one was looking for:
the width of the trace that was followed, found in more columns than are fitted, is what is believed beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting.belief import Doubt, doubt_about
from autofocus.measure.spectrum.fitting.half_maximum import RIM_HEIGHT
from autofocus.measure.spectrum.fitting.model_fit import ProfileFit, fit_model
from autofocus.measure.spectrum.fitting.neighbours import STAR_SIGMAS
from autofocus.measure.spectrum.fitting.profile import Noise, Samples
from autofocus.measure.spectrum.fitting.star_model import Kind, StarModel

Doubles = NDArray[np.float64]

FAINT = STAR_SIGMAS / RIM_HEIGHT  # below this signal-to-noise a second rim may go unseen
RUNG = 0.2
NARROWEST_PX = 0.7
LEAST_DISC_PX = 5.0
SKY = 0.75  # widths from the middle: so far the samples must reach
HOPELESS = 12.0  # in log evidence
USUAL_HOLE = 0.35
SHARE: dict[Kind, float] = {"moffat": 1.0, "disc": 0.5, "doughnut": 0.5}  # the last two are a star out of focus
# In the logarithm: the width followed is good to a factor of two; of a disc it may be that of one rim, off by four.
FOLLOWED_SPREAD: dict[Kind, float] = {"moffat": 0.7, "disc": 1.4, "doughnut": 1.4}


def is_faint(fit: ProfileFit, samples: Samples, noise: Noise) -> bool:
    """Whether the light fitted is too faint to tell a star from one rim of a doughnut."""
    light = fit.light_of(samples)
    return float(np.sum(np.square(light / noise.of(samples, light)))) < FAINT**2


@dataclass(frozen=True, slots=True)
class _Rung:
    """A kind of star at a width, px, and the centre where it fits best.

    There it ``explains`` so much, in log likelihood, with an error ``height_error`` of its height, ADU.
    """

    kind: Kind
    width: float
    center: float
    explains: float
    height_error: float

    def belief(self, width_px: float) -> float:
        """Log of what is believed of it beforehand, where a trace of this width was followed.

        The height is believed in units of its own noise, the centre anywhere within what was gone through: measured in
        ADU and px, a wide star had more room to be right by chance.
        """
        spread = FOLLOWED_SPREAD[self.kind]
        aside = float(np.log(self.width / width_px)) / spread
        room = spread * self.height_error * max(self.width, width_px)
        return -0.5 * aside**2 + float(np.log(SHARE[self.kind] / room))


def by_all_widths(fit: ProfileFit, samples: Samples, noise: Noise, width_px: float) -> tuple[ProfileFit, Doubt]:
    """The fit of the best rung, let go as far as the trace allows, and what all others make of its width.

    Parameters
    ----------
    fit : ProfileFit
        The best so far; its background and neighbours are the start.
    samples, noise
        What it was fitted to.
    width_px : float
        The rough width of the trace that was followed; the star may stand as far aside.
    """
    rungs = _rungs(fit, samples, noise, width_px)
    most = max((rung.explains for rung in rungs), default=0.0)
    light = fit.light_of(samples)
    fits, standing = [], []
    for rung in rungs:
        if rung.explains > most - HOPELESS:
            held = fit_model(_held(rung, fit), _start(rung, fit), samples, noise, light, enough=0.01)
            if held.parameters[2] > rung.height_error and _is_within(samples, held.center, 0.5 * rung.width):
                fits.append(held)
                standing.append(held.log_evidence + rung.belief(width_px))
    if not fits:
        return fit, Doubt()
    best = fits[int(np.argmax(standing))]
    kind = best.model.kind
    followed = replace(best.model, held=(_log_size(kind, width_px), FOLLOWED_SPREAD[kind]))
    chosen = fit_model(followed, best.parameters[followed.linear :], samples, noise, light, enough=0.01)
    return chosen, doubt_about(chosen, fits, standing)


def _is_within(samples: Samples, center: float, reach: float) -> bool:
    """Whether the samples reach so far on both sides: of a star that slid off the strip an edge is guessed."""
    return bool(samples.distance.min() < center - reach and center + reach < samples.distance.max())


def _held(rung: _Rung, fit: ProfileFit) -> StarModel:
    return StarModel(rung.kind, len(fit.places), held=(_log_size(rung.kind, rung.width), 0.5 * RUNG))


def _log_size(kind: Kind, width: float) -> float:
    """What a star is held by: the logarithm of its width, of its radius if it is a disc."""
    return float(np.log(width if kind == "moffat" else 0.5 * width))


def _start(rung: _Rung, fit: ProfileFit) -> Doubles:
    if rung.kind == "moffat":
        return np.array([rung.center, np.log(rung.width), 0.1, *fit.places])
    even = [rung.center, np.log(0.25 * rung.width), 0.5, np.log(0.5 * rung.width), 0.5]
    return np.array([*even, *([USUAL_HOLE] if rung.kind == "doughnut" else []), *fit.places])


def _rungs(fit: ProfileFit, samples: Samples, noise: Noise, width_px: float) -> list[_Rung]:
    """All widths, each with the centre where a plain star of that width, sky seen beyond both edges, explains most."""
    distance = samples.distance
    error = noise.of(samples, fit.light_of(samples))
    left = (samples.value - fit.sky(distance) - fit.neighbours(distance)) / error
    rungs = []
    first, last = float(distance.min()), float(distance.max())
    for log_width in np.arange(np.log(NARROWEST_PX), np.log(last - first), RUNG):
        width = float(np.exp(log_width))
        aside = 0.6 * max(width, width_px)
        centers = np.linspace(-aside, aside, 2 * int(np.ceil(aside / max(width / 3.0, 0.5))) + 1)
        centers = centers[(centers - SKY * width > first) & (centers + SKY * width < last)]
        if not centers.size:
            continue
        off = np.abs(distance - centers[:, None])
        shapes: dict[Kind, Doubles] = {"moffat": np.exp(-4.0 * np.log(2.0) * np.square(off / np.hypot(width, 0.9)))}
        if width >= LEAST_DISC_PX:
            disc = np.minimum(np.maximum(0.5 * width + 0.5 - off, 0.0), 1.0)
            shapes["disc"] = disc
            shapes["doughnut"] = disc * np.where(off < 0.5 * USUAL_HOLE * width, 0.3, 1.0)
        for kind, shape in shapes.items():
            expected = (shape - shape.mean(axis=1, keepdims=True)) / error
            seen = np.maximum(expected @ left, 0.0)
            strength = np.sum(np.square(expected), axis=1)
            explains = 0.5 * np.square(seen) / strength
            best = int(np.argmax(explains))
            height_error = float(1.0 / np.sqrt(strength[best]))
            rungs.append(_Rung(kind, width, float(centers[best]), float(explains[best]), height_error))
    return rungs
