"""Which pixels of a frame are looked at: all of a part, or a few columns of each of 32 parts along the dispersion."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autofocus.model import Axis, Frame

BLOCKS = 32
TOGETHER = 8
WIDEST_LINE_PX = 5
ABSURD = 1e12

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def along(frame: Frame, axis: Axis, across: slice, columns: slice) -> Floats:
    """A part of the frame with the dispersion along the second axis, in ADU."""
    if axis == "x":
        return frame.section(across, columns)
    return frame.section(columns, across).T


def lengths(frame: Frame, axis: Axis) -> tuple[int, int]:
    """Pixels across the dispersion and along it."""
    rows, columns = frame.shape
    return (rows, columns) if axis == "x" else (columns, rows)


def sample_parts(frame: Frame, axis: Axis, *, thorough: bool) -> tuple[Floats, Doubles] | None:
    """The typical column of each of `BLOCKS` equal parts of the length, and its place along it.

    The columns are in ADU, shape (BLOCKS, across). Each is the mean of the middle half of eight columns, so that a
    cosmic ray, a bad column or a spectral line has no say; where ``thorough``, the mean of as many such eights as
    there are. None when the frame is too small.
    """
    across, length = lengths(frame, axis)
    if across < TOGETHER or length < 2 * BLOCKS:
        return None
    period = length // BLOCKS
    together = min(TOGETHER, period)
    step = period // together
    groups = step if thorough else 1
    step = step if thorough else min(step, WIDEST_LINE_PX)
    span = step * (together - 1) + groups
    first = (length - period * (BLOCKS - 1) - span) // 2
    total: Floats | None = None
    for group in range(groups):
        places = [first + group + step * k for k in range(together)]
        typical = _middle_half([_plane(frame, axis, place, period) for place in places])
        total = typical if total is None else total + typical
    assert total is not None
    total = total / np.float32(groups) * np.float32(frame.bscale) + np.float32(frame.bzero)
    places_x: Doubles = first + 0.5 * (span - 1) + period * np.arange(BLOCKS, dtype=np.float64)
    return np.ascontiguousarray(total.T if axis == "x" else total), places_x


def _plane(frame: Frame, axis: Axis, first: int, period: int) -> Floats:
    """One column of each part as stored, without absurd numbers; its shape as it lies on the frame."""
    raw: NDArray[Any] = frame.raw[:, first::period][:, :BLOCKS] if axis == "x" else frame.raw[first::period][:BLOCKS]
    plane = raw.astype("f4")
    if raw.dtype.kind == "f" and not np.abs(plane).max() < ABSURD:  # NaN too
        sound = np.abs(plane) < ABSURD
        plane[~sound] = np.median(plane[sound]) if sound.any() else 0.0
    return plane


def _middle_half(planes: list[Floats]) -> Floats:
    """Mean without the two highest and the two lowest (of fewer than six: without one of each; of two: the mean)."""
    total = planes[0].copy()
    for plane in planes[1:]:
        total += plane
    count = len(planes)
    if count < 3:
        return np.asarray(total / np.float32(count))
    cut = 2 if count >= 6 else 1
    for extreme, other in ((np.maximum, np.minimum), (np.minimum, np.maximum)):
        most, second = extreme(planes[0], planes[1]), other(planes[0], planes[1])
        for plane in planes[2:]:
            second = extreme(second, other(most, plane))
            most = extreme(most, plane)
        total -= most
        if cut == 2:
            total -= second
    total /= np.float32(count - 2 * cut)
    return total
