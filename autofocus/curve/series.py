"""The measurements of one run as arrays ready to fit, scaled to order one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autofocus.curve.hyperbola import Array
from autofocus.curve.skytime import sky_times
from autofocus.model import Flag, Measurement

Mask = NDArray[np.bool_]

WIDTH, LIGHT = 0, 1
LIGHT_SPOILED = frozenset({Flag.GUIDING_UNSETTLED, Flag.GUIDING_LOST, Flag.CLOUDED})
LEAST_WINDOW_FRACTION = 0.2
LOGARITHMIC = 0.15
FARTHEST = 1e9  # steps, px and ADU/s: no instrument gives more
SMALLEST = 1e-6
LARGEST_ERROR = 100.0  # relative: as good as no number
NOTHING = {"spectrum": "no trace of a spectrum", "stars": "nothing to measure", "lines": "nothing to measure"}


@dataclass(frozen=True, eq=False)
class Series:
    """One run: channel 0 is FWHM, channel 1 NSIG / window_fraction.

    ``index`` (n,) points back into the measurements; ``x`` (n,) is (position - middle) / scale, between -1 and 1;
    ``values`` and ``errors`` (n, 2) are in units of ``unit`` (px, ADU/s), 1 where ``has`` (n, 2) is false.
    ``errors_known`` says for each channel whether the frames brought their own errors.
    """

    index: Array
    position: Array
    time_s: Array
    x: Array
    values: Array
    errors: Array
    has: Mask
    middle: float
    scale: float
    unit: tuple[float, float]
    errors_known: tuple[bool, bool]
    clouded: bool = False

    @property
    def logarithmic(self) -> Mask:
        """Where (n, 2) light is so far above its own noise that its logarithm is as good a number."""
        bright = self.has & (self.values > 0.0) & (self.errors < LOGARITHMIC * self.values)
        return np.asarray(bright & np.array([False, True]), dtype=bool)

    def without(self, rows: Iterable[int], *, clouded: bool = False) -> Series:
        """The same run, same scaling, less some rows; ``clouded`` where their light was why."""
        keep = np.ones(self.x.size, dtype=bool)
        keep[list(rows)] = False
        return replace(
            self,
            clouded=self.clouded or clouded,
            **{
                name: getattr(self, name)[keep]
                for name in ("index", "position", "time_s", "x", "values", "errors", "has")
            },
        )

    def places(self, channel: int) -> int:
        """Number of distinct positions of one channel."""
        return int(np.unique(self.position[self.has[:, channel]]).size)

    def to_position(self, x: float) -> float:
        """Steps, from a scaled position."""
        return float(self.middle + self.scale * x)


def light_of(measurement: Measurement) -> tuple[float, float]:
    """NSIG corrected for the window, and its error; NaN where the frame cannot say, or shows no light of a slit."""
    fraction = measurement.window_fraction
    if measurement.mode != "spectrum" or LIGHT_SPOILED.intersection(measurement.flags):
        return math.nan, math.nan
    if not math.isfinite(fraction):
        fraction = 1.0
    if fraction < LEAST_WINDOW_FRACTION:
        return math.nan, math.nan
    light = measurement.nsig / fraction
    share_err = measurement.window_fraction_err
    lost = light * share_err / fraction if math.isfinite(share_err) else 0.0  # what the wings outside may hold
    return light, math.hypot(measurement.nsig_err / fraction, lost)


def sort_out(measurements: Sequence[Measurement]) -> tuple[list[int], dict[int, str]]:
    """Indices that can be used, and why the others cannot."""
    usable: list[int] = []
    left_out: dict[int, str] = {}
    for index, one in enumerate(measurements):
        light, _ = light_of(one)
        if one.position is None or not abs(one.position) <= FARTHEST:
            left_out[index] = "its position is unknown"
        elif Flag.NO_TRACE in one.flags:
            found_nothing = NOTHING[one.mode]
            left_out[index] = f"{found_nothing}: {one.verdict}" if one.verdict else found_nothing
        elif not (SMALLEST < one.fwhm_px < FARTHEST or SMALLEST < light < FARTHEST):
            left_out[index] = "neither width nor signal could be measured"
        else:
            usable.append(index)
    return usable, left_out


def build(measurements: Sequence[Measurement], usable: Sequence[int]) -> Series | None:
    """Arrays of the usable measurements, or None where fewer than two positions are left."""
    frames = [measurements[index] for index in usable]
    position = np.array([float(frame.position or 0.0) for frame in frames])
    if position.size < 2 or np.ptp(position) < SMALLEST:
        return None
    raw = np.array([[frame.fwhm_px, light_of(frame)[0]] for frame in frames])
    error = np.array([[frame.fwhm_err_px, light_of(frame)[1]] for frame in frames])
    has = np.abs(raw) < FARTHEST  # false for NaN
    has[:, WIDTH] &= raw[:, WIDTH] > SMALLEST
    known = tuple(bool(np.any(has[:, c] & (error[:, c] > 0) & np.isfinite(error[:, c]))) for c in (WIDTH, LIGHT))
    error = _fill_errors(raw, error, has)
    unit = (
        float(np.min(raw[has[:, WIDTH], WIDTH])) if has[:, WIDTH].any() else 1.0,
        float(np.max(raw[has[:, LIGHT], LIGHT])) if has[:, LIGHT].any() else 1.0,
    )
    if unit[LIGHT] <= SMALLEST:
        has[:, LIGHT], unit = False, (unit[WIDTH], 1.0)
    middle = 0.5 * float(position.min() + position.max())
    scale = 0.5 * float(np.ptp(position))
    return Series(
        index=np.array(usable),
        position=position,
        time_s=sky_times(frames),
        x=(position - middle) / scale,
        values=np.where(has, raw / np.array(unit), 1.0),
        errors=np.where(has, error / np.array(unit), 1.0),
        has=has,
        middle=middle,
        scale=scale,
        unit=unit,
        errors_known=(known[0], known[1]),
    )


def _fill_errors(raw: Array, error: Array, has: Mask) -> Array:
    """Give a frame that brings no error the median relative error of the others (0 when none brings one)."""
    filled = error.copy()
    for channel in (WIDTH, LIGHT):
        value = np.abs(raw[:, channel])
        own = has[:, channel] & (error[:, channel] > 0) & np.isfinite(error[:, channel])
        telling = own & (value > SMALLEST)
        typical = np.median(error[telling, channel] / value[telling]) if telling.any() else 0.0
        filled[~own, channel] = typical * value[~own]
    return np.asarray(np.minimum(filled, LARGEST_ERROR * np.abs(raw).max(axis=0, where=has, initial=0.0)))
