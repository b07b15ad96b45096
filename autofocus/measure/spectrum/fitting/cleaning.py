"""A strip cleaned of cosmic rays, hot and dead pixels, and the noise of what is left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting.background import (
    away_from_trace,
    column_level,
    column_median,
    local_level,
    median,
)
from autofocus.measure.spectrum.fitting.profile import CleanStrip, Noise, Strip

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

REJECT_SIGMAS = 6.0
GROW_SIGMAS = 3.0
SHAPE_TOLERANCE = 0.2
MOST_LOOKS = 5
LEAST_CORE = 1e-3  # of the model's height
DARKEST = 0.25  # of the rows, where a star covers all of them


def clean(strip: Strip, width_px: float, star: Floats | None = None, rest: Floats | None = None) -> CleanStrip:
    """Replace what no column of a spectrum can show.

    Each column is predicted as its own level (see `local_level`) plus its own light times the profile. A pixel
    further from that than 6 σ plus a fifth of the signal about it is a cosmic ray, a hot or a dead pixel; with it go
    its neighbours beyond 3 σ. The fifth leaves room for what the prediction does not know (the phase of a sharp
    trace, changing seeing), so that a clean frame stays as it is.

    Parameters
    ----------
    strip : Strip
        The pixels.
    width_px : float
        Full width of the profile so far known.
    star : ndarray, optional
        Starlight expected in the mean column at each pixel, shape of the strip; without it the median column stands in.
    rest : ndarray, optional
        Neighbours and sky gradient expected at each pixel, shape of the strip or one column.
    """
    values = strip.values if rest is None else strip.values - rest
    known = np.isfinite(values)
    usable = np.asarray(known.any(axis=1))
    outer = away_from_trace(strip.offsets, usable, width_px)
    level, loud, unsure = local_level(values if star is None else values - star, strip.offsets, outer)
    signal = values - level
    if not known.all():
        signal[~known] = 0.0
    if star is None:
        star = np.where(usable, np.maximum(_median_column(signal, known, outer), 0.0), 0.0)[:, None].astype(np.float32)
    flux, taken = _column_flux(signal, star, np.abs(strip.offsets) <= max(0.6 * width_px, 1.0))
    expected = star * flux.astype(np.float32)
    residual = signal - expected
    if not known.all():
        residual[~known] = 0.0
    quantum = _quantum(strip.values)
    bad = ~known
    noise = _noise(residual, expected, known, outer, taken, quantum)
    for _ in range(MOST_LOOKS):
        # A ray widens the noise of its row, and hides a lesser one there until it is gone.
        rejected = known & _impossible(residual, expected, noise, loud, unsure)
        again = rejected | ~known
        if np.array_equal(again, bad):
            break
        bad = again
        noise = _noise(residual, expected, ~bad, outer, taken, quantum)
    cleaned = strip.values
    if bad.any():
        replaced = expected + level
        cleaned = np.where(bad, replaced if rest is None else replaced + rest, strip.values)
        cleaned[~usable] = np.nan
    at_trace = level[strip.offsets.size // 2 if len(level) > 1 else 0].astype(np.float64)
    return CleanStrip(strip, cleaned, cleaned.mean(axis=1, dtype=np.float64), at_trace, flux, bad & known, noise)


def uncleaned(strip: Strip, width_px: float) -> CleanStrip:
    """A strip as it is, all columns at the same background, for a first look by medians: nothing is replaced."""
    known = np.isfinite(strip.values)
    usable = np.asarray(known.any(axis=1))
    outer = away_from_trace(strip.offsets, usable, width_px)
    level = column_level(strip.values[outer])
    signal = strip.values - (level - level.mean()).astype(np.float32)
    profile = _median_column(signal, known, outer)
    aside = np.sort(np.abs(profile[outer]))[: int(0.8 * np.count_nonzero(outer))]
    # The lower four fifths of absolute deviates have a mean of 0.5586 sigma; a median has 1.57 times a mean's variance.
    noise = Noise((float(aside.mean()) / 0.5586) ** 2 * strip.columns.size / 1.57, 0.0)
    one = np.ones(strip.columns.size)
    profile[~usable] = np.nan
    return CleanStrip(strip, signal, profile + level.mean(), np.zeros(one.size), one, ~known, noise)


def _median_column(signal: Floats, known: Mask, outer: Mask) -> Doubles:
    """The median of each row, above that of the rows away from the trace."""
    profile = column_median(signal.T, known.T)
    return profile - median(profile[outer])


def _impossible(residual: Floats, expected: Floats, noise: Noise, loud: Doubles, unsure: Doubles) -> Mask:
    """The pixels that noise and the shape of a profile cannot explain, and their neighbours as far as they are hit.

    A column under a sky line is as ``loud`` as its photons make it, and its level ``unsure`` where the line leans.
    """
    least = np.sqrt(noise.read_variance + noise.shot_factor * expected.min(axis=1))
    if not (np.maximum(residual.max(axis=1), -residual.min(axis=1)) > REJECT_SIGMAS * least).any():
        return np.zeros(residual.shape, dtype=bool)
    around = expected.copy()
    np.maximum(around[1:], expected[:-1], out=around[1:])
    np.maximum(around[:-1], expected[1:], out=around[:-1])
    excess = np.abs(residual) - SHAPE_TOLERANCE * around - unsure.astype(np.float32)
    sigma = np.sqrt(noise.read_variance * np.square(loud).astype(np.float32) + noise.shot_factor * expected)
    rejected = np.asarray(excess > REJECT_SIGMAS * sigma)
    if rejected.any():
        near = rejected.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                near |= np.roll(rejected, step, axis)
        rejected |= near & (excess > GROW_SIGMAS * sigma)
    return rejected


def _column_flux(signal: Floats, star: Floats, core: Mask) -> tuple[Doubles, Doubles]:
    """Light of each column relative to the mean column.

    The median of the ratios in the core, so that a hit pixel has no say, drawn towards their common value as far as
    their scatter is noise (James & Stein 1961). Also returns what part of the variance of each row this takes out.
    """
    taken = np.zeros(core.size)
    highest = float(star.max(initial=0.0))
    star, signal = np.broadcast_to(star, signal.shape)[core], signal[core]
    top = star.max(axis=0, initial=0.0)
    if not (top > LEAST_CORE * highest).all():  # what was fitted is not the star that was followed
        return np.ones(signal.shape[1]), taken
    bright = star > 0.3 * top
    ratio = signal / np.where(bright, star, 1.0)
    flux = column_median(ratio, bright)
    whole = np.sum(star, axis=0, where=bright)
    light = np.sum(signal, axis=0, where=bright) / whole
    flux = np.where(np.abs(light - flux) < 0.3 * np.abs(flux), light, flux)
    noise = column_median(np.abs(ratio - flux), bright) * 1.4826 / np.sqrt(bright.sum(axis=0))
    typical = median(flux)
    if not typical > 0:
        return np.ones(signal.shape[1]), taken
    scatter = (1.4826 * median(np.abs(flux - typical))) ** 2
    believed = max(scatter - median(noise) ** 2, 0.0) / max(scatter, 1e-12)
    taken[core] = believed * (2.0 - believed) * np.mean(bright * star / whole, axis=1)
    return np.maximum(typical + (flux - typical) * believed, 0.0), taken


def _quantum(values: Floats) -> float:
    """The smallest step between pixel values, at most 1: what rounding alone leaves as noise."""
    steps = np.abs(np.diff(values[:, : min(values.shape[1], 16)], axis=1))
    steps = steps[steps > 0]
    return float(min(steps.min(), 1.0)) if steps.size else 1.0


def _noise(residual: Floats, expected: Floats, good: Mask, outer: Mask, taken: Doubles, quantum: float) -> Noise:
    """Variance of a pixel as a straight line in its starlight, from the scatter along the rows.

    Without starlight it is the median over the dark rows, or over those with least light where the star covers all;
    its increase per ADU is the inverse of the gain in e-/ADU. Rows whose pixels are all rejected have no say.
    The fit of the columns' light has ``taken`` its part of the scatter of each row.
    """
    if not good.all():
        residual, expected = np.where(good, residual, 0.0), np.where(good, expected, 0.0)
    count = np.maximum(good.sum(axis=1), 1)
    square = np.einsum("ij,ij->i", residual, residual)
    variance = np.maximum(square - residual.sum(axis=1) ** 2 / count, 0.0) / (
        np.maximum(count - 1, 1) * np.maximum(1.0 - taken, 0.2)
    )
    light = expected.sum(axis=1) / count
    seen = count > 2
    dark = outer & seen
    if seen.any() and not dark.any():
        dark = seen & (light <= np.quantile(light[seen], DARKEST))
    floor = quantum**2 / 12.0
    read = max(median(variance[dark]) if dark.any() else 0.0, floor, 1e-12)
    bright = light > 0.2 * max(float(light.max()), 1e-12)
    shot = float(np.sum((variance - read)[bright] * light[bright]) / max(float(np.sum(light[bright] ** 2)), 1e-12))
    return Noise(read, max(shot, 0.0))
