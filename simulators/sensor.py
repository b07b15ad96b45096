"""The camera's sensor: electrons with photon and read noise, hot pixels, cosmic rays, gain, binning, saturation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulators.spectrum import Window

Picture = NDArray[np.float32]

READOUT_MODES = ("Normal", "Low noise")
GAIN_RANGE = (0, 300)
UNITY_GAIN = 100
OFFSET_RANGE = (0, 200)
COSMIC_RAYS_PER_CM2_S = 1.5 / 60.0
HOT_PIXELS_PER_MPX = 150.0
BLOCK_PX = 65536


@dataclass(frozen=True, slots=True)
class Readout:
    """How the sensor is read: what a camera's settings come to."""

    window: Window
    """unbinned, with the dispersion along the columns"""
    binning: int = 1
    gain: int = UNITY_GAIN
    """tenths of a decibel above the instrument's own gain, less 100"""
    offset: int = 50
    """tens of ADU"""
    mode: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """What is fixed in one sensor; ``hot_e_s`` are the dark currents of its hot pixels, by (row, column)."""

    gain_e_per_adu: float
    read_noise_e: float
    dark_e_s: float
    bias_adu: float
    saturation_adu: int
    pixel_um: float
    cosmic_rays_per_cm2_s: float = COSMIC_RAYS_PER_CM2_S
    hot_pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))
    hot_e_s: Picture = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def electrons_per_adu(self, gain: int) -> float:
        """Electrons per ADU at a gain setting: 100 is the instrument's own, 200 more is ten times fewer."""
        return float(self.gain_e_per_adu * 10.0 ** (-(gain - UNITY_GAIN) / 200.0))

    def bias(self, offset: int) -> float:
        """Bias in ADU at an offset setting; 50 is the instrument's own."""
        return float(self.bias_adu * offset / 50.0)

    def noise_e(self, mode: int) -> float:
        """Read noise in electrons of a readout mode."""
        return self.read_noise_e * (1.0, 0.7)[mode]

    def add_dark(self, picture: Picture, window: Window, exposure_s: float) -> None:
        """Add the dark current and the hot pixels to a picture of one window, electrons."""
        picture += np.float32(self.dark_e_s * exposure_s)
        at = self.hot_pixels - np.array([window.y, window.x])
        inside = np.all((at >= 0) & (at < [window.height, window.width]), axis=1)
        rows, columns = at[inside].T
        picture[rows, columns] += self.hot_e_s[inside] * np.float32(exposure_s)

    def read(
        self, expected_e: Picture, readout: Readout, exposure_s: float, rng: np.random.Generator
    ) -> NDArray[np.uint16]:
        """Expected electrons in, ADU out; the input is used up."""
        electrons = with_noise(expected_e, self.noise_e(readout.mode), rng)
        self._cosmic_rays(electrons, exposure_s, rng)
        electrons *= np.float32(1.0 / self.electrons_per_adu(readout.gain))
        electrons += np.float32(self.bias(readout.offset) + 0.5)
        np.clip(electrons, 0.0, np.float32(self.saturation_adu), out=electrons)
        adu = electrons.astype(np.uint16)
        if readout.binning == 1:
            return adu
        side = readout.binning
        rows, columns = adu.shape[0] // side, adu.shape[1] // side
        blocks = (
            adu[: rows * side, : columns * side].reshape(rows, side, columns, side).sum(axis=(1, 3), dtype=np.int64)
        )
        summed: NDArray[np.uint16] = np.minimum(blocks, self.saturation_adu).astype(np.uint16)
        return summed

    def _cosmic_rays(self, electrons: Picture, exposure_s: float, rng: np.random.Generator) -> None:
        """Straight tracks of a few to some dozen pixels."""
        height, width = electrons.shape
        area_cm2 = height * width * (self.pixel_um * 1e-4) ** 2
        for _ in range(rng.poisson(self.cosmic_rays_per_cm2_s * area_cm2 * exposure_s)):
            row, column, angle = rng.random(3) * (height, width, np.pi)
            length = 1.0 + rng.exponential(4.0)
            steps = np.arange(0.0, length, 0.5)
            rows = np.rint(row + steps * np.sin(angle)).astype(int)
            columns = np.rint(column + steps * np.cos(angle)).astype(int)
            inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            np.add.at(electrons, (rows[inside], columns[inside]), np.float32(rng.uniform(300.0, 2500.0)))


def hot_pixels(rng: np.random.Generator, width: int, height: int, per_mpx: float) -> tuple[NDArray[np.int64], Picture]:
    """Where a sensor's hot pixels are, (n, 2) as (row, column), and their dark currents, electrons per second."""
    count = int(rng.poisson(per_mpx * width * height / 1e6))
    places = np.stack([rng.integers(0, height, count), rng.integers(0, width, count)], axis=1)
    return places, rng.exponential(60.0, count).astype(np.float32)


def with_noise(expected_e: Picture, read_noise_e: float, rng: np.random.Generator) -> Picture:
    """Electrons with the noise of photons and of reading, one random number a pixel; the input is overwritten.

    The sum of a Poisson count (mean λ) and a Gaussian (σ) has the variance λ + σ² and the third moment λ. The
    Cornish-Fisher quadratic ``λ + s z + c (z² - 1)`` of a normal z has the same three when c = λ / 6 s², s² = λ + σ²
    - 2c² (the third
    to a few per cent). With σ over one electron nothing finer survives, and it costs a tenth of Poisson numbers.
    """
    rows = max(1, BLOCK_PX // max(expected_e.shape[1], 1))  # blocks that stay in the processor's cache
    for first in range(0, expected_e.shape[0], rows):
        part = expected_e[first : first + rows]
        normal = rng.standard_normal(part.shape, dtype=np.float32)
        variance = part + np.float32(read_noise_e**2)
        skew = part / variance
        skew *= np.float32(1.0 / 6.0)
        variance -= np.float32(2.0) * np.square(skew)
        np.sqrt(variance, out=variance)
        variance *= normal
        part += variance
        np.square(normal, out=normal)
        normal -= np.float32(1.0)
        normal *= skew
        part += normal
    return expected_e
