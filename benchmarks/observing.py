"""A night on the bench without a session around it: one search, simulated devices, our measuring, a virtual clock."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autofocus.devices.clock import VirtualClock
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Flag, FocusResult, Measurement, Objective, Sample, Sweep
from autofocus.search.approach import Direction, waypoints
from autofocus.search.task import FocusTask, Search
from autofocus.settings import CameraSettings, FocuserSettings, MeasureSettings, SearchSettings
from simulators.bench import Bench
from simulators.devices import SimulatedCamera, SimulatedFocuser
from simulators.optics import slit_image
from simulators.options import BenchOptions

ADDRESS = "127.0.0.1:11111"  # settings want one; the bench is in process
COLUMNS = 100  # averaged by default
SETTLE_S = 6.0  # the motion's own shaking, then the guider: three of its time constants
REMEMBERED = 4000  # frames
_seen: OrderedDict[tuple[object, ...], Measurement] = OrderedDict()
"""Frames are a function of the night and of all that was asked in it: those asked for again are not drawn again."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of night: an instrument, how its bench departs from the usual, and how the focuser is driven."""

    name: str
    instrument: str = "starex"
    options: dict[str, Any] = field(default_factory=dict)
    offset_steps: int = 60
    backlash_steps: int = 0
    approach: Direction = "inward"
    exposure_s: float = 10.0
    search: dict[str, Any] = field(default_factory=dict)
    full_frames: bool = False
    drawn_numbers: bool = False

    @property
    def night(self) -> str:
        """What the frames depend on besides the seed and the motions."""
        return repr((self.instrument, self.options, self.offset_steps, self.backlash_steps, self.full_frames))


