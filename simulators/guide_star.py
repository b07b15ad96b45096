"""The guide camera of the bench: the same star under the same sky, displaced by the same moves of the focuser.

Lengths are pixels of the guide camera unless they say otherwise. The guide camera is turned against the slit by
``TURN_DEG``; right ascension lies across the slit and declination along it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from simulators.mechanics import Shift

if TYPE_CHECKING:
    from simulators.bench import Bench

SCALE_ARCSEC = 1.2
TURN_DEG = 25.0
HOME_PX = (200.0, 150.0)
APERTURE_PX = 7.0
MASS_PER_S = 60000.0
SNR = 30.0
LEAST_SNR = 3.0
MOMENTS = 5  # at which an exposure looks at the moving star
FRAMES = 1_000_000  # guide frames have air of their own, beyond the numbers of the camera's frames


class GuidedShift:
    """The star's displacement on the slit: motions of the tube push it, and only a guider's orders take it back."""

    def __init__(self, pushed: Shift) -> None:
        self._pushed = pushed
        self._lock = Lock()
        self._times: list[float] = []
        self._sums: list[tuple[float, float]] = []

    def at(self, now: float) -> tuple[float, float]:
        """The displacement across and along the slit, pixels of the spectrograph's camera."""
        across, along = self._pushed.at(now)
        with self._lock:
            given = bisect_right(self._times, now)
            taken = self._sums[given - 1] if given else (0.0, 0.0)
        return across + taken[0], along + taken[1]

    def correct(self, now: float, across_px: float, along_px: float) -> None:
        """Move the telescope, pixels of the spectrograph's camera."""
        with self._lock:
            across, along = self._sums[-1] if self._sums else (0.0, 0.0)
            self._times.append(now)
            self._sums.append((across + across_px, along + along_px))


@dataclass(frozen=True, slots=True)
class Sighting:
    """One guide frame: where the star stood and how it looked."""

    x_px: float
    y_px: float
    hfd_px: float
    mass: float
    snr: float


class GuideCamera:
    """Looks at the bench's star; ``focus_offset_steps`` is where it is sharp, counted from the slit's focus."""

    def __init__(self, bench: Bench, focus_offset_steps: float) -> None:
        self._bench = bench
        self._offset = focus_offset_steps
        self._frames = 0
        self.px_per_slit_px = bench.instrument.plate_scale_arcsec_per_px / SCALE_ARCSEC

    def look(self, start_s: float, end_s: float) -> Sighting:
        """A frame exposed from one bench time to another."""
        self._frames += 1
        bench, length = self._bench, end_s - start_s
        air = bench.sky.air(FRAMES + self._frames, 0.5 * (start_s + end_s), length)
        rng = np.random.default_rng([bench.seed, 21, self._frames])
        moments = [start_s + length * (n + 0.5) / MOMENTS for n in range(MOMENTS)]
        places = np.array([bench.shift.at(moment) for moment in moments])
        across, along = places.mean(axis=0) + np.array(air.jitter_px)
        x, y = turned(across * self.px_per_slit_px, along * self.px_per_slit_px, TURN_DEG)
        radius, seeing = self._blur(0.5 * (start_s + end_s), air.seeing_factor)
        smear = float(np.ptp(places, axis=0).max()) * self.px_per_slit_px
        hfd = math.hypot(seeing, math.sqrt(2.0 * (1.0 + bench.instrument.obstruction**2)) * radius, smear)
        share = min(1.0, (APERTURE_PX / max(radius, 1e-3)) ** 2) * air.transparency
        return Sighting(
            HOME_PX[0] + x,
            HOME_PX[1] + y,
            hfd * (1.0 + 0.04 * rng.standard_normal()),
            MASS_PER_S * length * share * (1.0 + 0.03 * rng.standard_normal()),
            SNR * math.sqrt(length) * share,
        )

    def _blur(self, at_s: float, seeing_factor: float) -> tuple[float, float]:
        """Radius of the defocus disc and width of the seeing."""
        bench = self._bench
        place = bench.focuser.tube(at_s) - bench.focus_drift_steps(at_s) - self._offset
        beam = bench.beam(place, seeing_factor=seeing_factor)
        return abs(beam.semi_x_px) * self.px_per_slit_px, beam.seeing_px * self.px_per_slit_px


def turned(x: float, y: float, degrees: float) -> tuple[float, float]:
    """A vector turned counter-clockwise."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return cosine * x - sine * y, sine * x + cosine * y
