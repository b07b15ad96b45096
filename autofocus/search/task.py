"""What a search is told before it begins, and the shape of the conversation it leads."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from autofocus.model import FocusResult, Measurement, Sweep
from autofocus.search.approach import Direction, reachable
from autofocus.settings import SearchSettings

Search = Generator[Sweep, tuple[Measurement, ...], FocusResult]
"""Yields sweeps, receives their measurements (fewer than asked when a budget ended), returns the result."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where the focus is thought to be, and how far to each side a sweep has to reach, in steps."""

    center: float
    half_span: float


@dataclass(frozen=True, slots=True)
class FocusTask:
    """A focus to be found: the settings, and the facts of the focuser and the optics that planning needs.

    Positions are steps. ``focused_before`` is where focus was on earlier nights, newest first. ``low`` and ``high``
    are the travel limits, None where there is none; ``microns_per_step`` is focuser travel per step and ``f_ratio`` the
    beam's at the slit, None if unknown. ``exposure_s`` is the exposure to begin with; it may change between sweeps
    inside ``exposure_range_s``, None: never. ``saturation_adu`` is the camera's full well, None if it does not say.
    """

    settings: SearchSettings
    start_position: int
    focused_before: tuple[int, ...] = ()
    low: int | None = None
    high: int | None = None
    approach: Direction = "inward"
    backlash_steps: int = 0
    exposure_s: float = 10.0
    microns_per_step: float | None = None
    f_ratio: float | None = None
    position_tolerance_steps: int = 1
    exposure_range_s: tuple[float, float] | None = None
    saturation_adu: float | None = None

    @property
    def room(self) -> tuple[int | None, int | None]:
        """The positions that can be reached in the approach direction, the overshoot being inside the limits."""
        return reachable(self.approach, self.backlash_steps, self.low, self.high)
