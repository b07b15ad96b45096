"""Where something lies along the frame: straight ridges of any slope, width and brightness, in one orientation.

The columns of 32 parts along the dispersion vote: each part's own median is taken off (sky lines, amplifier steps and
overscan go with it), the rest is divided by its own noise and, beyond 4 of it, compressed. A cosmic ray, a hot pixel
or one bright line then weighs little more than one vote, while a trace far below the noise of a single column adds
up. The votes are summed along straight lines of all slopes allowed (a Radon transform), at widths from two pixels up,
and a ridge is what stands above *both* its sides: the edge of a slit or of an amplifier is a step and no ridge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.sampling import BLOCKS, Doubles, Floats, sample_parts
from autofocus.model import Axis, Frame

Real = TypeVar("Real", np.float32, np.float64)

MAX_SLANT = 0.06
CLIP = 4.0
DETECTION = 5.5
STRUCTURE = 0.15
MOST_BINS = 512
LEAST_BINS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """What the columns of one orientation say.

    ``residuals`` holds the typical column of each part in ADU above its own ``level``, shape (BLOCKS, across), and
    ``noise`` the noise of one of its pixels; ``x`` are the places of the parts along the dispersion. ``averaged`` is
    how many pixels of the frame one of them is worth; ``coarser`` keeps what `binned` has made of them.
    """

    axis: Axis
    residuals: Floats
    level: Floats
    noise: Floats
    x: Doubles
    length: int
    finest: int
    averaged: float
    coarser: dict[int, Floats] = field(default_factory=dict)

    @property
    def across(self) -> int:
        """Pixels across the dispersion."""
        return int(self.residuals.shape[1])

    @property
    def pixel_noise(self) -> float:
        """Noise of one pixel of the frame, ADU."""
        return float(middle(self.noise) * np.sqrt(self.averaged))

    def binned(self, size: int) -> Floats:
        """Mean residuals of every ``size`` rows, a power of two: enough to look at what is far wider."""
        if size == 1:
            return self.residuals
        if size not in self.coarser:
            self.coarser[size] = rows_together(self.binned(size // 2), 2)
        return self.coarser[size]


@dataclass(frozen=True, slots=True)
class Ridge:
    """A straight ridge: its place at mid-frame, its rise over the whole length, a rough width, and how sure it is."""

    center_px: float
    slant_px: float
    width_px: float
    significance: float


def collect_votes(frame: Frame, axis: Axis, columns: int | None) -> Votes | None:
    """Let so many columns of each part vote, all of them where None.

    Returns
    -------
    Votes or None
        None when the frame is too small to hold a trace, or constant.
    """
    parts = sample_parts(frame, axis, columns)
    if parts is None:
        return None
    across = parts.columns.shape[1]
    every = max(1, across // 256)
    level = middle(parts.columns[:, ::every])
    residuals = _without_single_rows(parts.columns - level[:, None])
    noise = neighbour_noise(residuals, every)
    usable = noise > 0
    if not usable.any():
        noise = np.std(residuals, axis=1)
        usable = noise > 0
    if not usable.any():
        return None
    # A part without noise (overscan of a clean camera, dead) has nothing to say; the others' noise mutes it.
    noise = np.maximum(noise, 0.5 * np.median(noise[usable]))
    length = frame.shape[1] if axis == "x" else frame.shape[0]
    finest = 2
    while columns is not None and across // finest > MOST_BINS:
        finest *= 2
    return Votes(axis, residuals, level, noise, parts.x, length, finest, parts.averaged)


def middle(values: NDArray[Real]) -> NDArray[Real]:
    """The upper median along the last axis."""
    half = values.shape[-1] // 2
    return np.asarray(np.partition(values, half, axis=-1)[..., half])


def neighbour_noise(profiles: Floats, every: int = 1) -> Floats:
    """Noise of a pixel of each part, from the differences of neighbouring rows."""
    first = profiles[:, :-1:every]
    return np.asarray(steps_noise(np.abs(profiles[:, 1::every][:, : first.shape[1]] - first)))


def steps_noise(steps: Floats) -> Floats:
    """Noise of a pixel from absolute differences of two, along the last axis: from the lower four fifths of them.

    Their mean is 0.5586 of the standard deviation for a Gaussian; unlike the median it lives through coarse rounding.
    """
    count = max(1, int(0.8 * steps.shape[-1]))
    lower = np.partition(steps, min(count, steps.shape[-1] - 1), axis=-1)[..., :count]
    return np.asarray(lower.mean(axis=-1) / np.float32(0.5586 * np.sqrt(2.0)))


def _without_single_rows(residuals: Floats) -> Floats:
    """Take out rows that stand out alone: a bad row is one pixel wide, the image of a star never is."""
    nine = residuals[2:29:3]
    profile = _middle_of_three(*_middle_of_three(nine[:3], nine[3:6], nine[6:]))
    before, after = np.roll(profile, 1), np.roll(profile, -1)
    outer, inner = np.maximum(before, after), np.minimum(before, after)
    noise = 1.4826 * middle(np.abs(np.diff(profile))) + 1e-6
    typical = middle(profile)
    above, below = profile - outer, inner - profile
    alone = (above > 8 * noise) & (outer - typical < 0.2 * above)
    alone |= (below > 8 * noise) & (typical - inner < 0.2 * below)
    alone[[0, -1]] = False
    for row in np.flatnonzero(alone):
        residuals[:, row] = 0.5 * (residuals[:, row - 1] + residuals[:, row + 1])
    return residuals


def _middle_of_three(one: Floats, two: Floats, three: Floats) -> Floats:
    return np.asarray(np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three)))


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """The votes summed along all slants at one width: (slants, rows) in bins of ``size`` rows, and their noise."""

    size: int
    slants: NDArray[np.intp]
    stack: Floats
    noise: float


def sum_votes(votes: Votes) -> list[Sums]:
    """Sum the votes along straight lines, at widths of the finest bins and powers of two of it."""
    size = votes.finest
    binned = rows_together(votes.residuals / votes.noise[:, None], size)
    binned = _compress(binned * np.float32(np.sqrt(size))) / np.float32(np.sqrt(size))
    sums: list[Sums] = []
    while not sums or binned.shape[1] >= LEAST_BINS:
        sums.append(_sums(binned, votes.length, size))
        size *= 2
        binned = rows_together(binned, 2)
    return sums


def find_ridges(sums: list[Sums], most: int = 16) -> list[Ridge]:
    """Ridges in order of significance, at all widths."""
    return _apart([ridge for each in sums for ridge in _peaks(each, each.stack)], most)


def find_dips(sums: list[Sums], most: int = 16) -> list[Ridge]:
    """The same of the negative: what no star makes."""
    return _apart([ridge for each in sums for ridge in _peaks(each, -each.stack)], most)


def rows_together(rows: Floats, size: int) -> Floats:
    """Means of every ``size`` rows."""
    count = rows.shape[1] // size
    total = rows[:, 0 : count * size : size].copy()
    for place in range(1, size):
        total += rows[:, place : count * size : size]
    total /= np.float32(size)
    return total


def _compress(votes: Floats) -> Floats:
    """Leave small votes as they are, and let those beyond `CLIP` grow with their logarithm only."""
    return np.asarray(np.float32(CLIP) * np.arcsinh(votes / np.float32(CLIP)))


def _apart(found: list[Ridge], most: int) -> list[Ridge]:
    """The best of those of like width that lie on top of each other."""
    kept: list[Ridge] = []
    for ridge in sorted(found, key=lambda ridge: -ridge.significance):
        if not any(_same(ridge, other) for other in kept):
            kept.append(ridge)
        if len(kept) == most:
            break
    return kept


def _same(ridge: Ridge, other: Ridge) -> bool:
    wide, narrow = max(ridge.width_px, other.width_px), min(ridge.width_px, other.width_px)
    return wide <= 2.0 * narrow and abs(ridge.center_px - other.center_px) <= wide


def _sums(binned: Floats, length: int, size: int) -> Sums:
    """The sums of one width; the noise is that of two bins against four."""
    reach = int(np.ceil(MAX_SLANT * length / size / 2))
    slants = np.arange(-reach, reach + 1) * 2
    white = 1.4826 * float(middle(np.abs(np.diff(binned, axis=1)).ravel())) / np.sqrt(2 * BLOCKS)
    return Sums(size, slants, _sum_along(binned, slants), white * np.sqrt(0.75))


def _peaks(sums: Sums, stack: Floats) -> list[Ridge]:
    """The local maxima of the ridge response."""
    response, size = stand_out(stack), sums.size
    sparse = response[:: max(1, response.shape[0] // 16)].ravel()
    spread = 1.4826 * float(middle(np.abs(sparse - middle(sparse))))
    response /= np.float32(max(sums.noise, STRUCTURE * spread, 1e-9))
    best = response.max(axis=0)
    padded = np.pad(best, 2, constant_values=-np.inf)
    around = np.max([padded[k : k + best.size] for k in range(5)], axis=0)
    peaks = np.flatnonzero((best > DETECTION) & (best >= around))
    ridges = []
    for pair in peaks[np.argsort(-best[peaks])][:16]:
        slant = int(sums.slants[int(np.argmax(response[:, pair]))])
        ridges.append(Ridge((pair + 1) * size - 0.5, float(slant * size), 2.0 * size, float(best[pair])))
    return ridges


def _sum_along(binned: Floats, slants: NDArray[np.intp]) -> Floats:
    """Mean over the parts along straight lines, shape (slants, rows); rows are counted at mid-length."""
    blocks, rows = binned.shape
    reach = int(np.abs(slants).max()) // 2 + 1
    padded = np.pad(binned, ((0, 0), (reach, reach)), mode="edge")
    place = (np.arange(blocks) + 0.5) / blocks - 0.5
    shift = np.rint(place[:, None] * slants).astype(np.intp) + reach
    step, item = padded.strides
    shifted = as_strided(padded, (blocks, 2 * reach + 1, rows), (step, item, item), writeable=False)
    total = np.zeros((slants.size, rows), dtype=np.float32)
    for block in range(blocks):
        total += shifted[block, shift[block]]
    total /= np.float32(blocks)
    return total


def stand_out(stack: Floats) -> Floats:
    """How far each pair of neighbouring bins stands above the higher of its two sides, shape (slants, rows - 1).

    A side is four bins, one bin off; at the frame's edge as many as there are, none below two.
    """
    slants, rows = stack.shape
    total = np.zeros((slants, rows + 1), dtype=np.float32)
    np.cumsum(stack, axis=1, out=total[:, 1:])
    center = (total[:, 2:] - total[:, :-2]) * np.float32(0.5)
    higher = np.full((slants, rows - 1), -np.inf, dtype=np.float32)
    for where, first, last, share in _sides(rows):
        mean = (total[:, last] - total[:, first]) * share
        np.maximum(higher[:, where], mean, out=higher[:, where])
    center -= higher
    center[:, np.isneginf(higher[0])] = 0.0
    return center


@lru_cache(maxsize=64)
def _sides(rows: int) -> tuple[tuple[slice, NDArray[np.intp], NDArray[np.intp], Floats], ...]:
    """The two sides of the pairs of so many rows: which pairs have it, its first row, the row after it, 1 / count."""
    pair = np.arange(rows - 1)
    sides = []
    for begin, end in ((pair - 5, pair - 1), (pair + 3, pair + 7)):
        first, last = np.clip(begin, 0, rows), np.clip(end, 0, rows)
        there = np.flatnonzero(last - first >= 2)
        if there.size:
            where = slice(int(there[0]), int(there[-1]) + 1)
            share = (1.0 / (last - first)[where]).astype(np.float32)
            sides.append((where, first[where], last[where], share))
    return tuple(sides)
