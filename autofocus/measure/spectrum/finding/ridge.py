"""Where something lies along the frame: straight ridges of any slope, width and brightness, in one orientation.

The columns of 32 parts along the dispersion vote: each part's own median is taken off (sky lines, amplifier steps and
overscan go with it), the rest is divided by its own noise and, beyond 4 of it, compressed. A cosmic ray, a hot pixel
or one bright line then weighs little more than one vote, while a trace far below the noise of a single column adds
up. The votes are summed along straight lines of all slopes allowed (a Radon transform), at widths from two pixels up,
and a ridge is what stands above *both* its sides: the edge of a slit or of an amplifier is a step and no ridge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.sampling import BLOCKS, Floats
from autofocus.measure.spectrum.finding.votes import Votes, middle, rows_together

MAX_SLANT = 0.06
CLIP = 4.0
DETECTION = 5.5
STRUCTURE = 0.15
LEAST_BINS = 8


@dataclass(frozen=True, slots=True)
class Ridge:
    """A straight ridge: its place at mid-frame, its rise over the whole length, a rough width, and how sure it is."""

    center_px: float
    slant_px: float
    width_px: float
    significance: float


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
    binned = compress(binned * np.float32(np.sqrt(size))) / np.float32(np.sqrt(size))
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


def compress(votes: Floats) -> Floats:
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
    return Sums(size, slants, sum_along(binned, slants), white * np.sqrt(0.75))


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


def sum_along(binned: Floats, slants: NDArray[np.intp]) -> Floats:
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
