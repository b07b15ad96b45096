"""The background: the level of each column, and how far from the trace it runs straight."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

STEP_SIGMAS = 8.0
STEP_PX = 8
PIECE_PX = 12
LEAST_PIECES = 3
UNEVEN_SIGMAS = 6.0  # of chi-squared: hardly a column of a straight background is taken for another
LOUD = 1.3  # of the usual noise: below, chance makes it
MEDIAN_STEP = 0.9539  # of two numbers of a Gaussian: 0.6745 times the root of two
CURVED = 0.6  # of what neighbouring pieces differ by, a straight line between them may be off, at a sharp edge
MEDIAN_VARIANCE = 1.57  # of a median, relative to that of a mean


def away_from_trace(offsets: NDArray[np.intp], usable: Mask, width_px: float) -> Mask:
    """The usable rows away from the trace; the farthest ones where hardly any is beyond its wings."""
    distance = np.where(usable, np.abs(offsets), 0)
    away = distance > max(3.0 * width_px, 4.0)
    return np.asarray(away if np.count_nonzero(away) >= 8 else distance > 0.6 * distance.max())


def column_level(outer: Floats) -> Doubles:
    """Background of each column: the median of its pixels away from the trace."""
    if outer.size == 0:
        return np.zeros(outer.shape[1])
    return column_median(outer, np.isfinite(outer))


def local_level(values: Floats, offsets: NDArray[np.intp], outer: Mask) -> tuple[Floats, Doubles, Doubles]:
    """Background of each column, where it changes along the column that of each pixel; and its noise.

    A sky line that leans, or is bent as a slit is, crosses a column within a few rows: one level for all of it would
    make its flanks impossible pixels. Medians of pieces of a dozen rows follow it, with straight lines between them;
    what all columns have in common, a star beside or a slope, is left alone.

    Returns
    -------
    level : ndarray
        ADU, shape of the values, or one row of it where all columns are even.
    loud : ndarray
        Noise of a pixel of each column away from the trace relative to the typical column, 1 or more.
    unsure : ndarray
        How far the level of each column may be off between the pieces, ADU; 0 where it is even.
    """
    level = column_level(values[outer]).astype(np.float32)[None]
    loud, unsure = np.ones(level.size), np.zeros(level.size)
    pieces = _pieces(offsets, outer)
    if len(pieces) < LEAST_PIECES:
        return level, loud, unsure
    rows = values[pieces] - level
    if not np.isfinite(rows).all():
        rows = np.where(np.isfinite(rows), rows, np.float32(0.0))
    medians, noise = _of_pieces(rows)
    usual = median(noise.astype(np.float64))
    if not usual > 0.0:
        return level, loud, unsure
    loud = np.where(noise > LOUD * usual, noise / usual, 1.0)
    chi2 = np.square(medians).sum(axis=0) * (PIECE_PX / MEDIAN_VARIANCE) / np.square(np.maximum(noise, 0.5 * usual))
    uneven = chi2 > len(pieces) + UNEVEN_SIGMAS * np.sqrt(2.0 * len(pieces))
    if uneven.any():
        places = offsets[pieces].mean(axis=1)
        between = np.array([np.interp(offsets, places, unit) for unit in np.eye(len(pieces))]).T
        level = np.repeat(level, offsets.size, axis=0)
        level[:, uneven] += (between @ medians[:, uneven]).astype(np.float32)
        unsure = np.where(uneven, CURVED * np.abs(np.diff(medians, axis=0)).max(axis=0), 0.0)
    return level, loud, unsure


def _pieces(offsets: NDArray[np.intp], outer: Mask) -> NDArray[np.intp]:
    """The rows away from the trace in whole pieces from below to above, shape (pieces, rows of each)."""
    sides = [np.flatnonzero(outer & (side * offsets > 0))[::side] for side in (-1, 1)]  # outward
    below, above = (rows[: rows.size // PIECE_PX * PIECE_PX].reshape(-1, PIECE_PX) for rows in sides)
    return np.concatenate([below[::-1], above])


def _of_pieces(rows: Floats) -> tuple[Floats, Floats]:
    """Median of each piece, less what all columns have in common, and the noise of a pixel of each column.

    ``rows`` are the pixels, shape (pieces, rows of each, columns).
    """
    columns, half = rows.shape[2], PIECE_PX // 2
    steps = np.abs(rows[:, 1::2] - rows[:, ::2]).reshape(-1, columns)
    noise = np.sort(steps, axis=0)[len(steps) // 2] / np.float32(MEDIAN_STEP)
    medians = np.sort(rows, axis=1)[:, half - 1 : half + 1].mean(axis=1)
    common = np.partition(medians, columns // 2, axis=1)[:, [columns // 2]]
    return medians - common, noise


def column_median(values: Floats | Doubles, chosen: Mask) -> Doubles:
    """Median of the values chosen of each column; of all of them where a column has none."""
    # Sorting singles takes a sixth of the time of np.median.
    if chosen.size and chosen.all():
        ordered = np.sort(values, axis=0)
        low, high = (len(ordered) - 1) // 2, len(ordered) // 2
        return np.asarray(0.5 * (ordered[low] + ordered[high].astype(np.float64)))
    ordered = np.sort(np.where(chosen, values, np.inf), axis=0)
    count = chosen.sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    columns = np.arange(values.shape[1])
    middle = 0.5 * (ordered[low, columns] + ordered[np.minimum(high, len(ordered) - 1), columns].astype(np.float64))
    if count.all():
        return np.asarray(middle, np.float64)
    whole = float(np.median(values[chosen])) if chosen.any() else 0.0
    return np.where(count > 0, middle, whole)


def median(values: Doubles) -> float:
    """Median of a few values (the upper of two in the middle), ten times faster than numpy's; 0 of none."""
    return float(np.sort(values)[values.size // 2]) if values.size else 0.0


def straight_span(offsets: NDArray[np.intp], profile: Doubles, error: float, inner_px: float) -> tuple[int, int]:
    """The offsets between which no step interrupts the background: the end of a slit, the border of an amplifier.

    On each side beyond ``inner_px`` the mean of eight pixels is compared with that of the next eight. A step is the
    largest difference, where it is beyond noise and beyond what the slope of the background makes of all the others,
    and where the level does not come back as it does behind a star.

    Returns
    -------
    tuple of int
        First and last offset to use.
    """
    ends, known = [], np.isfinite(profile)
    usual = median(profile[known & (np.abs(offsets) > inner_px)])
    for side in (-1, 1):
        order = np.flatnonzero((side * offsets > inner_px) & known)[::side]
        last = _first_step(profile[order], error, usual)
        ends.append(int(offsets[order[last]]) if order.size else int(side * inner_px))
    return ends[0], ends[1]


def _first_step(values: Doubles, error: float, level: float) -> int:
    """Index of the last value before a step, outward, from the usual ``level``; the last of all where there is none."""
    size = STEP_PX
    last = values.size - 1
    if values.size < 3 * size:
        return last
    change = change_of_means(values, size)
    noise = error * np.sqrt(2.0 / size)
    usual = median(change)
    spread = 1.4826 * median(np.abs(change - usual))
    at = int(np.argmin(change))
    drop = change[at]
    beyond = values[at + size : at + 2 * size].mean()
    if drop < -STEP_SIGMAS * noise and beyond < level + 0.5 * drop and _is_abrupt(values, at + size, drop):
        return max(at + size - 3, 0)  # far below the usual: the end of a slit, though another begins beyond
    at = int(np.argmax(np.abs(change - usual)))
    height = change[at] - usual
    if abs(height) < max(STEP_SIGMAS * noise, 5.0 * spread) or not _is_abrupt(values, at + size, height):
        return last
    beyond = values[at + size : at + 5 * size]
    before = values[max(0, at - size) : at + size]
    kept = (median(beyond) - median(before)) / height
    return max(at + size - 3, 0) if kept > 0.6 else last


def _is_abrupt(values: Doubles, at: int, height: float) -> bool:
    """Whether a change is all there at once: a slope changes little over a few pixels."""
    return bool((values[at + 1 : at + 3].mean() - values[at - 3 : at - 1].mean()) / height >= 0.7)


def change_of_means(values: Doubles, size: int) -> Doubles:
    """Mean of the next ``size`` values less that of the last ``size``."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    mean = (total[size:] - total[:-size]) / size
    return np.asarray(mean[size:] - mean[:-size])
