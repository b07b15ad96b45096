"""Star fields made pixel by pixel from analytic images, each pixel integrated over 5 x 5 points: the truth is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autofocus.model import Frame

OVERSAMPLED = 5
GAIN = 0.8  # electrons per ADU


@dataclass(frozen=True)
class Image:
    """How one star looks: seeing (Moffat, or Gaussian with ``beta`` 0) over a disc or ring of ``radius_px``."""

    seeing_px: float = 3.0
    beta: float = 0.0
    radius_px: float = 0.0
    obstruction: float = 0.35
    trail_px: float = 0.0

    def stamp(self, dx: float, dy: float) -> NDArray[np.float64]:
        """The star of unit flux, its middle (dx, dy) beside that of the middle pixel; odd side."""
        half = int(np.ceil(6.0 * self.seeing_px + 1.2 * self.radius_px + self.trail_px)) + 2
        fine = (np.arange((2 * half + 1) * OVERSAMPLED) + 0.5) / OVERSAMPLED - half - 0.5
        if self.radius_px == 0.0:
            light = self._seeing(fine[:, None] - dy, fine[None, :] - dx)
            for shift in np.linspace(-0.5, 0.5, 15) * self.trail_px if self.trail_px else ():
                light = light + self._seeing(fine[:, None] - dy, fine[None, :] - dx - shift)
        else:
            r = np.hypot(fine[:, None] - dy, fine[None, :] - dx)
            pupil = ((r < self.radius_px) & (r > self.obstruction * self.radius_px)).astype(float)
            kernel = np.fft.rfft2(np.fft.ifftshift(self._seeing(fine[:, None], fine[None, :])))
            light = np.fft.irfft2(np.fft.rfft2(pupil) * kernel, s=pupil.shape)
        side = 2 * half + 1
        pixels: NDArray[np.float64] = light.reshape(side, OVERSAMPLED, side, OVERSAMPLED).sum(axis=(1, 3))
        return pixels / pixels.sum()

    def _seeing(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.beta == 0.0:
            return np.asarray(np.exp(-4.0 * np.log(2.0) * (x**2 + y**2) / self.seeing_px**2))
        alpha = self.seeing_px / 2.0 / np.sqrt(2.0 ** (1.0 / self.beta) - 1.0)
        return np.asarray((1.0 + (x**2 + y**2) / alpha**2) ** -self.beta)

    def half_flux_px(self, aperture: float | None = None) -> float:
        """Radius of half the light within ``aperture`` radii of that (None: all) of the pixel-integrated image.

        Seen wherever a pixel may lie: the mean of images shifted by parts of a pixel, each pixel at its middle.
        """
        shifts = (np.arange(7) + 0.5) / 7 - 0.5
        distances, lights = [], []
        for dy in shifts:
            for dx in shifts:
                stamp = self.stamp(dx, dy)
                y, x = np.indices(stamp.shape) - stamp.shape[0] // 2
                distances.append(np.hypot(y - dy, x - dx).ravel())
                lights.append(stamp.ravel() / 49)
        r, light = np.concatenate(distances), np.concatenate(lights)
        order = np.argsort(r)
        r, light = r[order], np.cumsum(light[order])
        half = float(np.interp(0.5, light, r))
        for _ in range(30 if aperture else 0):
            half = float(np.interp(0.5 * np.interp((aperture or 0.0) * half, r, light), light, r))
        return half


@dataclass(frozen=True)
class Scene:
    """A frame: its stars (x, y, flux in electrons), how they look, the sky and the camera."""

    stars: tuple[tuple[float, float, float], ...] = ()
    image: Image = Image()
    shape: tuple[int, int] = (400, 500)
    sky_e: float = 60.0
    gradient_e: float = 0.0
    read_noise_e: float = 4.0
    bias_adu: float = 300.0
    hot: int = 0
    tracks: int = 0
    saturation_adu: float = 65535.0
    known: dict[str, Any] = field(default_factory=dict)

    def expected(self) -> NDArray[np.float64]:
        """Electrons expected on each pixel."""
        rows, columns = self.shape
        light = np.full(self.shape, self.sky_e) + self.gradient_e * np.linspace(0.0, 1.0, columns)
        for x, y, flux in self.stars:
            column, row = round(x), round(y)
            stamp = self.image.stamp(x - column, y - row) * flux
            half = stamp.shape[0] // 2
            top, left = max(row - half, 0), max(column - half, 0)
            bottom, right = min(row + half + 1, rows), min(column + half + 1, columns)
            if bottom > top and right > left:
                cut = stamp[top - row + half : bottom - row + half, left - column + half : right - column + half]
                light[top:bottom, left:right] += cut
        return light

    def frame(self, seed: int) -> Frame:
        """One exposure of it."""
        return self.frames([seed])[0]

    def frames(self, seeds: Iterable[int]) -> list[Frame]:
        """Exposures of it, each with its own noise."""
        expected = self.expected()
        return [self._exposed(expected, seed) for seed in seeds]

    def _exposed(self, expected: NDArray[np.float64], seed: int) -> Frame:
        rng = np.random.default_rng(seed)
        electrons = rng.poisson(expected) + rng.normal(0.0, self.read_noise_e, self.shape)
        for _ in range(self.hot):
            electrons[rng.integers(self.shape[0]), rng.integers(self.shape[1])] += rng.uniform(300.0, 20000.0)
        for _ in range(self.tracks):
            row, column = rng.integers(self.shape[0] - 9), rng.integers(self.shape[1] - 9)
            for step in range(rng.integers(2, 9)):
                electrons[row + step, column + step // 2] += 2000.0
        adu = np.clip(np.round(electrons / GAIN + self.bias_adu), 0, min(self.saturation_adu, 65535.0))
        known = {"exposure_s": 2.0, "gain_e_per_adu": GAIN, "saturation_adu": self.saturation_adu} | self.known
        return Frame(raw=adu.astype(np.uint16), name=f"field-{seed}.fits", **known)


def scattered(
    count: int, seed: int, shape: tuple[int, int] = (400, 500), apart: float = 45.0
) -> tuple[tuple[float, float, float], ...]:
    """Places of stars at least ``apart`` from each other and half that from the edges, of very different flux."""
    rng = np.random.default_rng(seed)
    stars: list[tuple[float, float, float]] = []
    for _ in range(20000):
        x = rng.uniform(apart / 2, shape[1] - apart / 2)
        y = rng.uniform(apart / 2, shape[0] - apart / 2)
        if all(np.hypot(x - a, y - b) > apart for a, b, _ in stars):
            stars.append((x, y, float(10.0 ** rng.uniform(3.7, 5.2))))
        if len(stars) == count:
            break
    return tuple(stars)
