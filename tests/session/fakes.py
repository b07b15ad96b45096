"""Devices that do as told on virtual time, and a search that goes where it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from autofocus.devices.clock import VirtualClock
from autofocus.errors import AutofocusError
from autofocus.model import (
    BestFocus,
    Confirmation,
    CurveFit,
    FocusCurves,
    FocusResult,
    Frame,
    Measurement,
    Sample,
    Sweep,
)
from autofocus.ports import CameraFacts, FocuserFacts, GuidingState, Informant
from autofocus.search.task import FocusTask, Search
from autofocus.session import engine
from autofocus.session.rig import Rig
from autofocus.settings import Settings

BEST = 9380


@dataclass
class FakeFocuser:
    clock: VirtualClock
    at: int = 9400
    speed: float = 100.0
    facts: FocuserFacts = field(default_factory=lambda: FocuserFacts("Fake focuser", low=0, high=20000))
    log: list[str] = field(default_factory=list)
    fault: Callable[[str], None] = lambda operation: None
    lag: float = 0.0

    def open(self) -> None:
        self.fault("open")
        self.log.append("open focuser")

    def close(self) -> None:
        self.log.append("close focuser")

    def position(self) -> int:
        self.fault("position")
        return self.at

    def move(self, position: int) -> int:
        self.log.append(f"move {position}")
        self.fault("move")
        self.clock.sleep(abs(position - self.at) / self.speed)
        self.at = position
        return self.at

    def halt(self) -> None:
        self.log.append("halt")

    def temperature(self) -> float | None:
        self.fault("temperature")
        return 4.5


@dataclass
class FakeCamera:
    clock: VirtualClock
    focuser: FakeFocuser
    log: list[str]
    fault: Callable[[str], None] = lambda operation: None
    shown: int = 0
    facts: CameraFacts = field(
        default_factory=lambda: CameraFacts(
            "Fake camera", gain_e_per_adu=0.8, pixel_um=(2.4, 2.4), gain=100.0, offset=10.0
        )
    )

    def open(self) -> None:
        self.fault("open")
        self.log.append("open camera")

    def close(self) -> None:
        self.log.append("close camera")

    def expose(self, exposure_s: float) -> None:
        self.log.append(f"expose at {self.focuser.at}")
        self.fault("expose")
        self.shown = self.focuser.at
        self.clock.sleep(exposure_s)

    def fetch(self) -> Frame:
        self.log.append("fetch")
        self.fault("fetch")
        return Frame(raw=np.full((40, 60), self.shown, dtype="u2"))

    def abort(self) -> None:
        self.log.append("abort")

    def temperature(self) -> float | None:
        return -10.0


@dataclass
class FakeGuider:
    log: list[str]
    states: list[GuidingState] = field(default_factory=list)
    kept: GuidingState = field(default_factory=GuidingState)

    def open(self) -> None:
        self.log.append("open guider")

    def move_started(self) -> None:
        self.log.append("pause")

    def move_ended(self) -> None:
        self.log.append("resume")

    def settle(self) -> GuidingState:
        self.log.append("guide")
        return self.states.pop(0) if self.states else GuidingState(waited_s=1.0)

    def exposure_started(self) -> None:
        self.log.append("watch")

    def exposure_ended(self) -> GuidingState:
        return self.kept

    def close(self) -> None:
        self.log.append("close guider")


def measure(frame: Frame, settings: Any) -> Any:
    """A hyperbola in FWHM about BEST, read from the one value of the frame's pixels."""
    position = float(frame.pixels[0, 0])
    fwhm = float(np.hypot(4.0, (position - BEST) / 10.0))
    measurement = Measurement(
        file=frame.name, fwhm_px=fwhm, fwhm_err_px=0.05, nsig=400.0 / fwhm, nsig_err=1.0, center_px=20.0
    )
    profile = SimpleNamespace(values=np.arange(5.0), fit=np.arange(5.0), start_px=18)
    trace = SimpleNamespace(center=lambda along: 20.0 + 0.0 * along)
    return SimpleNamespace(measurement=measurement, profile=profile, trace=trace)


def write_frame(frame: Frame, headers: Any, path: Path) -> None:
    path.write_text(f"{frame.name} {headers}")


def curves_at(at: float) -> FocusCurves:
    position = float(at)
    fit = CurveFit("fwhm", "hyperbola", position, 0.7, 4.0, 3, 0.99, line=((9300.0, 8.0), (9460.0, 8.0)))
    return FocusCurves(fwhm=fit, best=BestFocus("fwhm", position, 0.7, position - 5, position + 5))


def going_to(*sweeps: tuple[int, ...], outcome: Any = "focused", confirm: bool = True, best: float = BEST) -> Any:
    """A search that asks for these sweeps, then confirms at ``best``, and ends."""

    def begin(task: FocusTask) -> Search:
        taken: list[Measurement] = []
        for positions in sweeps:
            answer = yield Sweep(tuple(Sample(x, "sweep", task.exposure_s) for x in positions), "to see", None, 3)
            taken += answer
        if outcome != "focused":
            return FocusResult(outcome, "poor_fit", "Nothing to see.", "fwhm", measurements=tuple(taken))
        confirmation = None
        if confirm:
            sample = Sample(round(best), "confirm", task.exposure_s)
            answer = yield Sweep((sample,), "to confirm", curves_at(best), 0)
            taken += answer
            confirmation = Confirmation(answer[0], agrees=True, fwhm_sigmas=0.4, nsig_sigmas=-0.2)
        return FocusResult("focused", None, "In focus.", "fwhm", curves_at(best), confirmation, tuple(taken))

    return begin


class Bench:
    """A rig of fakes with everything a test turns or reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.focuser = FakeFocuser(self.clock)
        self.log = self.focuser.log
        self.camera = FakeCamera(self.clock, self.focuser, self.log)
        self.guider: FakeGuider | None = None
        self.overlapped = False
        self.informant: Informant | None = None
        self.events: list[Any] = []
        self.sections: dict[str, Any] = {
            "camera": {"address": "me:secret@cam:1111", "exposure_s": 10.0},
            "focuser": {"address": "foc:2222", "settle_s": 1.0, "backlash_steps": 0},
            "session": {"directory": str(folder / "sessions")},
        }

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(self.sections)

    @property
    def rig(self) -> Rig:
        more: dict[str, Any] = {"overlapped": self.overlapped, "informant": self.informant}
        return Rig(self.camera, self.focuser, self.clock, self.guider, **more)

    def run(self, begin: Any, **more: Any) -> engine.Ending:
        given: dict[str, Any] = {"measure": measure, "write_frame": write_frame, "listeners": [self.events.append]}
        return engine.run(
            self.settings, self.rig, begin=begin, lock_directory=self.folder / "locks", **{**given, **more}
        )

    def moves(self) -> list[int]:
        return [int(line.split()[1]) for line in self.log if line.startswith("move")]


def failing(operation: str, error: AutofocusError | Exception, *, after: int = 0, times: int = 10**6) -> Any:
    """A fault of this operation, from the call after ``after`` good ones, ``times`` times."""
    calls = 0

    def fault(called: str) -> None:
        nonlocal calls
        if called == operation:
            calls += 1
            if after < calls <= after + times:
                raise error

    return fault
