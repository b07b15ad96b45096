"""The air over the bench: seeing, transparency and clouds as functions of time, and the temperature.

Everything is a function of the seed and of bench time (or of the frame's number), so any frame can be made at any
moment, in any order, and comes out the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

REFERENCE_EXPOSURE_S = 10.0
CLOUD_CELL_S = 120.0
WANDER_PERIODS_S = (60.0, 900.0)  # shortest and longest of the slow wander's waves


@dataclass(frozen=True, slots=True)
class Air:
    """What the air does to one frame."""

    seeing_factor: float
    transparency: float
    jitter_px: tuple[float, float]
    """mean displacement of the star over the frame that guiding left, across and along the slit"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sky:
    """One night."""

    seed: int
    seeing_scatter: float = 0.06
    """scatter of the seeing from frame to frame at 10 s, a fraction; shorter frames scatter more"""
    seeing_wander: float = 0.05
    """slow wander of the seeing, a fraction"""
    transparency_wander: float = 0.02
    """slow wander of the transparency, a fraction"""
    guiding_px: float = 0.15
    """scatter of the star's mean place on the slit from frame to frame at 10 s"""
    clouds: bool = False
    temperature_c: float = 12.0
    cooling_c_per_h: float = 0.5

    def air(self, frame: int, middle_s: float, exposure_s: float) -> Air:
        """The air during one frame."""
        rng = np.random.default_rng([self.seed, 11, frame])
        shorter = float(np.sqrt(REFERENCE_EXPOSURE_S / max(exposure_s, 1.0)))
        fast = self.seeing_scatter * shorter
        seeing = np.exp(fast * rng.standard_normal() - 0.5 * fast**2 + self._wander(12, self.seeing_wander, middle_s))
        jitter = self.guiding_px * shorter * rng.standard_normal(2)
        return Air(float(seeing), self.transparency(middle_s), (float(jitter[0]), float(jitter[1])))

    def transparency(self, at_s: float) -> float:
        """Part of the light that comes through, 1 in the mean of a clear night."""
        clear = float(np.exp(self._wander(13, self.transparency_wander, at_s)))
        return clear * float(np.exp(-self._cloud_depth(at_s))) if self.clouds else clear

    def temperature(self, at_s: float) -> float:
        """Temperature of the telescope, °C."""
        return self.temperature_c - self.cooling_c_per_h * at_s / 3600.0

    def _wander(self, kind: int, amplitude: float, at_s: float) -> float:
        """A smooth random function of time with the scatter given: five waves of periods from 1 to 15 minutes."""
        periods, phases = _waves(self.seed, kind)
        waves = np.sin(2.0 * np.pi * at_s / periods + phases)
        return float(amplitude * np.sqrt(2.0 / periods.size) * waves.sum())

    def _cloud_depth(self, at_s: float) -> float:
        """Optical depth of the clouds that pass: in half of all cells of two minutes one cloud, 10 to 40 s wide."""
        depth = 0.0
        cell = int(at_s // CLOUD_CELL_S)
        for near in (cell - 1, cell, cell + 1):
            rng = np.random.default_rng([self.seed, 14, near + 1])
            passes, middle, width, thick = rng.random(4)
            if near >= 0 and passes < 0.5:
                lapse = (at_s - (near + middle) * CLOUD_CELL_S) / (10.0 + 30.0 * width)
                depth += (0.2 + 1.5 * thick) * float(np.exp(-0.5 * lapse**2))
        return depth


@lru_cache(maxsize=256)
def _waves(
    seed: int, kind: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    rng = np.random.default_rng([seed, kind])
    shortest, longest = WANDER_PERIODS_S
    periods = shortest * (longest / shortest) ** ((np.arange(5) + rng.random(5)) / 5.0)
    return periods, 2.0 * np.pi * rng.random(5)
