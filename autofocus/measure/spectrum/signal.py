"""How much light: NSIG, the part of it that the window holds, and the signal-to-noise of the spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting.bow import Bow
from autofocus.measure.spectrum.fitting.model_fit import ProfileFit
from autofocus.measure.spectrum.fitting.profile import CleanStrip

Doubles = NDArray[np.float64]

LEAST_HALF_WINDOW_PX = 30


@dataclass(frozen=True, slots=True)
class Light:
    """Window sum per column, ADU, the part of the star's light it holds, and whether the window is cut off.

    ``window_fraction_err`` is what the fraction adds, in quadrature, to the relative error of ``total`` when the two
    are divided: their common errors are counted once.
    """

    total: float
    error: float
    window_fraction: float
    window_fraction_err: float
    truncated: bool


def auto_half_window(fwhm_px: float) -> int:
    """The half window for a series whose widest frame has this FWHM: two of it on each side, at least 30 px."""
    if not np.isfinite(fwhm_px):
        return LEAST_HALF_WINDOW_PX
    return max(LEAST_HALF_WINDOW_PX, int(np.ceil(2.0 * fwhm_px)))


def window_light(cleaned: CleanStrip, fit: ProfileFit, half_window: int, span: tuple[int, int], bow: Bow) -> Light:
    """Sum the averaged profile over ± ``half_window`` pixels of the trace, background and neighbours taken off.

    With Y the sum of the pixels and p the model, NSIG is Y - s·p and all the light (Y - s·p) / F(p); both are
    linearised, and Y and p share their noise: cov(Y, p) = a C with a the sum of the model's derivatives over the
    window and C the covariance of p. Only the offsets of ``span`` are used: beyond it the background is another one.
    """
    strip, model = cleaned.strip, fit.model
    profile = cleaned.profile
    usable = np.isfinite(profile) & (strip.offsets >= span[0]) & (strip.offsets <= span[1])
    window = usable & (np.abs(strip.offsets) <= half_window)
    distance = strip.offsets[window].astype(np.float64)
    derivatives = fit.derivatives(distance)
    star, others = (
        derivatives[:, part] @ fit.parameters[part] for part in (model.heights, slice(model.heights.stop, model.linear))
    )
    total = float(np.sum(profile[window] - fit.sky(distance) - others))
    noise = float(np.sum(cleaned.noise.variance(star + others))) / strip.columns.size
    slopes = derivatives.sum(axis=0)
    rest = slopes.copy()
    rest[model.heights] = 0.0
    rest[model.linear : model.places] = 0.0
    shared = fit.covariance @ slopes
    error = float(np.sqrt(max(noise - 2.0 * shared @ rest + rest @ fit.covariance @ rest, 0.0)))
    whole_error = float(np.hypot(error, _ground_error(strip.offsets, fit, usable, window, bow)))
    truncated = int(window.sum()) < 2 * half_window + 1
    light = fit.light
    if not light > 0:
        return Light(total, whole_error, float("nan"), float("nan"), truncated)
    fraction = float(np.sum(star)) / light
    by_fraction = (slopes - rest - fraction * fit.light_gradient) / light
    change = rest + total / fraction * by_fraction
    corrected = max(noise - 2.0 * shared @ change + fit.excess * (change @ fit.covariance @ change), 0.0)
    added = fraction * np.sqrt(max(corrected - error**2, 0.0)) / max(abs(total), 1e-12)
    return Light(total, whole_error, float(np.clip(fraction, 0.0, 1.0)), float(added), truncated)


def _ground_error(
    offsets: NDArray[np.intp], fit: ProfileFit, usable: NDArray[np.bool_], window: NDArray[np.bool_], bow: Bow
) -> float:
    """What is not known of a background that curves, or of rows that differ by more than noise, over the window, ADU.

    The background is a straight line through the rows ``usable`` away from the star.
    """
    if bow.error == 0.0 and bow.scatter == 0.0:
        return 0.0
    sky = usable & (np.abs(offsets - fit.center) > 1.5 * max(fit.rough_width, 1.0))
    d = offsets.astype(np.float64)
    line = np.column_stack([np.ones(d.size), d])
    weights = line[window].sum(axis=0) @ np.linalg.pinv(line[sky])  # how the window's sum of the line hangs on its rows
    per_row = window.astype(np.float64)
    per_row[sky] -= weights
    return float(np.hypot(bow.error * (per_row @ d**2), bow.scatter * np.sqrt(np.sum(np.square(per_row)))))


def column_snr(cleaned: CleanStrip, star: Doubles) -> float:
    """Signal-to-noise per column of the optimally extracted spectrum (Horne 1986, PASP 98, 609): median column.

    ``star`` is its light at each offset of the strip.
    """
    star = np.maximum(star, 0.0)
    scale = np.median(cleaned.flux) / max(float(np.mean(cleaned.flux)), 1e-9)
    signal = star * scale
    return float(np.sqrt(np.sum(signal**2 / cleaned.noise.variance(signal))))


def profile_snr(cleaned: CleanStrip, star: Doubles) -> float:
    """Signal-to-noise of the light of the averaged profile, optimally weighted: what the detection stands on."""
    return float(np.sqrt(np.sum(star**2 / cleaned.noise.variance(star)) * cleaned.strip.columns.size))
