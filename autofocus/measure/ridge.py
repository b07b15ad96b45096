"""Where something lies along the frame: straight ridges of any slope, width and brightness, in one orientation.

Every column along the dispersion votes: its own median is taken off (sky lines, amplifier steps and overscan go
with it), the rest is divided by its own spread and, beyond 4 of it,
compressed. A cosmic ray, a hot pixel or one bright line
then weighs little more than one vote, while a trace far below the noise of a single column adds up. The votes are
summed along straight lines of all slopes allowed (a Radon transform), at widths from two pixels up, and a ridge is
what stands above *both* its sides: the edge of a slit or of an amplifier is a step and no ridge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from autofocus.model import Axis, Frame

BLOCKS = 32
MAX_SLANT = 0.06
CLIP = 4.0
DETECTION = 5.5
ABSURD = 1e12
STRUCTURE = 0.5

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """What the columns of one orientation say.

    ``blocks`` holds the mean vote, shape (BLOCKS, across); ``residuals`` the columns themselves in ADU above their
    own level, shape (across, columns), and ``x`` their places along the dispersion; ``level`` is the level of each.
    """

    axis: Axis
    blocks: Floats
    residuals: Floats
    level: Floats
    x: NDArray[np.intp]
    length: int

    @property
    def across(self) -> int:
        """Pixels across the dispersion."""
        return int(self.blocks.shape[1])


@dataclass(frozen=True, slots=True)
class Ridge:
    """A straight ridge: its place at mid-frame, its rise over the whole length, a rough width, and how sure it is."""

    center_px: float
    slant_px: float
    width_px: float
    significance: float


def along(frame: Frame, axis: Axis, across: slice, columns: slice) -> Floats:
    """A part of the frame with the dispersion along the second axis, in ADU."""
    if axis == "x":
        return frame.section(across, columns)
    return frame.section(columns, across).T


def lengths(frame: Frame, axis: Axis) -> tuple[int, int]:
    """Pixels across the dispersion and along it."""
    rows, columns = frame.shape
    return (rows, columns) if axis == "x" else (columns, rows)


def collect_votes(frame: Frame, axis: Axis, wanted: int = 256) -> Votes | None:
    """Let about ``wanted`` columns, evenly spread, vote.

    Returns
    -------
    Votes or None
        None when the frame is too small to hold a trace, or constant.
    """
    across, length = lengths(frame, axis)
    if across < 8 or length < 2 * BLOCKS:
        return None
    per_block = max(2, min(wanted, length) // BLOCKS)
    step = max(1, length // (per_block * BLOCKS))
    first = (length - (per_block * BLOCKS - 1) * step) // 2
    taken = slice(max(first, 0), max(first, 0) + per_block * BLOCKS * step, step)
    pixels = np.ascontiguousarray(along(frame, axis, slice(None), taken))
    x = np.arange(length)[taken]
    every = max(1, across // 192)
    sparse = pixels[::every]
    if not np.abs(pixels).max() < ABSURD:  # NaN too
        sound = np.abs(sparse) < ABSURD
        middle = float(np.median(sparse[sound])) if sound.any() else 0.0
        pixels = np.where(np.abs(pixels) < ABSURD, pixels, np.float32(middle))
        sparse = pixels[::every]
    level = np.median(sparse, axis=0)
    residuals = pixels - level
    spread = 1.4826 * np.median(np.abs(sparse - level), axis=0)
    usable = spread > 0
    if not usable.any():
        spread = np.std(residuals, axis=0)
        usable = spread > 0
    if not usable.any():
        return None
    # A column without spread (overscan of a clean camera, dead) has nothing to say; its neighbours' spread mutes it.
    spread = np.maximum(spread, 0.5 * np.median(spread[usable]))
    votes = _compress(residuals / spread)
    blocks = votes.reshape(across, BLOCKS, -1).mean(axis=2).T
    return Votes(axis, _without_single_rows(np.ascontiguousarray(blocks)), residuals, level, x, length)


def _compress(votes: Floats) -> Floats:
    """Leave votes up to `CLIP` as they are, and let greater ones grow with their logarithm only."""
    strong = np.abs(votes) > CLIP
    height = votes[strong]
    votes[strong] = np.copysign(CLIP * (1.0 + np.log(np.abs(height) / CLIP)), height)
    return votes


def _without_single_rows(blocks: Floats) -> Floats:
    """Take out rows that stand out alone: a bad row is one pixel wide, the image of a star never is."""
    profile = blocks.mean(axis=0)
    outer = np.maximum(np.roll(profile, 1), np.roll(profile, -1))
    inner = np.minimum(np.roll(profile, 1), np.roll(profile, -1))
    noise = 1.4826 * np.median(np.abs(np.diff(profile))) + 1e-6
    above, below = profile - outer, inner - profile
    alone = (above > 8 * noise) & (outer - np.median(profile) < 0.2 * above)
    alone |= (below > 8 * noise) & (np.median(profile) - inner < 0.2 * below)
    alone[[0, -1]] = False
    for row in np.flatnonzero(alone):
        blocks[:, row] = 0.5 * (blocks[:, row - 1] + blocks[:, row + 1])
    return blocks


def find_ridges(votes: Votes, most: int = 12) -> tuple[list[Ridge], list[Ridge]]:
    """Ridges in order of significance, each at the width that shows it best; and the dips, which no star makes."""
    bright: list[Ridge] = []
    dark: list[Ridge] = []
    size = 2
    while size == 2 or votes.across // size >= 12:
        slants, stack, noise = _stack(votes, size)
        bright += _peaks(slants, _stand_out(stack), noise, size)
        dark += _peaks(slants, _stand_out(-stack), noise, size)
        size *= 2
    return _apart(bright, most), _apart(dark, most)


def _apart(found: list[Ridge], most: int) -> list[Ridge]:
    """The best of those that lie on top of each other."""
    kept: list[Ridge] = []
    for ridge in sorted(found, key=lambda ridge: -ridge.significance):
        if all(abs(ridge.center_px - other.center_px) > 2.0 * max(ridge.width_px, other.width_px) for other in kept):
            kept.append(ridge)
        if len(kept) == most:
            break
    return kept


def _stack(votes: Votes, size: int) -> tuple[NDArray[np.intp], Floats, float]:
    """The sums along all slants with rows binned by ``size``, and the noise of two bins against four."""
    rows = votes.across // size
    binned = votes.blocks[:, : rows * size].reshape(BLOCKS, rows, size).mean(axis=2)
    reach = int(np.ceil(MAX_SLANT * votes.length / size / 2))
    slants = np.arange(-reach, reach + 1) * 2
    white = 1.4826 * float(np.median(np.abs(np.diff(binned, axis=1)))) / np.sqrt(2 * BLOCKS)
    return slants, _sum_along(binned, slants), white * np.sqrt(0.75)


def _peaks(slants: NDArray[np.intp], response: Floats, noise: float, size: int) -> list[Ridge]:
    """The local maxima of the ridge response."""
    spread = 1.4826 * float(np.median(np.abs(response - np.median(response))))
    significance = response / max(noise, STRUCTURE * spread, 1e-9)
    best = significance.max(axis=0)
    rows = best.size
    peaks = [r for r in range(rows) if best[r] > DETECTION and best[r] >= best[max(0, r - 2) : r + 3].max()]
    peaks.sort(key=lambda r: -float(best[r]))
    ridges = []
    for row in peaks[:16]:
        slant = int(slants[int(np.argmax(significance[:, row]))])
        ridges.append(Ridge((row + 0.5) * size - 0.5, float(slant * size), 2.0 * size, float(best[row])))
    return ridges


def _sum_along(binned: Floats, slants: NDArray[np.intp]) -> Floats:
    """Mean over the blocks along straight lines, shape (slants, rows); rows are counted at mid-length."""
    blocks, rows = binned.shape
    reach = int(np.abs(slants).max()) // 2 + 1
    padded = np.pad(binned, ((0, 0), (reach, reach)), mode="edge")
    place = (np.arange(blocks) + 0.5) / blocks - 0.5
    step, item = padded.strides
    shifted = as_strided(padded, (blocks, 2 * reach + 1, rows), (step, item, item), writeable=False)
    total = np.zeros((slants.size, rows), dtype=np.float32)
    for block in range(blocks):
        total += shifted[block, np.rint(slants * place[block]).astype(np.intp) + reach]
    return np.asarray(total / blocks, dtype=np.float32)


def _stand_out(stack: Floats) -> Floats:
    """How far two bins stand above the higher of their two sides (four bins each, one bin off)."""
    rows = stack.shape[1]
    total = np.cumsum(np.pad(stack, ((0, 0), (1, 0))), axis=1, dtype=np.float64)

    def mean(first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.float64]:
        first, last = np.clip(first, 0, rows), np.clip(last, 0, rows)
        count = last - first
        sums = total[:, last] - total[:, first]
        return np.where(count >= 2, sums / np.maximum(count, 1), np.nan)

    row = np.arange(rows)
    best = np.full(stack.shape, -np.inf, dtype=np.float32)
    for offset in (0, 1):  # the two bins are this one and a neighbour, whichever is brighter
        center = mean(row - offset, row - offset + 2)
        low, high = mean(row - offset - 5, row - offset - 1), mean(row - offset + 3, row - offset + 7)
        best = np.fmax(best, center - np.fmax(low, high))
    return np.nan_to_num(best, nan=0.0, posinf=0.0, neginf=0.0)