class BenchObserver:
    """Answers the sweeps of a search on a bench of its own, as a session does, and keeps the account."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.settings = SearchSettings(**scenario.search)
        self.clock = VirtualClock()
        self.bench = Bench(scenario.instrument, seed, clock=self.clock, options=_options(scenario))
        self.camera = SimulatedCamera(self.bench, self.clock, CameraSettings(address=ADDRESS))
        self.focuser = SimulatedFocuser(self.bench, self.clock, FocuserSettings(address=ADDRESS))
        self.measured: list[Measurement] = []
        self.moves = 0
        self._arrived: Direction | None = None
        self._asked: list[tuple[int, float]] = []
        self._path: list[int] = []
        self._measure = MeasureSettings()

    def task(self) -> FocusTask:
        """What the search is told."""
        facts = self.focuser.facts
        return FocusTask(
            settings=self.settings,
            start_position=self.focuser.position(),
            low=facts.low,
            high=facts.high,
            approach=self.scenario.approach,
            backlash_steps=self.scenario.backlash_steps,
            exposure_s=self.scenario.exposure_s,
            microns_per_step=facts.microns_per_step,
        )

    def lead(self, search: Search) -> FocusResult:
        """Lead a search to its end, and the focuser to its answer."""
        try:
            sweep = next(search)
            while True:
                sweep = search.send(self.observe(sweep))
        except StopIteration as end:
            result: FocusResult = end.value
        if result.outcome == "focused" and result.best is not None and result.confirmed is None:
            self.go_to(round(result.best.position), result.run_up_steps)
        return result

    def observe(self, sweep: Sweep) -> tuple[Measurement, ...]:
        """Take the samples of a sweep."""
        return tuple(self.look(sample) for sample in sweep.samples)

    def look(self, sample: Sample) -> Measurement:
        """One exposure where the sample says."""
        began = self.clock.monotonic()
        reached = self.go_to(sample.position, sample.run_up_steps)
        self.clock.sleep(SETTLE_S)
        exposure_s = sample.exposure_s or self.scenario.exposure_s
        numbers = self._drawn_numbers(exposure_s) if self.scenario.drawn_numbers else self._expose(exposure_s)
        now = self.clock.monotonic()
        measurement = dataclasses.replace(
            numbers,
            file=f"{len(self.measured):04d}",
            position=float(reached),
            exposure_s=exposure_s,
            phase=sample.phase,
            elapsed_s=now,
            cost_s=now - began,
        )
        self.measured.append(measurement)
        return measurement

    def _expose(self, exposure_s: float) -> Measurement:
        """Draw a frame and measure it, unless another method has seen the same."""
        self._asked.append((self.moves, exposure_s))
        self.camera.expose(exposure_s)
        asked = (self.scenario.night, self.bench.seed, self.clock.monotonic(), *self._asked, *self._path)
        if asked not in _seen:
            _seen[asked] = measure_spectrum(self.camera.fetch(), self._measure).measurement
            if len(_seen) > REMEMBERED:
                _seen.popitem(last=False)
        return _seen[asked]

    def _drawn_numbers(self, exposure_s: float) -> Measurement:
        """What measuring would give at best: the bench's optics and sky and the noise of photons, without pixels."""
        bench, own = self.bench, self.bench.instrument
        begun = bench.start_exposure(exposure_s)
        self.clock.sleep(bench.wait_s(exposure_s))
        middle = begun.start_s + 0.5 * exposure_s
        air = bench.sky.air(begun.number, middle, exposure_s)
        offset = bench.shift.at(middle)[0] + air.jitter_px[0]
        place = bench.focuser.tube(middle) - bench.focus_drift_steps(middle)
        image = slit_image(bench.beam(place, 0.0, air.seeing_factor, offset))
        electrons = own.star_adu_s * own.gain_e_per_adu * image.throughput * air.transparency * exposure_s
        background = bench.truths.background_noise_e(exposure_s)
        noise = float(np.sqrt((electrons + 2.0 * image.fwhm_px * background**2) / COLUMNS))
        known = Measurement(
            background_adu=own.bias_adu,
            background_noise_adu=background / own.gain_e_per_adu,
            gain_e_per_adu=own.gain_e_per_adu,
            columns_used=COLUMNS,
        )
        if electrons < 3.0 * background * image.fwhm_px / np.sqrt(COLUMNS):
            return dataclasses.replace(known, flags=(Flag.NO_TRACE,))
        rng = np.random.default_rng([bench.seed, 99, begun.number])
        per_s = 1.0 / (exposure_s * own.gain_e_per_adu)
        width_error = image.fwhm_px * (0.7 * noise / electrons + 0.002)
        return dataclasses.replace(
            known,
            fwhm_px=image.fwhm_px + width_error * rng.normal(),
            fwhm_err_px=width_error,
            nsig=(electrons + noise * rng.normal()) * per_s,
            nsig_err=noise * per_s,
            window_fraction=1.0,
            snr=electrons / noise / np.sqrt(COLUMNS),
        )

    def go_to(self, target: int, run_up_steps: int = 0) -> int:
        """Approach a position as a session would."""
        facts = self.focuser.facts
        way = waypoints(
            self.focuser.position(),
            target,
            approach=self.scenario.approach,
            backlash_steps=self.scenario.backlash_steps,
            run_up_steps=run_up_steps,
            last=self._arrived,
            low=facts.low,
            high=facts.high,
        )
        for point in way:
            self.focuser.move(point)
            self._path.append(point)
            self.moves += 1
        self._arrived = self.scenario.approach
        return self.focuser.position()

    @property
    def tube(self) -> float:
        """Where the drawtube really stands now."""
        return self.bench.focuser.tube(self.bench.now())

    def truth(self, objective: Objective | None = None) -> float:
        """Where it should stand now."""
        return self.bench.truth(objective or self.settings.objective, exposure_s=self.scenario.exposure_s)


def _options(scenario: Scenario) -> BenchOptions:
    usual: dict[str, Any] = {
        "start_offset_steps": scenario.offset_steps,
        "backlash_steps": scenario.backlash_steps,
    }
    small = {} if scenario.full_frames else {"sensor_px": (320, 260)}
    return BenchOptions(**{**usual, **small, **scenario.options})
