"""Trace strips: of every frame the band about its trace, all in one stretch, to be stacked by position."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autofocus.model import Measurement
from autofocus.ports import FramePicture
from autofocus.views.stretch import Levels, apply_levels, encode, levels_of, preview_side, reduce

BESIDE = 1.35  # of the window's half width: some sky on both sides of it
FEWEST_ROWS = 9
STRIP_PX = 640  # along the dispersion
PROFILE_WIDTH, PROFILE_HEIGHT = 132.0, 34.0


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """The band about a trace in ADU, the dispersion along its rows; None without a preview. ``profile`` as drawn."""

    index: int
    measurement: Measurement
    pixels: NDArray[np.float32] | None
    profile: tuple[float, ...] = ()
    profile_fit: tuple[float, ...] = ()


def cut_strip(index: int, measurement: Measurement, picture: FramePicture | None) -> Strip:
    """The strip of one frame, about its trace, or about the middle where no trace was found."""
    if picture is None or picture.frame is None:
        return Strip(index, measurement, None)
    small, side = reduce(picture.frame, STRIP_PX)
    side *= preview_side(picture.frame)
    if measurement.dispersion_axis == "y":
        small = small.T
    rows = small.shape[0]
    center = (measurement.center_px + 0.5) / side if math.isfinite(measurement.center_px) else rows / 2.0
    half = _half_height(picture, measurement) / side
    first, last = max(0, math.floor(center - half)), min(rows, math.ceil(center + half))
    return Strip(index, measurement, small[first:last], tuple(picture.profile), tuple(picture.profile_fit))


def _half_height(picture: FramePicture, measurement: Measurement) -> float:
    """Half the height of a strip, frame pixels: the window, some sky, and what the trace rises."""
    window = picture.window_px
    half = BESIDE * (window[1] - window[0]) / 2.0 if window else 40.0
    rise = abs(measurement.slant_px) if math.isfinite(measurement.slant_px) else 0.0
    side = 1 if picture.frame is None else preview_side(picture.frame)
    return max(half + rise / 2.0, FEWEST_ROWS * side / 2.0)


def stacked(strips: Iterable[Strip]) -> list[Strip]:
    """In order of position, as they are shown; those without a position come last."""
    return sorted(strips, key=lambda strip: (strip.measurement.position is None, strip.measurement.position or 0.0))


def common_levels(strips: Sequence[Strip]) -> Levels | None:
    """One stretch for all, so that brightness may be compared; it is taken from the brightest trace."""
    cut = [strip.pixels for strip in strips if strip.pixels is not None and strip.pixels.size]
    if not cut:
        return None
    by_light = sorted(cut, key=lambda pixels: float(np.nanpercentile(pixels, 99.0)))
    return levels_of(by_light[-1])


def strip_png(strip: Strip, levels: Levels) -> bytes | None:
    """The strip as a PNG."""
    return None if strip.pixels is None else encode(apply_levels(strip.pixels, levels))


def profile_points(strip: Strip) -> tuple[str, str]:
    """Measured profile and fit as the points of two SVG polylines in a box of PROFILE_WIDTH by PROFILE_HEIGHT."""
    seen = [value for value in strip.profile if math.isfinite(value)]
    if len(seen) < 2:
        return "", ""
    low, high = min(seen), max(seen)
    to_y: Callable[[float], float] = lambda value: PROFILE_HEIGHT * (1.0 - (value - low) / ((high - low) or 1.0))  # noqa: E731
    return _polyline(strip.profile, to_y), _polyline(strip.profile_fit, to_y)


def _polyline(values: Sequence[float], to_y: Callable[[float], Any]) -> str:
    if len(values) < 2:
        return ""
    step = PROFILE_WIDTH / (len(values) - 1)
    return " ".join(f"{step * at:.1f},{to_y(value):.1f}" for at, value in enumerate(values) if math.isfinite(value))
