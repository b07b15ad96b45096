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
    if _take_out_single_rows(residuals, noise):
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


def _take_out_single_rows(residuals: Floats, noise: Floats) -> bool:
    """Take out rows that stand out alone, in all parts or brightly in one: a bad row, a cosmic ray along the trace.

    They are one pixel wide, which the image of a star never is. Returns whether there were any.
    """
    nine = residuals[2:29:3]
    profile = _middle_of_three(*_middle_of_three(nine[:3], nine[3:6], nine[6:]))[None]
    profile -= middle(profile)
    least = np.float32(1.4826) * middle(np.abs(np.diff(profile))) + np.float32(1e-6)
    bad = np.concatenate((_alone(profile, least)[1], _alone(-profile, least)[1]))
    for row in bad:
        residuals[:, row] = 0.5 * (residuals[:, row - 1] + residuals[:, row + 1])
    parts, rows = _alone(residuals, noise + np.float32(1e-6))
    residuals[parts, rows] = 0.5 * (residuals[parts, rows - 1] + residuals[parts, rows + 1])
    return bool(bad.size + rows.size)


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
