"""An arc lamp before the slit: emission lines all over the detector, through a camera that may be tilted and curved.

With the lamp lit no star and no sky is seen, and the focuser moves the spectrograph's camera. A line is the image of
the slit: a box, convolved with the shadow of the pupil (a ring, seen from its edge, since the slit is long), with the
spectrograph's own blur and with a pixel. In frequencies all four are products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

from simulators.instruments import Instrument
from simulators.options import BenchOptions
from simulators.spectrum import SIGMA_PER_FWHM, Picture, Window

Array = NDArray[np.float64]

BRIGHTEST_E_S = 6000.0  # electrons per second and row in the whole line
LINES = 32
LEAN_PX = 1.2  # of the lines over the length of the slit
SAMPLES_PER_PX = 8
RADIUS_STEP_PX = 0.25
MOST_RADII = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraField:
    """Best focus of the camera over the detector, against that of its middle, steps."""

    tilt_along: float = 0.0
    """at the end of the spectrum less that at its beginning"""
    tilt_across: float = 0.0
    """at the last row less that at the first"""
    curvature: float = 0.0
    """in the corners less the middle's"""

    def offset(self, u: Array | float, v: Array | float, size_px: tuple[int, int]) -> Array:
        """At u along and v across the dispersion, each from -1 to 1, of a detector of this size."""
        along, across = (float(side) ** 2 for side in size_px)
        square = (along * np.square(u) + across * np.square(v)) / (along + across)
        return np.asarray(0.5 * self.tilt_along * u + 0.5 * self.tilt_across * v + self.curvature * square)


def lamp_of(instrument: Instrument, options: BenchOptions) -> Lamp | None:
    """The lamp that the options light, if they do."""
    field = CameraField(
        tilt_along=options.camera_tilt_along_steps,
        tilt_across=options.camera_tilt_across_steps,
        curvature=options.camera_curvature_steps,
    )
    return Lamp(instrument, options.lamp, field) if options.lamp > 0 else None


class Lamp:
    """The lamp before one instrument; ``brightness`` in parts of the usual."""

    def __init__(self, instrument: Instrument, brightness: float, field: CameraField) -> None:
        self.instrument = instrument
        self.field = field
        self.slit_px = float(np.sqrt(max(instrument.line_px**2 - instrument.blur_px**2, 1.0)))
        width = instrument.sensor_px[0]
        rng = np.random.default_rng(1901)
        # Evenly spread with some disorder; the last two are a blend, and one line is far too bright.
        places = (np.arange(LINES) + rng.uniform(0.2, 0.8, LINES)) / LINES * width
        strengths = np.exp(rng.uniform(np.log(0.05), 0.0, LINES))
        strengths[7] = 8.0
        self.places = np.append(places, places[-1] - 1.3 * instrument.line_px)
        self.light_e_s = brightness * BRIGHTEST_E_S * np.append(strengths, 0.6 * strengths[-1])
        self._image = lru_cache(maxsize=512)(self._make_image)

    def radius_px(self, place: float, u: Array | float = 0.0, v: Array | float = 0.0) -> Array:
        """Radius of the pupil's shadow with the camera at a place, at points of the detector."""
        off = place - self.instrument.focus_steps - self.field.offset(u, v, self.instrument.sensor_px)
        return np.asarray(np.abs(off) * self.instrument.blur_radius_px_per_step)

    def fwhm_px(self, place: float, u: float = 0.0, v: float = 0.0) -> float:
        """True width of a line with the camera at a place: its outermost half-maximum points, pixel-integrated."""
        samples = self._image(float(self.radius_px(place, u, v)))
        half = 0.5 * samples.max()
        last = int(np.flatnonzero(samples >= half)[-1])
        part = (samples[last] - half) / (samples[last] - samples[last + 1])
        return float(2.0 * (last + part) / SAMPLES_PER_PX)

    def _make_image(self, radius_px: float) -> Array:
        """Part of a line's light in a pixel whose centre is 0, 1, 2 … eighths of a pixel from it."""
        own = self.instrument
        reach = radius_px + self.slit_px + 4.0 * own.blur_px + 4.0
        period = int(2 ** np.ceil(np.log2(2.0 * reach)))
        frequency = np.arange(period * SAMPLES_PER_PX // 2 + 1) / period
        ring = _disc(2.0 * np.pi * radius_px * frequency)
        ring -= own.obstruction**2 * _disc(2.0 * np.pi * radius_px * own.obstruction * frequency)
        ring /= 1.0 - own.obstruction**2
        blur = np.exp(-2.0 * np.square(np.pi * own.blur_px * SIGMA_PER_FWHM * frequency))
        spectrum = ring * blur * np.sinc(self.slit_px * frequency) * np.sinc(frequency)
        samples = np.fft.irfft(spectrum) * SAMPLES_PER_PX
        return np.asarray(samples[: samples.size // 2])

    def picture(self, place: float, window: Window) -> Picture:
        """Electrons per second on the pixels of a window, with the camera at a place."""
        own = self.instrument
        width, height = own.sensor_px
        rows = np.arange(window.y, window.y + window.height, dtype=float)
        along_slit = (rows - own.trace_row * (height - 1)) / (0.5 * own.slit_length_px)
        lit = np.flatnonzero(np.abs(along_slit) <= 1.0)
        picture = np.zeros((window.height, window.width), dtype=np.float32)
        if not lit.size:
            return picture
        rows, along_slit = rows[lit], along_slit[lit]
        bend = own.smile_px * along_slit**2 + 0.5 * LEAN_PX * along_slit
        v = 2.0 * rows / (height - 1) - 1.0
        for column, light in zip(self.places, self.light_e_s, strict=True):
            radius = self.radius_px(place, 2.0 * column / (width - 1) - 1.0, v)
            reach = float(radius.max()) + self.slit_px + 4.0 * own.blur_px
            low = max(int(column + bend.min() - reach), window.x)
            high = min(int(column + bend.max() + reach) + 2, window.x + window.width)
            if low < high:
                distance = np.abs(np.arange(low, high)[None, :] - column - bend[:, None])
                part = slice(low - window.x, high - window.x)
                picture[lit, part] += (light * self._look_up(distance, radius)).astype(np.float32)
        return picture

    def _look_up(self, distance: Array, radius: Array) -> Array:
        """The line at distances (rows, pixels) for a radius in each row, mixed from images a step apart."""
        low, high = float(radius.min()), float(radius.max())
        count = int(min(np.ceil((high - low) / RADIUS_STEP_PX), MOST_RADII)) + 1
        knots = np.round(np.linspace(low, high, count), 3)
        images = [self._image(float(knot)) for knot in knots]
        value = np.zeros_like(distance)
        for knot, image in enumerate(images):
            share = np.interp(radius, knots, np.eye(count)[knot]) if count > 1 else np.ones_like(radius)
            used = np.flatnonzero(share > 0)
            at = np.interp(distance[used] * SAMPLES_PER_PX, np.arange(image.size), image, right=0.0)
            value[used] += share[used, None] * at
        return value


def _disc(x: Array) -> Array:
    """What a disc seen from its edge does to a frequency: 2 J1(x) / x."""
    near = np.maximum(x, 1e-6)
    return np.asarray(np.where(x > 1e-6, 2.0 * j1(near) / near, 1.0))
