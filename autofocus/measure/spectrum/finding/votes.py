"""What the columns of one orientation say: the residuals of 32 parts along the dispersion, and their noise.

Each part's own median is taken off (sky lines, amplifier steps and overscan go with it), and what stands alone in one
row is taken out: a bad row, a cosmic ray along the trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.sampling import Doubles, Floats, sample_parts
from autofocus.model import Axis, Frame

Real = TypeVar("Real", np.float32, np.float64)

MOST_BINS = 512
MOST_BAD_ROWS = 5
BAD_ROW_SIGMAS = 5.0
BESIDE_ROWS = 8
SPOILED = 6  # parts at either end, by rays and lines
MOST_GROUPS = 64  # looked at, to bound the time that steep frames take
FLANK = 0.3  # of the faintest row, what may be beside them at a first look
SHARP = 0.05  # of its height, a pixel beside the two that share a star of 1.3 px FWHM has 0.08
SAME = 0.15  # the light of a star changes more along a frame


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
    residuals = parts.columns - level[:, None]
    noise = neighbour_noise(residuals, every)
    if _take_out_bad_rows(residuals, noise):
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


def _take_out_bad_rows(residuals: Floats, noise: Floats) -> bool:
    """Take out rows that stand out in all parts, or brightly in one: bad rows, a cosmic ray along the trace.

    Alone they are one pixel wide, which the image of a star never is; of several side by side see `_bad_groups`.
    Returns whether there were any.
    """
    nine = residuals[2:29:3]
    profile = _middle_of_three(*_middle_of_three(nine[:3], nine[3:6], nine[6:]))[None]
    profile -= middle(profile)
    least = np.float32(1.4826) * middle(np.abs(np.diff(profile))) + np.float32(1e-6)
    bad = np.concatenate((_alone(profile, least)[1], _alone(-profile, least)[1]))
    for row in bad:
        residuals[:, row] = 0.5 * (residuals[:, row - 1] + residuals[:, row + 1])
    sides = ((residuals, profile[0]), (-residuals, -profile[0]))
    groups = [group for side in sides for group in _bad_groups(*side, float(least[0]), noise)]
    for first, last in groups:
        residuals[:, first:last] = 0.5 * (residuals[:, first - 1] + residuals[:, last])[:, None]
    parts, rows = _alone(residuals, noise + np.float32(1e-6))
    residuals[parts, rows] = 0.5 * (residuals[parts, rows - 1] + residuals[parts, rows + 1])
    return bool(bad.size + rows.size + len(groups))


def _bad_groups(residuals: Floats, profile: Floats, least: float, noise: Floats) -> list[tuple[int, int]]:
    """The first row, and the one after the last, of bad rows side by side.

    They rise and fall within one pixel, which no star does, be it ever so sharp, lie on the same rows in all parts, and
    are as bright in all of them.
    """
    rises = np.diff(profile)
    groups: list[tuple[int, int]] = []
    for first in np.flatnonzero(rises > BAD_ROW_SIGMAS * least)[:MOST_GROUPS] + 1:
        falls = np.flatnonzero(rises[first : first + MOST_BAD_ROWS] < -0.5 * rises[first - 1])
        last = int(first + 1 + falls[0]) if falls.size else 0
        if last <= first + 1 or profile[[first - 1, last]].max() > FLANK * profile[first:last].min() + 3.0 * least:
            continue  # most stars go here
        if _is_bad_group(residuals, int(first), last, noise):
            groups.append((int(first), last))
    return groups


def _is_bad_group(residuals: Floats, first: int, last: int, noise: Floats) -> bool:
    """Whether nothing lies on the rows before and after a group, while all of it is as bright in all parts."""
    low, high = max(first - BESIDE_ROWS, 0), min(last + BESIDE_ROWS, residuals.shape[1])
    middle_parts = np.sort(residuals[:, low:high], axis=0)[SPOILED:-SPOILED].mean(axis=0)
    inner = slice(first - low, last - low)
    base = float(middle(np.delete(middle_parts, np.s_[inner])))
    height = float(middle_parts[inner].min()) - base
    beside = float(np.abs(middle_parts[[inner.start - 1, inner.stop]] - base).max())
    each = float(np.median(noise))
    if beside > max(SHARP * height, 3.0 * each / np.sqrt(residuals.shape[0])):
        return False
    light = np.sort(residuals[:, first:last].mean(axis=1))
    chance = 2.4 * each / np.sqrt(last - first)  # from the fourth of 32 numbers of a Gaussian to the fourth last
    differ = np.sqrt(max(float(light[-4] - light[3]) ** 2 - chance**2, 0.0))
    return bool(differ < SAME * height)


def _alone(profiles: Floats, noise: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Part and row of what lies far above both its neighbours, where these show next to nothing."""
    sharp = 2.0 * profiles[:, 1:-1]
    sharp -= profiles[:, :-2]
    sharp -= profiles[:, 2:]
    parts, rows = np.nonzero(sharp > (16.0 * noise)[:, None])
    rows += 1
    beside = np.maximum(profiles[parts, rows - 1], profiles[parts, rows + 1])
    above = profiles[parts, rows] - beside
    alone = (above > 8.0 * noise[parts]) & (beside < 0.2 * above)
    return parts[alone], rows[alone]


def _middle_of_three(one: Floats, two: Floats, three: Floats) -> Floats:
    return np.asarray(np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three)))


def rows_together(rows: Floats, size: int) -> Floats:
    """Means of every ``size`` rows."""
    count = rows.shape[1] // size
    total = rows[:, 0 : count * size : size].copy()
    for place in range(1, size):
        total += rows[:, place : count * size : size]
    total /= np.float32(size)
    return total
