"""The spatial profile: columns brought to the trace without resampling, and, once they are clean, averaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.sampling import ABSURD, along
from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.model import Frame

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """The pixels about the trace, each column shifted by whole pixels.

    ``values`` (offsets, columns) in ADU, NaN off the frame, singles as is all that has the shape of the strip;
    ``offsets`` are whole pixels from ``anchor``, the row nearest to the trace in each column; ``phase`` is how far the
    anchor lies above the trace, so that a pixel's distance from it is ``offsets + phase``.
    """

    values: Floats
    offsets: NDArray[np.intp]
    phase: Doubles
    anchor: NDArray[np.intp]
    columns: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Noise:
    """Variance of one pixel, ADU²: ``read_variance + shot_factor * starlight``."""

    read_variance: float
    shot_factor: float

    def variance(self, light: Doubles) -> Doubles:
        """Variance of one pixel with ``light`` ADU of starlight."""
        return np.asarray(self.read_variance + self.shot_factor * np.maximum(light, 0.0))

    def of(self, samples: Samples, light: Doubles | float) -> Doubles:
        """Error of each sample with ``light`` ADU of starlight."""
        return np.asarray(np.sqrt((self.read_variance + self.shot_factor * light) / samples.count))


@dataclass(frozen=True, slots=True, eq=False)
class CleanStrip:
    """A strip whose cosmic rays and hot pixels were replaced by what the neighbouring columns let expect.

    ``profile`` is the mean of the columns, ``level`` the background of each, ``flux`` the light of each relative to
    the mean.
    """

    strip: Strip
    values: Floats
    profile: Doubles
    level: Doubles
    flux: Doubles
    rejected: Mask
    noise: Noise


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The averaged profile as points: distance from the trace, ADU, and how many columns each averages.

    Columns are averaged in groups of like phase, so that a slanted trace samples the profile finer than its pixels
    do. ``box`` is the width, px, over which a sample averages: a pixel and the spread of phases within a group, two
    boxes in a row taken as one of the same variance; ``scale`` is the light of the group relative to the mean.
    """

    distance: Doubles
    value: Doubles
    count: Doubles
    scale: Doubles
    box: Doubles

    def only(self, keep: Mask) -> Samples:
        """The samples chosen."""
        parts = (self.distance, self.value, self.count, self.scale, self.box)
        return Samples(*(part[keep] for part in parts))


def cut_strip(frame: Frame, trace: Trace, columns: tuple[int, int], reach: int) -> Strip:
    """Cut the pixels within ``reach`` of the trace out of the columns given (half-open)."""
    x = np.arange(*columns)
    center = trace.center(x)
    anchor = np.rint(center).astype(np.intp)
    low = max(int(anchor.min()) - reach, 0)
    high = max(min(int(anchor.max()) + reach + 1, trace.across), low)
    pixels = along(frame, trace.axis, slice(low, high), slice(*columns))
    values = np.full((2 * reach + 1, x.size), np.nan, np.float32)
    ends = [0, *(np.flatnonzero(np.diff(anchor)) + 1).tolist(), x.size]
    for first, last in pairwise(ends):
        top = int(anchor[first]) - reach - low
        part = pixels[max(top, 0) : max(top + len(values), 0), first:last]
        values[max(-top, 0) : max(-top, 0) + len(part), first:last] = part
    if not np.abs(values).max() < ABSURD:  # NaN too
        values[~(np.abs(values) < ABSURD)] = np.nan
    return Strip(values, np.arange(-reach, reach + 1), anchor - center, anchor, x)


def at_phases(strip: Strip, light: Callable[[Doubles], Doubles], width_px: float) -> Floats:
    """A function of the distance from the trace at every pixel of a strip, by straight lines between fine steps."""
    step = 0.5 / np.ceil(8.0 / max(width_px, 1.0))
    first = np.floor(strip.phase.min() / step)
    cell = strip.phase / step - first
    index = cell.astype(np.intp)
    phases = (first + np.arange(int(index.max()) + 2)) * step
    table = light((strip.offsets[:, None] + phases).ravel()).reshape(strip.offsets.size, -1).astype(np.float32)
    return np.asarray(
        table[:, index] + np.diff(table, axis=1)[:, index] * (cell - index).astype(np.float32), np.float32
    )


def average(cleaned: CleanStrip, groups: int, core_px: float, rows: int = 1, *, medians: bool = False) -> Samples:
    """Average the columns: within ``core_px`` of the trace in ``groups`` of like phase, all together beyond.

    For a wide profile ``rows`` neighbouring rows are averaged as well. With ``medians`` of the columns in place of
    means rays have no say: the strip need not be clean.
    """
    strip, flux = cleaned.strip, cleaned.flux
    known = np.isfinite(cleaned.profile)
    if rows > 1:
        return _average_rows(strip, cleaned.profile, known, rows)
    parts: list[tuple[Mask, slice | NDArray[np.intp]]] = [(known, slice(None))]
    if groups > 1:
        core = known & (np.abs(strip.offsets) <= core_px)
        order = np.argsort(strip.phase, kind="stable")
        edges = np.linspace(strip.phase[order[0]], strip.phase[order[-1]], groups + 1)[1:-1]
        alike = np.split(order, np.searchsorted(strip.phase[order], edges))
        parts = [(known & ~core, slice(None)), *((core, part) for part in alike if part.size)]
    total = max(float(flux.mean()), 1e-9)
    level = cleaned.level - cleaned.level.mean()
    of = _median_of if medians else _mean_of
    offsets, means, facts = [], [], []
    for chosen, part in parts:
        phase = strip.phase[part]
        offsets.append(strip.offsets[chosen] + phase.mean())
        # Columns differ in level (sky lines, two amplifiers), and so would the groups.
        means.append(cleaned.profile[chosen] if isinstance(part, slice) else of(cleaned.values, chosen, part, level))
        facts.append((phase.size, float(flux[part].mean()) / total, float(np.sqrt(1.0 + 12.0 * phase.var()))))
    count, scale, box = np.repeat(np.array(facts).T, [offset.size for offset in offsets], axis=1)
    return Samples(np.concatenate(offsets), np.concatenate(means), count, scale, box)


def _mean_of(values: Floats, rows: Mask, columns: NDArray[np.intp], level: Doubles) -> Doubles:
    """Mean of these columns, less their own ``level``."""
    return np.asarray(values[rows][:, columns].mean(axis=1, dtype=np.float64) - level[columns].mean())


def _median_of(values: Floats, rows: Mask, columns: NDArray[np.intp], level: Doubles) -> Doubles:
    """Their median likewise."""
    ordered = np.sort(values[rows][:, columns], axis=1)
    low, high = (columns.size - 1) // 2, columns.size // 2
    return np.asarray(0.5 * (ordered[:, low] + ordered[:, high].astype(np.float64)) - level[columns].mean())


def _average_rows(strip: Strip, profile: Doubles, known: Mask, rows: int) -> Samples:
    """The profile in bins of ``rows`` rows."""
    used = np.flatnonzero(known)
    bins = used[: used.size // rows * rows].reshape(-1, rows)
    one = np.ones(bins.shape[0])
    box = np.sqrt(12.0 * strip.phase.var() + rows**2)
    distance = strip.offsets[bins].mean(axis=1) + strip.phase.mean()
    return Samples(distance, profile[bins].mean(axis=1), rows * strip.columns.size * one, one, box * one)
