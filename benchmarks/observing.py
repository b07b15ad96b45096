"""A night on the bench without a session around it: one search, simulated devices, our measuring, a virtual clock."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from autofocus.devices.clock import VirtualClock
from autofocus.measure.spectrum import measure_spectrum
from autofocus.model import FocusResult, Measurement, Objective, Sample, Sweep
from autofocus.search.approach import Direction, waypoints
from autofocus.search.task import FocusTask, Search
from autofocus.settings import CameraSettings, FocuserSettings, MeasureSettings, SearchSettings
from simulators.bench import Bench
from simulators.devices import SimulatedCamera, SimulatedFocuser
from simulators.options import BenchOptions

ADDRESS = "127.0.0.1:11111"  # settings want one; the bench is in process
SETTLE_S = 6.0  # the motion's own shaking, then the guider: three of its time constants


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


class BenchObserver:
    """Answers the sweeps of a search on a bench of its own, as a session does, and keeps the account."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.settings = SearchSettings(**scenario.search)
        self.clock = VirtualClock()
        self.bench = Bench(scenario.instrument, seed, clock=self.clock, options=_options(scenario, self.settings))
        self.camera = SimulatedCamera(self.bench, self.clock, CameraSettings(address=ADDRESS))
        self.focuser = SimulatedFocuser(self.bench, self.clock, FocuserSettings(address=ADDRESS))
        self.measured: list[Measurement] = []
        self.moves = 0
        self._arrived: Direction | None = None
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
            self.go_to(round(result.best.position))
        return result

    def observe(self, sweep: Sweep) -> tuple[Measurement, ...]:
        """Take the samples of a sweep."""
        return tuple(self.look(sample) for sample in sweep.samples)

    def look(self, sample: Sample) -> Measurement:
        """One exposure where the sample says."""
        began = self.clock.monotonic()
        reached = self.go_to(sample.position)
        self.clock.sleep(SETTLE_S)
        exposure_s = sample.exposure_s or self.scenario.exposure_s
        self.camera.expose(exposure_s)
        frame = dataclasses.replace(self.camera.fetch(), position=float(reached), name=f"{len(self.measured):04d}")
        now = self.clock.monotonic()
        measurement = dataclasses.replace(
            measure_spectrum(frame, self._measure).measurement,
            position=float(reached),
            exposure_s=exposure_s,
            phase=sample.phase,
            elapsed_s=now,
            cost_s=now - began,
        )
        self.measured.append(measurement)
        return measurement

    def go_to(self, target: int) -> int:
        """Approach a position as a session would."""
        facts = self.focuser.facts
        way = waypoints(
            self.focuser.position(),
            target,
            approach=self.scenario.approach,
            backlash_steps=self.scenario.backlash_steps,
            last=self._arrived,
            low=facts.low,
            high=facts.high,
        )
        for point in way:
            self.focuser.move(point)
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


def _options(scenario: Scenario, settings: SearchSettings) -> BenchOptions:
    small = {} if scenario.full_frames else {"sensor_px": (200, 260)}
    return BenchOptions(
        start_offset_steps=scenario.offset_steps,
        start_objective=settings.objective,
        backlash_steps=scenario.backlash_steps,
        **{**small, **scenario.options},
    )
