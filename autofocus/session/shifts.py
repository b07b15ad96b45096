"""The image-shift log: how far each move of the focuser displaced the star, and what that makes per 100 steps.

A move may have two legs (an overshoot and the way back), whose shifts add as vectors: the shift of ``o`` steps
outward and ``i`` steps inward is ``o a + i b`` with one vector a step for each direction. All moves of a run give both
by linear least squares, also where every outward leg was an overshoot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PER_STEPS = 100.0
SINGULAR = 1e-9  # of the product of the diagonals: both directions were only ever moved together


@dataclass(frozen=True, slots=True)
class ImageShift:
    """One move: its steps each way, where the star went on the guide camera, and how long it took to come back."""

    position: int
    outward_steps: int
    inward_steps: int
    shift_px: tuple[float, float]
    pixel_scale_arcsec: float | None
    settled_s: float

    @property
    def length_px(self) -> float:
        """By how much the star moved."""
        return math.hypot(*self.shift_px)


@dataclass(frozen=True, slots=True)
class ShiftRate:
    """Image shift of one direction, guide-camera pixels per step; its 1 σ error is NaN when no move is left to tell."""

    px_per_step: float
    error_px_per_step: float
    moves: int


def shift_rates(shifts: Sequence[ImageShift]) -> tuple[ShiftRate | None, ShiftRate | None]:
    """The rates outward and inward; None for a direction that was never moved, or never without the other."""
    oo = sum(float(s.outward_steps) ** 2 for s in shifts)
    ii = sum(float(s.inward_steps) ** 2 for s in shifts)
    oi = sum(float(s.outward_steps) * s.inward_steps for s in shifts)
    if oo == 0 or ii == 0:
        alone = _one_direction(shifts, oo + ii)
        return (alone, None) if ii == 0 else (None, alone)
    determinant = oo * ii - oi * oi
    if determinant <= SINGULAR * oo * ii:
        return None, None
    out_sums = [sum(s.outward_steps * s.shift_px[axis] for s in shifts) for axis in (0, 1)]
    in_sums = [sum(s.inward_steps * s.shift_px[axis] for s in shifts) for axis in (0, 1)]
    outward = [(ii * o - oi * i) / determinant for o, i in zip(out_sums, in_sums, strict=True)]
    inward = [(oo * i - oi * o) / determinant for o, i in zip(out_sums, in_sums, strict=True)]
    noise = _noise(shifts, outward, inward, parameters=2)
    return (
        ShiftRate(math.hypot(*outward), noise * math.sqrt(ii / determinant), sum(s.outward_steps > 0 for s in shifts)),
        ShiftRate(math.hypot(*inward), noise * math.sqrt(oo / determinant), sum(s.inward_steps > 0 for s in shifts)),
    )


def _one_direction(shifts: Sequence[ImageShift], squares: float) -> ShiftRate | None:
    if squares == 0:
        return None
    steps = [s.outward_steps + s.inward_steps for s in shifts]
    rate = [sum(n * s.shift_px[axis] for n, s in zip(steps, shifts, strict=True)) / squares for axis in (0, 1)]
    noise = _noise(shifts, rate, rate, parameters=1)
    return ShiftRate(math.hypot(*rate), noise / math.sqrt(squares), sum(n > 0 for n in steps))


def _noise(
    shifts: Sequence[ImageShift], outward: Sequence[float], inward: Sequence[float], *, parameters: int
) -> float:
    """RMS of what the rates leave unexplained, one axis; NaN with nothing to spare."""
    spare = len(shifts) - parameters
    if spare < 1:
        return math.nan
    left = [
        s.shift_px[axis] - s.outward_steps * outward[axis] - s.inward_steps * inward[axis]
        for s in shifts
        for axis in (0, 1)
    ]
    return math.sqrt(sum(value * value for value in left) / (2 * spare))


def shift_table(shifts: Sequence[ImageShift]) -> dict[str, Any] | None:
    """The result's ``image_shift``: arcsec (and px) per 100 steps outward and inward, and the log of the moves."""
    if not shifts:
        return None
    scale = next((s.pixel_scale_arcsec for s in reversed(shifts) if s.pixel_scale_arcsec), None)
    outward, inward = shift_rates(shifts)
    return {
        "outward": _rate_object(outward, scale),
        "inward": _rate_object(inward, scale),
        "moves": [_move_object(shift) for shift in shifts],
    }


def _rate_object(rate: ShiftRate | None, scale: float | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    per, error = PER_STEPS * rate.px_per_step, PER_STEPS * rate.error_px_per_step
    return {
        "arcsec_per_100_steps": None if scale is None else per * scale,
        "arcsec_err": None if scale is None else error * scale,
        "px_per_100_steps": per,
        "px_err": error,
        "moves": rate.moves,
    }


def _move_object(shift: ImageShift) -> dict[str, Any]:
    scale = shift.pixel_scale_arcsec
    return {
        "position": shift.position,
        "outward_steps": shift.outward_steps,
        "inward_steps": shift.inward_steps,
        "shift_px": shift.length_px,
        "shift_arcsec": None if scale is None else shift.length_px * scale,
        "settled_s": shift.settled_s,
    }
