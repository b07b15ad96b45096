"""The spatial profile: columns brought to the trace without resampling, cleaned of cosmic rays, and averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.background import away_from_trace, column_level
from autofocus.measure.spectrum.sampling import ABSURD, along
from autofocus.measure.spectrum.trace import Trace
from autofocus.model import Frame

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

REJECT_SIGMAS = 6.0
GROW_SIGMAS = 3.0
SHAPE_TOLERANCE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """The pixels about the trace, each column shifted by whole pixels.

    ``values`` (offsets, columns) in ADU, NaN off the frame; ``offsets`` are whole pixels
    from ``anchor``, the row nearest to the trace in each column;
    ``phase`` is how far the anchor lies above the trace, so that a pixel's distance from it is ``offsets + phase``.
    """

    values: Doubles
    offsets: NDArray[np.intp]
    phase: Doubles
    anchor: NDArray[np.intp]
    columns: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class CleanStrip:
    """A strip whose cosmic rays and hot pixels were replaced by what the neighbouring columns let expect.

    ``level`` is the background of each column, ``flux`` the light of each relative to the mean; the variance of one
    pixel is ``read_variance + shot_factor * signal``.
    """

    strip: Strip
    values: Doubles
    level: Doubles
    flux: Doubles
    rejected: Mask
    read_variance: float
    shot_factor: float

    def pixel_variance(self, signal: Doubles) -> Doubles:
        """Variance of one pixel with ``signal`` ADU of starlight."""
        return np.asarray(self.read_variance + self.shot_factor * np.maximum(signal, 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The averaged profile as points: distance from the trace, ADU, and how many columns each averages.

    Columns are averaged in groups of like phase, so that a slanted trace samples the profile finer than its pixels
    do. ``blur`` is the spread of phases within a group (a box of that width), ``scale`` the light of the group
    relative to the mean.
    """

    distance: Doubles
    value: Doubles
    count: Doubles
    scale: Doubles
    blur: Doubles

    def only(self, keep: Mask) -> Samples:
        """The samples chosen."""
        parts = (self.distance, self.value, self.count, self.scale, self.blur)
        return Samples(*(part[keep] for part in parts))


def cut_strip(frame: Frame, trace: Trace, columns: tuple[int, int], reach: int) -> Strip:
    """Cut the pixels within ``reach`` of the trace out of the columns given (half-open)."""
    x = np.arange(*columns)
    center = trace.center(x)
    anchor = np.rint(center).astype(np.intp)
    low = max(int(anchor.min()) - reach, 0)
    high = min(int(anchor.max()) + reach + 1, trace.across)
    pixels = along(frame, trace.axis, slice(low, high), slice(*columns)).astype(np.float64)
    offsets = np.arange(-reach, reach + 1)
    rows = anchor[None, :] + offsets[:, None] - low
    inside = (rows >= 0) & (rows < pixels.shape[0])
    values = np.take_along_axis(pixels, np.clip(rows, 0, pixels.shape[0] - 1), axis=0)
    values[~inside] = np.nan
    values[~(np.abs(values) < ABSURD)] = np.nan
    return Strip(values, offsets, anchor - center, anchor, x)


def clean(strip: Strip, width_px: float, star: Doubles | None = None, rest: Doubles | None = None) -> CleanStrip:
    """Replace what no column of a spectrum can show.

    Each column is predicted as its own level plus its own light times the profile. A pixel further from that than
    6 σ plus a fifth of the signal about it is a cosmic ray, a hot or a dead pixel; with it go its neighbours beyond
    3 σ. The fifth leaves room for what the prediction does not know (the phase of a sharp trace, changing
    seeing), so that a clean frame stays as it is.

    Parameters
    ----------
    strip : Strip
        The pixels.
    width_px : float
        Full width of the profile so far known.
    star : ndarray, optional
        Starlight expected in the mean column at each pixel, shape of the strip; without it the median column stands in.
    rest : ndarray, optional
        Neighbours and sky gradient expected at each pixel.
    """
    values = strip.values if rest is None else strip.values - rest
    known = np.isfinite(values)
    usable = known.any(axis=1)
    outer = away_from_trace(strip.offsets, width_px) & usable
    if star is None:
        level = column_level(values[outer])
        profile = np.median(np.where(known, values - level, 0.0), axis=1)
        profile = np.maximum(profile - np.median(profile[outer]), 0.0)
        star = np.repeat(np.where(usable, profile, 0.0)[:, None], strip.columns.size, axis=1)
    else:
        level = column_level((values - star)[outer])
    signal = np.where(known, values - level, 0.0)
    flux = _column_flux(signal, star, np.abs(strip.offsets) <= max(0.6 * width_px, 1.0))
    expected = star * flux
    residual = np.where(known, signal - expected, 0.0)
    read, shot = _noise(residual, expected, known, outer, _quantum(strip.values))
    rejected = known & _impossible(residual, expected, read, shot)
    read, shot = _noise(residual, expected, known & ~rejected, outer, _quantum(strip.values))
    cleaned = np.where(rejected | ~known, expected + level + (0.0 if rest is None else rest), strip.values)
    cleaned[~usable] = np.nan
    return CleanStrip(strip, cleaned, level, flux, rejected, read, shot)


