"""Where the lit piece of slit ends on which a star stands: beyond lies another background, and darkness.

The ends of a slit are as blurred as the optics make them, a few pixels or a few times ten, and the sky inside may be
brighter than the star. A straight background across them, or a disc as wide as the slit, would be no better a guess.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from autofocus.measure.spectrum.fitting.background import change_of_means

Doubles = NDArray[np.float64]

INNER_WIDTHS, INNER_PX = 1.0, 3.0  # about the trace, where the star's own light falls off
BLURS_PX = (4, 8, 16, 32)
STEP_SIGMAS, FALL_SIGMAS = 8.0, 5.0
SLOPE = 3.0  # times what it falls before
UNEVEN = 0.05  # of the light that ends: what on it may be its own
ABRUPT = 0.55  # of what changes over three times the blur; a slope changes by a third
LEVEL_BEFORE, LEVEL_BEYOND = 0.1, 0.25  # of the step, what changes within a blur before it and beyond
CLEAR_OF_END = 0.03  # of the step
FARTHER = 0.6  # of the way from its middle to there: by then next to nothing is left of an exponential foot
LEAST_PX, LEAST_BEFORE = 8, 2


def slit_ends(offsets: NDArray[np.intp], profile: Doubles, error: float, width_px: float) -> tuple[int, int]:
    """The first and the last offset that belong to the piece of slit about a trace; all where no end is seen.

    ``error`` is the noise of a row of the profile, ADU.
    """
    inner_px = INNER_WIDTHS * width_px + INNER_PX
    known = np.isfinite(profile)
    below, above = (np.flatnonzero((side * offsets > inner_px) & known)[::side] for side in (-1, 1))  # outward
    first, last = (
        _last_used(profile[side], profile[across], error, width_px) for side, across in ((below, above), (above, below))
    )
    ends = (
        int(offsets[0 if first is None else below[first]]),
        int(offsets[-1 if last is None else above[last]]),
    )
    is_lit = (offsets >= ends[0]) & (offsets <= ends[1])
    core = profile[known & is_lit & (np.abs(offsets) <= max(0.5 * width_px, 1.0))]
    aside, dark = profile[known & is_lit & (np.abs(offsets) > inner_px)], profile[known & ~is_lit]
    return ends if _stands_out(core, aside, dark, error) else (int(offsets[0]), int(offsets[-1]))


def _stands_out(core: Doubles, aside: Doubles, dark: Doubles, error: float) -> bool:
    """Whether the trace is more than an uneven place, or a chance, on the light that ends."""
    if min(core.size, aside.size, dark.size) == 0:
        return False
    level = float(np.median(aside))
    least = max(UNEVEN * (level - float(np.median(dark))), FALL_SIGMAS * error / np.sqrt(core.size))
    return bool(core.mean() - level > least)


def _last_used(values: Doubles, across: Doubles, error: float, width_px: float) -> int | None:
    """Index of the last row before an end of the slit, or before what lies just beyond; None for all."""
    last = _last_lit(values, across, error)
    return _before_a_change(values, error, width_px) if last is None else last


def _last_lit(values: Doubles, across: Doubles, error: float) -> int | None:
    """Index of the last row before the light ends, outward; None where it does not, or is no light about the star.

    ``across`` are the rows on the other side of the star: as lit, unless it is the rim of a doughnut.
    """
    if min(across.size, values.size) < LEAST_PX:
        return None
    pieces = values[: values.size // LEAST_PX * LEAST_PX].reshape(-1, LEAST_PX).mean(axis=1)
    if np.ptp(pieces) < STEP_SIGMAS * error * np.sqrt(2.0 / BLURS_PX[-1]):  # most profiles are level
        return None
    for blur in BLURS_PX:
        if values.size < 2 * blur + LEAST_BEFORE:
            break
        change = change_of_means(values, blur)
        steepest = (change == minimum_filter1d(change, blur + 1)) & (
            change < -STEP_SIGMAS * error * np.sqrt(2.0 / blur)
        )
        for at in np.flatnonzero(steepest):
            if _is_end(values, int(at), blur, float(change[at]), float(across[:LEAST_PX].mean())):
                lit = values[: at + blur] > np.median(values[: at + 1]) + CLEAR_OF_END * change[at] - 2.0 * error
                last = int(np.flatnonzero(lit)[-1]) if lit.any() else 0
                return max(last - int(np.ceil(FARTHER * (at + blur - last))), 0)
    return None


def _before_a_change(values: Doubles, error: float, width_px: float) -> int | None:
    """Index of the last row but two widths where the very last ones fall or rise: an end, or a star, just beyond.

    A slope does so all along.
    """
    size = max(LEAST_PX, int(width_px))
    if values.size < 4 * size:
        return None
    last = values[-size // 2 :], values[-2 * size : -size], values[-13 * size // 4 : -9 * size // 4]
    far, near, before = (float(np.median(rows)) for rows in last)  # a hot row has no say
    is_sure = abs(near - far) > 1.25 * FALL_SIGMAS * error * np.sqrt(3.0 / size)
    is_slope = abs(near - far) < SLOPE * abs(before - near)
    return values.size - 1 - 2 * size if is_sure and not is_slope else None


def _is_end(values: Doubles, at: int, blur: int, drop: float, across: float) -> bool:
    """Whether it falls from one level to another, below the level ``across`` and all between the star and there."""
    before, fallen, after = values[max(at - blur, 0) : at], *np.split(values[at + blur : at + 3 * blur], [blur])
    if before.size < LEAST_BEFORE:
        return False
    is_whole = after.size >= LEAST_PX // 2
    beyond = float((after if is_whole else fallen[blur // 2 :]).mean())
    if not drop < ABRUPT * (beyond - before.mean()):
        return False
    if not is_whole:  # before the last row that is seen: on one side at least it must be level
        half = before.size // 2
        level_before = before.size == blur and abs(before[half:].mean() - before[:half].mean()) < LEVEL_BEFORE * -drop
        if not (level_before or beyond - fallen[: blur // 2].mean() > LEVEL_BEYOND * drop):
            return False
    nearer = values[: max(at, LEAST_PX // 2)]
    size = min(LEAST_PX, nearer.size)
    lowest = float(nearer[: nearer.size // size * size].reshape(-1, size).mean(axis=1).min())
    if blur < LEAST_PX:  # so sharp a step is looked for only close to the star, and all must be dark beyond
        beyond = max(beyond, float(np.median(values[at + 2 * blur :])) if at < LEAST_PX else np.inf)
    return bool(beyond < min(lowest, across) + 0.5 * drop)
