"""What measuring a frame gives: its numbers, and what a view draws of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.model import Flag, Frame, Measurement, Mode


@dataclass(frozen=True, slots=True, eq=False)
class SpatialProfile:
    """The column-averaged profile about the trace and the model through it, ADU, background included.

    ``start_px`` is the frame's pixel (across the dispersion, at the middle of the columns used) of the first value.
    """

    start_px: int
    values: NDArray[np.float64]
    fit: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The numbers of a frame, and what a view draws of it; ``half_window_px`` is the window that NSIG was summed in."""

    measurement: Measurement
    profile: SpatialProfile | None = None
    trace: Trace | None = None
    half_window_px: int | None = None


def known(frame: Frame, mode: Mode) -> Measurement:
    """What is known of a frame before a pixel is looked at."""
    return Measurement(
        file=frame.name,
        position=frame.position,
        exposure_s=frame.exposure_s,
        started_utc=frame.started_utc,
        gain_e_per_adu=frame.gain_e_per_adu,
        mode=mode,
    )


def nothing(frame: Frame, mode: Mode, reason: str) -> Reading:
    """The reading of a frame that does not show what was looked for."""
    exposure = frame.exposure_s if frame.exposure_s and frame.exposure_s > 0 else None
    flags = (Flag.NO_TRACE,) if exposure else (Flag.NO_TRACE, Flag.NO_EXPOSURE)
    return Reading(replace(known(frame, mode), flags=flags, verdict=reason))