def _impossible(residual: Doubles, expected: Doubles, read: float, shot: float) -> Mask:
    """The pixels that noise and the shape of a profile cannot explain, and their neighbours as far as they are hit."""
    sigma = np.sqrt(read + shot * np.maximum(expected, 0.0))
    around = np.maximum(expected, np.maximum(np.roll(expected, 1, 0), np.roll(expected, -1, 0)))
    excess = (np.abs(residual) - SHAPE_TOLERANCE * around) / sigma
    rejected = excess > REJECT_SIGMAS
    if rejected.any():
        near = rejected.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                near |= np.roll(rejected, step, axis)
        rejected |= near & (excess > GROW_SIGMAS)
    return np.asarray(rejected)


def _column_flux(signal: Doubles, star: Doubles, core: Mask) -> Doubles:
    """Light of each column relative to the mean column.

    The median of the ratios in the core, so that a hit pixel has no say, drawn towards their common value as far as
    their scatter is noise (James & Stein 1961).
    """
    top = star.max(axis=0)
    if not core.any() or not (top > 0).all():
        return np.ones(signal.shape[1])
    bright = core[:, None] & (star > 0.3 * top)
    rows = bright.any(axis=1)
    ratio = np.where(bright[rows], signal[rows] / np.where(bright[rows], star[rows], 1.0), np.nan)
    count = bright.sum(axis=0)
    flux = column_level(ratio)
    weight = np.where(bright[rows], star[rows], 0.0)
    light = np.sum(np.where(bright[rows], signal[rows], 0.0), axis=0) / np.maximum(weight.sum(axis=0), 1e-12)
    flux = np.where(np.abs(light - flux) < 0.3 * np.abs(flux), light, flux)
    noise = np.nanmedian(np.abs(ratio - flux), axis=0) * 1.4826 / np.sqrt(np.maximum(count, 1))
    typical = float(np.median(flux))
    if not typical > 0:
        return np.ones(signal.shape[1])
    scatter = (1.4826 * float(np.median(np.abs(flux - typical)))) ** 2
    believed = max(scatter - float(np.median(noise)) ** 2, 0.0) / max(scatter, 1e-12)
    return np.maximum(typical + (flux - typical) * believed, 0.0)


def _quantum(values: Doubles) -> float:
    """The smallest step between pixel values, at most 1: what rounding alone leaves as noise."""
    steps = np.abs(np.diff(values[:, : min(values.shape[1], 16)], axis=1))
    steps = steps[steps > 0]
    return float(min(steps.min(), 1.0)) if steps.size else 1.0


def _noise(residual: Doubles, expected: Doubles, good: Mask, outer: Mask, quantum: float) -> tuple[float, float]:
    """Variance of a pixel as a straight line in its starlight, from the scatter along the rows.

    Returns the variance without starlight and its increase per ADU (the inverse of the gain in e-/ADU).
    """
    count = good.sum(axis=1)
    mean = np.where(good, residual, 0.0).sum(axis=1) / np.maximum(count, 1)
    scatter = np.where(good, residual - mean[:, None], 0.0)
    variance = (scatter**2).sum(axis=1) / np.maximum(count - 1, 1)
    light = np.where(good, expected, 0.0).sum(axis=1) / np.maximum(count, 1)
    dark = outer & (count > 2)
    floor = quantum**2 / 12.0
    read = max(float(np.median(variance[dark])) if dark.any() else float(variance.min()), floor, 1e-12)
    bright = light > 0.2 * max(float(light.max()), 1e-12)
    shot = float(np.sum((variance - read)[bright] * light[bright]) / max(float(np.sum(light[bright] ** 2)), 1e-12))
    return read, max(shot, 0.0)


def average(cleaned: CleanStrip, groups: int, core_px: float, rows: int = 1) -> Samples:
    """Average the columns: within ``core_px`` of the trace in ``groups`` of like phase, all together beyond.

    For a wide profile ``rows`` neighbouring rows are averaged as well.
    """
    strip = cleaned.strip
    # Columns differ in level (sky lines, two amplifiers), and so would the groups.
    signal = cleaned.values - (cleaned.level - cleaned.level.mean())
    known = np.isfinite(signal).any(axis=1)
    core = known & (np.abs(strip.offsets) <= core_px)
    order = np.argsort(strip.phase, kind="stable")
    total = max(float(np.mean(cleaned.flux)), 1e-9)
    points: list[tuple[Doubles, ...]] = []
    if rows > 1:
        return _average_rows(strip, signal.mean(axis=1), known, rows)
    parts = [(core, part) for part in np.array_split(order, groups)] + [(known & ~core, order)]
    for chosen, part in parts:
        phase = strip.phase[part]
        offset = strip.offsets[chosen] + phase.mean()
        mean = signal[np.ix_(chosen, part)].mean(axis=1)
        facts = (part.size, float(np.mean(cleaned.flux[part])) / total, np.sqrt(12.0) * phase.std())
        points.append((offset, mean, *(fact * np.ones_like(offset) for fact in facts)))
    return Samples(*(np.concatenate(column) for column in zip(*points, strict=True)))


def _average_rows(strip: Strip, profile: Doubles, known: Mask, rows: int) -> Samples:
    """The profile in bins of ``rows`` rows."""
    used = np.flatnonzero(known)
    bins = used[: used.size // rows * rows].reshape(-1, rows)
    one = np.ones(bins.shape[0])
    box = np.sqrt(12.0 * strip.phase.var() + rows**2 - 1.0)
    distance = strip.offsets[bins].mean(axis=1) + strip.phase.mean()
    return Samples(distance, profile[bins].mean(axis=1), rows * strip.columns.size * one, one, box * one)
