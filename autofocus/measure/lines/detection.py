"""Which lines of an arc can be measured: bright, alone, not saturated, and neither a bad column nor a blend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from autofocus.measure.lines.bands import Bands

Doubles = NDArray[np.float64]

NOTICED_SIGMAS = 5.0
BRIGHT_SIGMAS = 20.0
WINDOW_WIDTHS, WINDOW_PX = 1.25, 4.0
NEIGHBOUR_HEIGHT = 0.05
WIDER, NARROWER = 1.5, 0.65
FLATTER = 0.15
SIGMA_PER_FWHM = 1.0 / 2.354820045
SURE_SIGMAS = 12.0
WIDEST_PART = 0.1  # of the spectrum


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Where the lines are in `Bands.spectrum`, and how high, ADU; ``width_px`` is typical of all of them.

    ``rejected`` counts the bright ones that cannot be measured; ``window_px`` is half the window each is measured in.
    """

    places: Doubles
    heights: Doubles
    width_px: float
    window_px: int
    rejected: int


def autocorrelation_width(first: Doubles, second: Doubles) -> tuple[float, float]:
    """Width of a spectrum's lines, px: that of its autocorrelation at half maximum over the root of 2.

    The continuum is to be gone. Valdes' specfocus (IRAF) does this with one spectrum; two of the same lines, each
    with noise of its own, leave no spike of noise at lag 0.

    Returns
    -------
    tuple of float
        The width, and the correlation at lag 0 in sigmas of chance; NaN for the width where it never falls to half.
    """
    size = int(2 ** np.ceil(np.log2(2 * first.size)))
    product = np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size))
    both = np.fft.irfft(product, size)
    half_length = int(first.size * WIDEST_PART)
    symmetric = 0.5 * (both[:half_length] + np.concatenate([both[:1], both[: -half_length + 0 : -1]])[:half_length])
    chance = 1.4826 * _deviation(first) * 1.4826 * _deviation(second) * np.sqrt(first.size)
    below = np.flatnonzero(symmetric < 0.5 * symmetric[0])
    if symmetric[0] <= 0 or not below.size:
        return float("nan"), 0.0
    j = int(below[0])
    lag = j - 1 + (symmetric[j - 1] - 0.5 * symmetric[0]) / (symmetric[j - 1] - symmetric[j])
    return float(2.0 * lag / np.sqrt(2.0)), float(symmetric[0] / max(chance, 1e-30))


def _deviation(values: Doubles) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def find_lines(bands: Bands) -> Lines | None:
    """The lines to be measured; None where the spectrum shows none at all."""
    width, sure = autocorrelation_width(*bands.halves)
    if not (width > 0 and sure > SURE_SIGMAS):
        return None
    for _ in range(2):  # blends and saturated lines widen the autocorrelation; the lines themselves say better
        found = _found(bands, width)
        if found is None:
            return None
        changed, width = found.width_px / width, found.width_px
        if 0.8 < changed < 1.25:
            break
    return found


def _found(bands: Bands, width: float) -> Lines | None:
    spectrum = bands.spectrum
    sigma = 0.6 * width * SIGMA_PER_FWHM
    smooth = gaussian_filter1d(spectrum, sigma)
    noise = bands.noise / np.sqrt(max(2.0 * np.sqrt(np.pi) * sigma, 1.0))
    reach = max(int(0.5 * width), 1)
    peaks = np.flatnonzero((smooth == maximum_filter1d(smooth, 2 * reach + 1)) & (smooth > NOTICED_SIGMAS * noise))
    bright = peaks[smooth[peaks] > BRIGHT_SIGMAS * noise]
    if not bright.size:
        return None
    shapes = np.array([_shape(spectrum, int(peak)) for peak in bright])
    sound = np.isfinite(shapes).all(axis=1)
    if not sound.any():
        return None
    typical, flat = np.median(shapes[sound], axis=0)
    window = int(np.ceil(WINDOW_WIDTHS * typical + WINDOW_PX))
    alone = np.array([_alone(int(peak), peaks, smooth, window + 0.6 * typical) for peak in bright])
    inside = (bright > window + 1) & (bright < spectrum.size - window - 2)
    usual = (shapes[:, 0] < WIDER * typical) & (shapes[:, 0] > NARROWER * typical)
    usual &= (shapes[:, 1] < flat + FLATTER) | (smooth[bright] < 0.5 * smooth.max())
    keep = sound & alone & inside & usual
    if not keep.any():
        return None
    return Lines(
        bright[keep].astype(np.float64), smooth[bright[keep]], float(typical), window, int(np.count_nonzero(~keep))
    )


def _shape(spectrum: Doubles, peak: int) -> tuple[float, float]:
    """Width at half the height, and the part of it at nine tenths: a saturated line is flatter than the others."""
    half, top = (_width_at(spectrum, peak, part) for part in (0.5, 0.9))
    return half, top / half if half > 0 else float("nan")


def _width_at(spectrum: Doubles, peak: int, part: float) -> float:
    """Distance between the crossings of a part of the height next to the peak, by straight lines."""
    peak += int(np.argmax(spectrum[max(peak - 1, 0) : peak + 2])) - (peak > 0)
    level = part * spectrum[peak]
    left, right = np.flatnonzero(spectrum[:peak] < level), np.flatnonzero(spectrum[peak:] < level)
    if not left.size or not right.size:
        return float("nan")
    i, j = int(left[-1]), peak + int(right[0])
    low = i + (level - spectrum[i]) / (spectrum[i + 1] - spectrum[i])
    high = j - 1 + (spectrum[j - 1] - level) / (spectrum[j - 1] - spectrum[j])
    return float(high - low)


def _alone(peak: int, peaks: NDArray[np.intp], smooth: Doubles, reach: float) -> bool:
    near = peaks[(np.abs(peaks - peak) < reach) & (peaks != peak)]
    return not bool(np.any(smooth[near] > NEIGHBOUR_HEIGHT * smooth[peak]))
