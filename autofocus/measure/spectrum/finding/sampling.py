"""Which pixels of a frame are looked at: a few columns of each of 32 parts along the dispersion, or all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autofocus.model import Axis, Frame

BLOCKS = 32
FEW = 4
SEVERAL = 8
WIDEST_LINE_PX = 5
ABSURD = 1e12
AT_ONCE = 64
BAND = 256
MIDDLE_TWO = 3.354  # the mean of the middle two of four numbers of a Gaussian is as good as that of so many

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


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The typical column of each part in ADU, shape (BLOCKS, across), and its place ``x`` along the dispersion.

    A pixel of it has the noise of the mean of so many pixels as ``averaged`` says.
    """

    columns: Floats
    x: Doubles
    averaged: float


def sample_parts(frame: Frame, axis: Axis, columns: int | None) -> Parts | None:
    """The typical column of each of `BLOCKS` equal parts of the length.

    Parameters
    ----------
    frame : Frame
        Any image.
    axis : "x" or "y"
        The dispersion axis supposed.
    columns : int or None
        How many columns of each part are read, `FEW` or `SEVERAL`; None for all of them.

    Returns
    -------
    Parts or None
        Each column is the mean of the middle two of every four, so that a cosmic ray, a bad column or a spectral line
        has no say. None when the frame is too small.
    """
    across, length = lengths(frame, axis)
    if across < SEVERAL or length < 2 * BLOCKS:
        return None
    period = length // BLOCKS
    together = min(columns or SEVERAL, period)
    step = period // together
    groups = step if columns is None else 1
    step = step if columns is None else min(step, WIDEST_LINE_PX)
    span = step * (together - 1) + groups
    first = (length - period * (BLOCKS - 1) - span) // 2
    total = _typical(frame, axis, [first + step * k for k in range(together)], period)
    for group in range(1, groups):
        total += _typical(frame, axis, [first + group + step * k for k in range(together)], period)
    total *= np.float32(frame.bscale / groups)
    total += np.float32(frame.bzero)
    places: Doubles = first + 0.5 * (span - 1) + period * np.arange(BLOCKS, dtype=np.float64)
    averaged = groups * (together // 4 * MIDDLE_TWO if together >= 4 else together)
    return Parts(np.ascontiguousarray(total.T if axis == "x" else total), places, averaged)


def _typical(frame: Frame, axis: Axis, places: Sequence[int], period: int) -> Floats:
    """Mean of the middle two of every four columns of each part, as stored; of less than four, the mean of all."""
    planes = _planes(frame, axis, places, period)
    middle: list[NDArray[Any]] = []
    fours = len(planes) // 4
    for begin in range(fours):  # every fours-th, so that neighbours are in different fours
        one, two, three, four = planes[begin : begin + 3 * fours + 1 : fours]
        middle.append(np.maximum(np.minimum(one, two), np.minimum(three, four)))
        middle.append(np.minimum(np.maximum(one, two), np.maximum(three, four)))
    middle = middle or planes
    total = middle[0].astype(np.float32)
    for plane in middle[1:]:
        total += plane
    total /= np.float32(len(middle))
    return total


def _planes(frame: Frame, axis: Axis, places: Sequence[int], period: int) -> list[NDArray[Any]]:
    """For each place one column of each part as stored, without absurd numbers; shape as it lies on the frame."""
    raw = frame.raw
    small = raw.dtype.kind in "ui" and raw.dtype.itemsize <= 2  # compared as they are, and fast
    shape = (raw.shape[0], BLOCKS) if axis == "x" else (BLOCKS, raw.shape[1])
    planes = np.empty((len(places), *shape), raw.dtype.newbyteorder("=") if small else np.float32)
    if axis == "y":
        for plane, first in zip(planes, places, strict=True):
            plane[:] = raw[first::period][:BLOCKS]
    else:  # in bands of rows: neighbouring columns lie in the same lines of the cache
        for begin in range(0, raw.shape[0], BAND):
            band = slice(begin, begin + BAND)
            for plane, first in zip(planes, places, strict=True):
                plane[band] = raw[band, first::period][:, :BLOCKS]
    return list(planes) if raw.dtype.kind != "f" else [_sound(plane) for plane in planes]


def _sound(plane: Floats) -> Floats:
    """The plane with the median in the place of absurd numbers."""
    if not np.abs(plane).max() < ABSURD:  # NaN too
        sound = np.abs(plane) < ABSURD
        plane[~sound] = np.median(plane[sound]) if sound.any() else 0.0
    return plane


def clipped_mean(frame: Frame, axis: Axis, typical: Floats, reach: Floats) -> Floats:
    """The mean of all columns of each part, where no pixel lies further than ``reach`` from the ``typical`` one, ADU.

    A Huber mean: as good as the mean where there is noise alone, and no ray or line weighs more than one pixel may.
    """
    across, length = lengths(frame, axis)
    period = length // BLOCKS
    first = (length - period * BLOCKS) // 2
    center = (typical - np.float32(frame.bzero)) / np.float32(frame.bscale)
    most = np.broadcast_to(np.abs(reach / np.float32(frame.bscale))[:, None], center.shape)
    raw = frame.raw[:, first : first + period * BLOCKS] if axis == "x" else frame.raw[first : first + period * BLOCKS]
    mean = np.empty_like(center)
    if axis == "x":
        ones = np.full(period, 1.0 / period, np.float32)
        for begin in range(0, across, AT_ONCE):
            rows = slice(begin, begin + AT_ONCE)
            pixels = raw[rows].reshape(-1, BLOCKS, period)
            mean[:, rows] = (_limited(pixels, center[:, rows].T[:, :, None], most[:, :1]) @ ones).T
    else:
        for part, pixels in enumerate(raw.reshape(BLOCKS, period, across)):
            mean[part] = _limited(pixels, center[part], most[part]).mean(axis=0)
    return np.asarray(typical + mean * np.float32(frame.bscale))


def _limited(pixels: NDArray[Any], center: Floats, reach: Floats) -> Floats:
    """How far the pixels lie from the centre, at most so far; NaN is as far as may be."""
    distance = np.asarray(np.subtract(pixels, center, dtype=np.float32))
    np.fmin(distance, reach, out=distance)
    np.fmax(distance, -reach, out=distance)
    return distance
