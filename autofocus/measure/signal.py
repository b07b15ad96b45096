"""How much light: NSIG, the part of it that the window holds, and the signal-to-noise of the spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.model_fit import ProfileFit
from autofocus.measure.profile import CleanStrip

Doubles = NDArray[np.float64]

LEAST_HALF_WINDOW_PX = 30


@dataclass(frozen=True, slots=True)
class Light:
    """Window sum per column, ADU, its error, and the part of the star's light it holds; whether it is cut off."""

    total: float
    error: float
    window_fraction: float
    truncated: bool


def auto_half_window(fwhm_px: float) -> int:
    """The half window for a series whose widest frame has this FWHM: two of it on each side, at least 30 px."""
    if not np.isfinite(fwhm_px):
        return LEAST_HALF_WINDOW_PX
    return max(LEAST_HALF_WINDOW_PX, int(np.ceil(2.0 * fwhm_px)))


def window_light(cleaned: CleanStrip, fit: ProfileFit, half_window: int, span: tuple[int, int]) -> Light:
    """Sum the averaged profile over ± ``half_window`` pixels of the trace, background taken off.

    The error is exact for the linear part of the model: the sum less the fitted background is a linear function of
    the pixels, so noise that moved the background is counted with its sign. Only the offsets of ``span`` are used:
    beyond it the background is another one.
    """
    strip = cleaned.strip
    distance = strip.offsets.astype(np.float64)
    profile = cleaned.values.mean(axis=1)
    known = np.isfinite(profile) & (strip.offsets >= span[0]) & (strip.offsets <= span[1])
    window = (np.abs(strip.offsets) <= half_window) & known
    star = fit.star(distance)
    total = float(np.sum((profile - fit.sky(distance) - fit.neighbours(distance))[window]))
    variance = cleaned.pixel_variance(star[known]) / strip.columns.size
    design = np.stack([star[known] / max(float(star.max()), 1e-9), np.ones(known.sum()), distance[known]], axis=1)
    weighted = design / variance[:, None]
    influence = np.linalg.pinv(design.T @ weighted) @ weighted.T
    in_window = window[known].astype(np.float64)
    lost = np.array([0.0, in_window.sum(), float(distance[window].sum())]) @ influence
    error = float(np.sqrt(np.sum((in_window - lost) ** 2 * variance)))
    fraction = float(np.sum(star[window])) / fit.light if fit.light > 0 else float("nan")
    truncated = int(window.sum()) < 2 * half_window + 1
    return Light(total, error, float(np.clip(fraction, 0.0, 1.0)), truncated)


def column_snr(cleaned: CleanStrip, fit: ProfileFit) -> float:
    """Signal-to-noise per column of the optimally extracted spectrum (Horne 1986, PASP 98, 609): median column."""
    distance = cleaned.strip.offsets.astype(np.float64)
    star = np.maximum(fit.star(distance), 0.0)
    scale = np.median(cleaned.flux) / max(float(np.mean(cleaned.flux)), 1e-9)
    signal = star * scale
    return float(np.sqrt(np.sum(signal**2 / cleaned.pixel_variance(signal))))


def profile_snr(cleaned: CleanStrip, fit: ProfileFit) -> float:
    """Signal-to-noise of the light of the averaged profile, optimally weighted: what the detection stands on."""
    star = fit.star(cleaned.strip.offsets.astype(np.float64))
    return float(np.sqrt(np.sum(star**2 / cleaned.pixel_variance(star)) * cleaned.strip.columns.size))
