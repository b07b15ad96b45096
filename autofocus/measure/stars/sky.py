"""The sky under the stars: its level all over the frame and its noise, hot pixels taken off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

Image = NDArray[np.float32]

MESH_PX = 128  # larger than any doughnut that a mesh of medians must not take for sky
LEAST_MESHES = 4
LARGE_BLOCK = 900  # pixels; of more every ninth is enough
SAMPLED = 200_000  # pixels that tell the noise
HOT_SIGMAS = 6.0
HOT_NEIGHBOUR = 0.2  # of a hot pixel's height: the next-brightest pixel about a star's peak is higher
LEAST_NOISE = 1e-3  # of the range, for frames made without noise


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A frame less its sky, shape (rows, columns), ADU: hot pixels mended, what is not finite 0 and marked ``bad``."""

    light: Image
    sky_adu: float
    noise_adu: float
    bad: NDArray[np.bool_] | None


def above_sky(pixels: Image) -> Field:
    """Take the sky off: medians of a mesh, smoothed over its neighbours, drawn as planes between their middles.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns)
        ADU; need not be finite.

    Returns
    -------
    Field
        Whose noise is the RMS of one sky pixel; what is no number anywhere gives a field of zeros.
    """
    finite = np.isfinite(pixels)
    bad = None if finite.all() else ~finite
    level = _mesh(pixels)
    rows, columns = (_hat_functions(size, count) for size, count in zip(pixels.shape, level.shape, strict=True))
    light = pixels - (rows @ level @ columns.T).astype(np.float32)
    if bad is not None:
        light[bad] = 0.0
    noise = noise_of(light)
    mend_hot_pixels(light, noise)
    return Field(light, float(np.median(level)), noise, bad)


def noise_of(light: Image) -> float:
    """RMS of what is sky in an image about zero: all within three sigmas of its median, which stars are not."""
    step = max(1, round((light.size / SAMPLED) ** 0.5))
    sample = light[::step, ::step].ravel().astype(np.float64)
    middle = float(np.median(sample))
    noise = 1.4826 * float(np.median(np.abs(sample - middle)))
    for _ in range(3):
        inside = sample[np.abs(sample - middle) <= 3.0 * noise] if noise > 0.0 else sample
        noise = 1.014 * float(np.std(inside)) if inside.size else noise  # of a Gaussian cut at three sigmas
    return max(noise, LEAST_NOISE * float(np.ptp(sample)), 1e-6)


def _mesh(pixels: Image) -> NDArray[np.float64]:
    """Medians of blocks."""
    rows, columns = (max(LEAST_MESHES, round(size / MESH_PX)) for size in pixels.shape)
    rows, columns = min(rows, pixels.shape[0]), min(columns, pixels.shape[1])
    strips = np.array_split(pixels, rows, axis=0)
    level = np.array([[_median(block) for block in np.array_split(strip, columns, axis=1)] for strip in strips])
    known = np.isfinite(level)
    level[~known] = float(np.median(level[known])) if known.any() else 0.0
    smooth: NDArray[np.float64] = median_filter(level, size=3, mode="nearest")
    return smooth


def _median(block: Image) -> float:
    block = block[::3, ::3] if block.size > LARGE_BLOCK else block
    finite = block[np.isfinite(block)]
    return float(np.median(finite)) if finite.size else np.nan


def _hat_functions(size: int, count: int) -> NDArray[np.float64]:
    """Weights (size, count) of linear interpolation between the middles of ``count`` equal blocks."""
    place = (np.arange(size) + 0.5) * count / size - 0.5
    return np.clip(1.0 - np.abs(np.clip(place, 0.0, count - 1.0)[:, None] - np.arange(count)), 0.0, 1.0)


def mend_hot_pixels(light: Image, noise: float) -> None:
    """Give every pixel that stands alone the median of the eight about it, in place.

    A star spreads its light: of the pixels about its peak the brightest has more than `HOT_NEIGHBOUR` of it, down to
    a FWHM of 1.3 px.
    """
    rows, columns = np.nonzero(light[1:-1, 1:-1] > HOT_SIGMAS * noise)
    if rows.size == 0:
        return
    about = np.stack([light[rows + i, columns + j] for i in range(3) for j in range(3) if (i, j) != (1, 1)])
    height = light[rows + 1, columns + 1]
    second = np.partition(about, -2, axis=0)[-2]
    hot = (about.max(axis=0) < height) & (second < HOT_NEIGHBOUR * height + 2.0 * noise)
    light[rows[hot] + 1, columns[hot] + 1] = np.median(about[:, hot], axis=0)
