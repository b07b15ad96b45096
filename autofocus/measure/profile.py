"""The spatial profile: columns brought to the trace without resampling, cleaned of cosmic rays, and averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.ridge import along
from autofocus.measure.trace import Trace
from autofocus.model import Frame

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

REJECT_SIGMAS = 6.0
GROW_SIGMAS = 3.0
SHAPE_TOLERANCE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """The pixels about the trace, each column shifted by whole pixels.

    ``values`` (offsets, columns) in ADU, NaN off the frame; ``offsets`` are whole pixels from ``anchor``, the row nearest to the trace in each column;
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
    values[~np.isfinite(values)] = np.nan
    return Strip(values, offsets, anchor - center, anchor, x)


def clean(strip: Strip, width_px: float) -> CleanStrip:
    """Replace what no column of a spectrum can show.

    Each column is predicted from the profile of the median column times its own light. A pixel further from that
    than 6 σ plus a fifth of the signal about it is a cosmic ray, a hot or a dead pixel; with it go its neighbours
    beyond 3 σ. The fifth leaves room for what the prediction does not know (the phase of a
    sharp trace, changing seeing), so that a clean frame stays as it is.
    """
    values = strip.values
    distance = np.abs(strip.offsets)
    guard = max(3.0 * width_px, 4.0)
    outer = distance > guard if np.count_nonzero(distance > guard) >= 8 else distance > 0.6 * distance.max()
    known = np.isfinite(values)
    usable = known.any(axis=1)
    level = _column_level(values[outer & usable])
    signal = np.where(known, values - level, 0.0)
    template = np.median(signal, axis=1)
    template -= np.median(template[outer])
    template = np.where(usable, np.maximum(template, 0.0), 0.0)
    flux = _column_flux(signal, template, distance <= max(0.6 * width_px, 1.0))
    expected = template[:, None] * flux
    residual = signal - expected
    rest = residual[outer & usable]
    read = max((1.4826 * float(np.median(np.abs(rest - np.median(rest))))) ** 2, _quantum(values) ** 2 / 12.0)
    core = template > 0.3 * template.max()
    shot = max((1.4826 * float(np.median(np.abs(residual[core])))) ** 2 - read, 0.0) / max(
        float(np.median(expected[core])), 1e-9
    )
    sigma = np.sqrt(read + shot * np.maximum(expected, 0.0))
    around = np.maximum(expected, np.maximum(np.roll(expected, 1, 0), np.roll(expected, -1, 0)))
    excess = np.abs(residual) - SHAPE_TOLERANCE * around
    rejected = known & (excess > REJECT_SIGMAS * sigma)
    if rejected.any():
        near = rejected.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                near |= np.roll(rejected, step, axis)
        rejected |= near & known & (excess > GROW_SIGMAS * sigma)
    cleaned = np.where(rejected | ~known, expected + level, values)
    cleaned[~usable] = np.nan
    return CleanStrip(strip, cleaned, level, flux, rejected, *_noise(cleaned - level, expected, ~rejected & known, usable))


def _column_level(outer: Doubles) -> Doubles:
    """Background of each column: the median of its pixels away from the trace."""
    if outer.size == 0:
        return np.zeros(outer.shape[1])
    if np.isfinite(outer).all():
        return np.asarray(np.median(outer, axis=0))
    filled = np.where(np.isfinite(outer), outer, np.inf)
    filled.sort(axis=0)
    count = np.isfinite(outer).sum(axis=0)
    middle = np.take_along_axis(filled, np.maximum(count // 2, 0)[None, :].clip(0, outer.shape[0] - 1), axis=0)[0]
    return np.where(count > 0, middle, np.nanmedian(outer))


def _column_flux(signal: Doubles, template: Doubles, core: Mask) -> Doubles:
    """Light of each column relative to the median column, robust against a hit pixel; 1 where it drowns in noise."""
    bright = core & (template > 0.3 * template.max())
    if not bright.any():
        return np.ones(signal.shape[1])
    ratio = signal[bright] / template[bright][:, None]
    flux = np.median(ratio, axis=0)
    spread = 1.4826 * np.median(np.abs(ratio - flux), axis=0) / np.sqrt(np.count_nonzero(bright))
    if np.median(spread) > 0.3:
        return np.ones(signal.shape[1])
    return np.maximum(flux, 0.0)


def _quantum(values: Doubles) -> float:
    """The smallest step between pixel values, at most 1: what rounding alone leaves as noise."""
    steps = np.abs(np.diff(values[:, : min(values.shape[1], 16)], axis=1))
    steps = steps[steps > 0]
    return float(min(steps.min(), 1.0)) if steps.size else 1.0


def _noise(signal: Doubles, expected: Doubles, good: Mask, usable: Mask) -> tuple[float, float]:
    """Variance of a pixel as a line in its signal, from the scatter along each row about its own column-scaled mean."""
    count = good.sum(axis=1)
    rows = usable & (count > 10)
    scatter = np.where(good, signal - expected, 0.0)
    mean = scatter.sum(axis=1) / np.maximum(count, 1)
    scatter = np.where(good, scatter - mean[:, None], 0.0)
    variance = (scatter**2).sum(axis=1) / np.maximum(count - 1, 1)
    level = np.where(good, expected, 0.0).sum(axis=1) / np.maximum(count, 1)
    v, s = variance[rows], level[rows]
    if v.size < 4:
        return float(np.median(variance[usable])) if usable.any() else 1.0, 0.0
    dark = s < 0.02 * max(float(s.max()), 1e-9)
    read = float(np.mean(v[dark])) if dark.sum() >= 4 else float(np.min(v))
    bright = s > 0.2 * s.max()
    shot = max(float(np.sum((v[bright] - read) * s[bright]) / max(float(np.sum(s[bright] ** 2)), 1e-12)), 0.0)
    return max(read, 1e-12), shot


def average(cleaned: CleanStrip, groups: int) -> Samples:
    """Average the columns in ``groups`` of like phase."""
    strip = cleaned.strip
    order = np.argsort(strip.phase, kind="stable")
    parts = np.array_split(order, groups) if groups > 1 else [order]
    signal = cleaned.values
    rows = np.isfinite(signal).any(axis=1)
    core = np.abs(strip.offsets) <= 3
    total = float(np.mean(cleaned.flux)) or 1.0
    columns: list[tuple[Doubles, ...]] = []
    for part in parts:
        phase = strip.phase[part]
        mean = signal[np.ix_(rows, part)].mean(axis=1)
        scale = float(np.mean(cleaned.flux[part])) / total
        offset = strip.offsets[rows] + phase.mean()
        ones = np.ones_like(offset)
        columns.append((offset, mean, part.size * ones, scale * ones, np.sqrt(12.0) * phase.std() * ones))
    del core
    return Samples(*(np.concatenate(column) for column in zip(*columns, strict=True)))
