"""Where there are stars, of whatever size: maxima of the frame smoothed more and more.

A spot of width s stands out most from the noise where the frame is smoothed by s. So each star, sharp or blurred into a
doughnut, is found once, at its own size (scale space: T. Lindeberg, J. Applied Statistics 21, 1994).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from autofocus.measure.stars.sky import Image, noise_of

LEVELS = 7  # smoothing by 1, 2, 4 … 64 px
LEAST_SIDE_PX = 12  # of a halved frame
SIGMAS = 7.0
MOST_SPOTS = 600  # at one level
PER_SIZE = 0.8  # and not 1, which white noise alone would have: two stars side by side are not to be one large one
OWN_RADII = 2.0  # of a spot's size, within which a less clear maximum is part of it


@dataclass(frozen=True, slots=True)
class Spot:
    """A maximum of the smoothed frame: where, frame pixels; its size; its flux, roughly.

    ``clearness`` is its height over what the noise of single pixels comes to when smoothed; less for large ones.
    """

    x: float
    y: float
    size_px: float
    clearness: float
    flux_adu: float


def find_spots(light: Image, noise_adu: float) -> list[Spot]:
    """All spots of light, the clearest first.

    Parameters
    ----------
    light : ndarray, shape (rows, columns)
        The frame less its sky, ADU.
    noise_adu : float
        RMS of one sky pixel.
    """
    spots: list[Spot] = []
    image, size = light, 1
    for _ in range(LEVELS):
        spots += _maxima(image, size, noise_adu)
        if min(image.shape) < 2 * LEAST_SIDE_PX:
            break
        image, size = _halved(image), 2 * size
    return _each_once(sorted(spots, key=lambda spot: -spot.clearness))


def _halved(image: Image) -> Image:
    rows, columns = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    even, odd = image[0:rows:2], image[1:rows:2]
    four = even[:, 0:columns:2] + even[:, 1:columns:2] + odd[:, 0:columns:2] + odd[:, 1:columns:2]
    return np.asarray(four * np.float32(0.25), dtype=np.float32)


def _maxima(image: Image, size: int, noise_adu: float) -> list[Spot]:
    """The maxima of an image of pixels ``size`` frame pixels wide, smoothed by one of them.

    They must stand out from what is uneven at this size; how clear they are is told by white noise, since large stars
    make the frame uneven themselves.
    """
    smooth = gaussian_filter(image, 1.0, truncate=3.0)
    rows, columns = np.nonzero(smooth[1:-1, 1:-1] > SIGMAS * noise_of(smooth))
    height = smooth[rows + 1, columns + 1]
    around = [smooth[rows + i, columns + j] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    top = np.all(np.stack(around) <= height, axis=0) if rows.size else np.zeros(0, dtype=bool)
    rows, columns, height = rows[top] + 1, columns[top] + 1, height[top]
    best = np.argsort(-height)[:MOST_SPOTS]
    # a Gaussian of the smoothing's own width is lowered to half by it: its flux is 8 π σ² heights
    area, gain = 8.0 * np.pi * size**2, size**PER_SIZE / noise_adu
    return [
        Spot((column + 0.5) * size - 0.5, (row + 0.5) * size - 0.5, float(size), value * gain, value * area)
        for row, column, value in zip(rows[best].tolist(), columns[best].tolist(), height[best].tolist(), strict=True)
    ]


def _each_once(spots: list[Spot]) -> list[Spot]:
    """Of the spots, clearest first, those that are not part of a clearer one."""
    kept: list[Spot] = []
    places = np.zeros((len(spots), 3))
    for spot in spots:
        own: NDArray[np.float64] = places[: len(kept)]
        apart = np.hypot(own[:, 0] - spot.x, own[:, 1] - spot.y)
        if np.all(apart > np.maximum(OWN_RADII * own[:, 2], spot.size_px)):  # a coarse place is known that coarsely
            places[len(kept)] = spot.x, spot.y, spot.size_px
            kept.append(spot)
    return kept
