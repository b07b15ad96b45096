"""A field of stars on a camera without a slit: one round image for all of them, at places that a seed chooses.

The image of a star is the shadow of the pupil (a disc with a hole), blurred by a Moffat-distributed air and by the
pixel: products of their transforms, all of them closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

from simulators.instruments import Instrument
from simulators.optics import moffat_as_gaussians
from simulators.spectrum import Picture, Window
from simulators.truth import Truth

Array = NDArray[np.float64]

SHARE_OF_FAINTEST = 0.01  # of the brightest star's light
EDGE_PX = 12.0  # no star is nearer to the edge of the sensor
WINGS = 6.0  # standard deviations of the widest Gaussian of the air
FINEST = 8  # places within a pixel at which an image is known
MOST_SAMPLES = 2048
NEGLIGIBLE = 1e-3


@dataclass(frozen=True, slots=True)
class RoundBeam:
    """A star out of focus by a disc of this radius, with a hole, in this seeing (full width at half maximum)."""

    radius_px: float
    obstruction: float
    seeing_px: float
    moffat_beta: float


@dataclass(frozen=True, slots=True, eq=False)
class StarPicture:
    """Part of a star's light on a pixel whose middle is (row, column) / ``finer`` pixels from the star; centred."""

    samples: Array
    finer: int

    def on_pixels(self, dx: float, dy: float) -> Array:
        """The pixels of a star that stands (dx, dy) beside the middle of the middle one, to 1 / ``finer``."""
        middle = self.samples.shape[0] // 2
        reach = (middle // self.finer - 1) * self.finer
        pixel = middle + np.arange(-reach, reach + 1, self.finer)
        return self.samples[np.ix_(pixel - round(dy * self.finer), pixel - round(dx * self.finer))]

    @property
    def half_flux_px(self) -> float:
        """Radius that holds half of the light."""
        place = (np.arange(self.samples.shape[0]) - self.samples.shape[0] // 2) / self.finer
        distance = np.hypot(place[:, None], place[None, :]).ravel()
        order = np.argsort(distance)
        light = np.cumsum(self.samples.ravel()[order])
        return float(np.interp(0.5 * light[-1], light, distance[order]))


@lru_cache(maxsize=4)
def star_picture(beam: RoundBeam) -> StarPicture:
    """The image of one star of unit light."""
    weights, variances = moffat_as_gaussians(beam.moffat_beta)
    sigma = beam.seeing_px / (2.0 * np.sqrt(2.0 ** (1.0 / beam.moffat_beta) - 1.0)) * np.sqrt(variances)
    widest = float(sigma[weights > NEGLIGIBLE].max())
    side = int(2 ** np.ceil(np.log2(2.0 * (beam.radius_px + WINGS * widest) + 8.0)))
    finer = max(1, min(FINEST, MOST_SAMPLES // side))
    along = 2.0 * np.pi * np.fft.fftfreq(side * finer, 1.0 / finer)
    across = 2.0 * np.pi * np.fft.rfftfreq(side * finer, 1.0 / finer)
    frequency = np.hypot(along[:, None], across[None, :])
    passed = np.zeros_like(frequency)
    for weight, width in zip(weights, sigma, strict=True):
        passed += weight * np.exp(-0.5 * np.square(width * frequency))
    passed *= _pupil(frequency * beam.radius_px, beam.obstruction)
    passed *= np.sinc(along / (2.0 * np.pi))[:, None] * np.sinc(across / (2.0 * np.pi))[None, :]
    samples = np.fft.fftshift(np.fft.irfft2(passed, s=(side * finer, side * finer))) * finer**2
    return StarPicture(np.maximum(samples, 0.0), finer)


def _pupil(phase: Array, obstruction: float) -> Array:
    """Transform of a disc of radius 1 with a hole, of unit light."""
    hole = obstruction**2
    return np.asarray((_disc(phase) - hole * _disc(phase * obstruction)) / (1.0 - hole))


def _disc(phase: Array) -> Array:
    safe = np.where(phase > 1e-9, phase, 1.0)
    return np.asarray(np.where(phase > 1e-9, 2.0 * j1(safe) / safe, 1.0))


@lru_cache(maxsize=16)
def star_places(instrument: Instrument, seed: int) -> Array:
    """Where the stars are and how bright: (n, 3) of column, row, and light in parts of the brightest."""
    rng = np.random.default_rng([seed, 6])
    width, height = instrument.sensor_px
    count = instrument.field_stars
    share = SHARE_OF_FAINTEST ** (np.arange(count) / max(count - 1, 1))
    columns = rng.uniform(EDGE_PX, width - 1 - EDGE_PX, count)
    rows = rng.uniform(EDGE_PX, height - 1 - EDGE_PX, count)
    return np.stack([columns, rows, share], axis=1)


def add_field(picture: Picture, window: Window, stars: Array, electrons: float, beam: RoundBeam) -> None:
    """Add stars (n, 3) to a picture of one window; ``electrons`` of the brightest."""
    image = star_picture(beam)
    for column, row, share in stars:
        middle = round(column), round(row)
        pixels = image.on_pixels(column - middle[0], row - middle[1])
        reach = pixels.shape[0] // 2
        left, top = middle[0] - reach - window.x, middle[1] - reach - window.y
        first, last = max(left, 0), min(left + pixels.shape[1], window.width)
        upper, lower = max(top, 0), min(top + pixels.shape[0], window.height)
        if first < last and upper < lower:
            cut = pixels[upper - top : lower - top, first - left : last - left]
            picture[upper:lower, first:last] += (cut * (electrons * share)).astype(np.float32)


class FieldTruth(Truth):
    """The truth about a field: its stars are smallest at one place, and their light is the same everywhere.

    ``fwhm_px`` is twice the radius that holds half of a star's light, which for a Gaussian star is its FWHM.
    """

    def round_beam(self, place: float, seeing_factor: float = 1.0) -> RoundBeam:
        """A star with the tube at a place."""
        own = self.instrument
        return RoundBeam(
            radius_px=own.blur_radius_px_per_step * abs(place - own.focus_steps),
            obstruction=own.obstruction,
            seeing_px=own.seeing_arcsec / own.plate_scale_arcsec_per_px * seeing_factor,
            moffat_beta=own.moffat_beta,
        )

    def fwhm_px(self, place: float) -> float:
        """Half-flux diameter in pixels with the tube at a place."""
        return 2.0 * star_picture(self.round_beam(place)).half_flux_px

    def nsig(self, place: float, half_window_px: float | None = None) -> float:  # noqa: ARG002
        """Light of the brightest star, ADU/s."""
        return self.instrument.star_adu_s

    def optimum(self, objective: str, exposure_s: float = 10.0) -> float:  # noqa: ARG002
        """Where the stars are smallest, whatever the objective."""
        return self.instrument.focus_steps
