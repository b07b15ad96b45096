"""What measuring a frame gives: its numbers, and what a view draws of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.model import Measurement


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
