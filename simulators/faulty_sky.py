"""Skies and sensors that spoil frames: put in the place of ``bench.sky`` and ``bench.sensor``.

An occasion is an exposure.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.occasions import Occasions
from simulators.sensor import Picture, Readout, Sensor
from simulators.sky import Air, Sky

THICK = 0.003
OFF_THE_SLIT_PX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultySky(Sky):
    """A night in which some frames see hardly any light, or the star beside the slit, or worse seeing."""

    within: Sky
    occasions: Occasions
    transparency_factor: float = 1.0
    offset_px: float = 0.0
    seeing_times: float = 1.0

    def air(self, frame: int, middle_s: float, exposure_s: float) -> Air:
        """The air during one frame."""
        clear = self.within.air(frame, middle_s, exposure_s)
        if not self.occasions.include(frame):
            return clear
        across, along = clear.jitter_px
        return Air(
            clear.seeing_factor * self.seeing_times,
            clear.transparency * self.transparency_factor,
            (across + self.offset_px, along),
        )


def faulty_sky(sky: Sky, occasions: Occasions, **spoilt: float) -> FaultySky:
    """The same night with some frames spoilt."""
    same: dict[str, Any] = {field.name: getattr(sky, field.name) for field in dataclasses.fields(Sky)}
    return FaultySky(**(same | spoilt), within=sky, occasions=occasions)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultySensor(Sensor):
    """A sensor some of whose frames hold one value only."""

    within: Sensor
    occasions: Occasions
    value_adu: int
    numbers: Iterator[int]

    def read(
        self, expected_e: Picture, readout: Readout, exposure_s: float, rng: np.random.Generator
    ) -> NDArray[np.uint16]:
        """The frame, or one value in its place."""
        number = next(self.numbers)
        adu = self.within.read(expected_e, readout, exposure_s, rng)
        return np.full_like(adu, self.value_adu) if self.occasions.include(number) else adu


def faulty_sensor(sensor: Sensor, occasions: Occasions, value_adu: int) -> FaultySensor:
    """The same sensor with frames of one value among its own."""
    same: dict[str, Any] = {field.name: getattr(sensor, field.name) for field in dataclasses.fields(Sensor)}
    return FaultySensor(**same, within=sensor, occasions=occasions, value_adu=value_adu, numbers=itertools.count(1))
