"""Looking over the equipment before the night: one finding for each thing that could spoil a run, and its mend."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from autofocus import wiring
from autofocus.errors import AutofocusError, DeviceError, GuidingError, JournalError
from autofocus.settings import Settings

if TYPE_CHECKING:
    from autofocus.ports import Camera, CameraFacts, Clock, Focuser, FocuserFacts

BYTES_PER_PIXEL = 2
SMALLEST_FREE = 200e6  # bytes for journal, previews and report, whatever the frames take


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``mend`` says what to do when it is not well; ``exit_code`` belongs to a failure."""

    name: str
    verdict: Literal["pass", "warn", "fail"]
    detail: str
    mend: str = ""
    exit_code: int = 0


@dataclass(slots=True)
class Preflight:
    """Tries everything a run needs without moving the focuser; `findings` in the order looked at."""

    settings: Settings
    clock: Clock
    expose: bool = False
    findings: list[Finding] = field(default_factory=list)

    def perform(self) -> list[Finding]:
        """Look at everything; a fault is a finding and the rest is still looked at where it can be."""
        from autofocus.session import lock, opening

        with wiring.reachable(self.settings) as reached:
            camera, focuser = wiring.devices(reached, self.clock)
            free = self._trying("focuser is free", "wait for the other run or end it")
            with free, lock.hold(opening.focuser_key(reached.focuser)):
                self._found("focuser is free", "pass", "no other run on this machine holds it")
                self._look_for_killed_run(opening.focuser_key(reached.focuser))
                self._look_at_devices(reached, camera, focuser)
            self._look_at_guider(reached)
        self._look_at_disk(camera.facts)
        return self.findings

    def _look_for_killed_run(self, key: str) -> None:
        from autofocus.session import history

        left = history.unfinished(Path(self.settings.session.directory), key)
        if left is not None:
            said = f"session {left.folder.name} was killed and has not brought the focuser back"
            self._found("last run", "warn", said, "autofocus run --recover first returns it to where that run began")

    def _look_at_devices(self, settings: Settings, camera: Camera, focuser: Focuser) -> None:
        from autofocus.session import opening

        mend = "see what its driver or its own program says"
        camera_opened = False
        with self._trying(f"camera at {_shown(settings.camera.address)}", mend):
            try:
                camera.open()
                camera_opened = True
                self._found("camera", "pass", _camera_words(camera.facts))
                with self._trying("columns", "set measure.columns in scope.yaml"):
                    opening.demand_columns(settings, camera.facts)
                if self.expose:
                    self._test_exposure(settings, camera)
            finally:
                if camera_opened:
                    camera.close()
        with self._trying(f"focuser at {_shown(settings.focuser.address)}", mend):
            focuser.open()
            try:
                position = focuser.position()
                self._found("focuser", "pass", _focuser_words(focuser.facts, position))
                self._look_at_limits(settings, focuser.facts, position)
            finally:
                focuser.close()

    def _look_at_limits(self, settings: Settings, facts: FocuserFacts, position: int) -> None:
        spacing = settings.search.spacing_steps
        half = (15 if spacing == "auto" else spacing) * settings.search.samples_each_side
        slack = settings.focuser.backlash_steps
        low, high = position - half - slack, position + half + slack
        travel = f"{_end(facts.low)} to {_end(facts.high)}"
        short = (facts.low is not None and low < facts.low) or (facts.high is not None and high > facts.high)
        self._found(
            "travel",
            "warn" if short else "pass",
            f"a sweep about {position} needs {low} to {high}; the focuser goes from {travel}",
            "move the focuser towards the middle of its travel, or make the sweep smaller" if short else "",
        )

    def _test_exposure(self, settings: Settings, camera: Camera) -> None:
        from autofocus.measure.modes import measure_frame
        from autofocus.model import Flag
        from autofocus.search.locate import TO_SHOW
        from autofocus.views.lines import frame_line

        with self._trying("test exposure", "look at the camera in its own program"):
            camera.expose(settings.camera.exposure_s)
            measured = measure_frame(camera.fetch(), settings.measure).measurement
            line = frame_line(measured).partition(": ")[2]
            if Flag.NO_TRACE in measured.flags:
                mend = f"set measure.mode: {measured.shows}" if measured.shows else TO_SHOW[measured.mode]
                self._found("test exposure", "warn", line, mend)
            elif Flag.SATURATED in measured.flags:
                self._found("test exposure", "warn", line, "expose shorter: saturated frames mislead both curves")
            else:
                self._found("test exposure", "pass", line)

    def _look_at_guider(self, settings: Settings) -> None:
        asked = settings.guider
        guider = wiring.guider(settings, self.clock)
        if guider is None:
            rest = f"each move is followed by {settings.focuser.settle_s:g} s of rest"
            steady = "steady: short frames after each move, until two show the same spectrum"
            self._found("guider", "pass", steady if asked.kind == "steady" else f"none: {rest}")
            return
        with self._trying("guider", "start PHD2 and switch on Tools > Enable Server, or set guider.kind: none"):
            try:
                guider.connect()
                said = f"{guider.state.facts}, at {_shown(asked.address)}"
                if guider.state.guiding:
                    self._found("guider", "pass", said)
                elif asked.start_if_stopped:
                    self._found("guider", "warn", said, "nothing: a run will have it guide (guider.start_if_stopped)")
                else:
                    mend = "let PHD2 guide on the star before the run, or set guider.start_if_stopped: true"
                    self.findings.append(Finding("guider", "fail", said, mend, GuidingError.exit_code))
            finally:
                guider.close()

    def _look_at_disk(self, camera: CameraFacts) -> None:
        directory = Path(self.settings.session.directory).absolute()
        with self._trying("disk", "set session.directory to a folder that can be written"):
            try:
                # the first run makes the folder; a check leaves nothing, so the nearest one that exists stands for it
                there = next(place for place in (directory, *directory.parents) if place.exists())
                probe = there / ".autofocus-check"
                probe.write_bytes(b"")
                probe.unlink()
                free = shutil.disk_usage(there).free
            except OSError as error:
                raise JournalError(f"{directory} cannot be written: {error.strerror or error}") from error
            frames = self.settings.search.max_exposures if self.settings.session.save_frames else 0
            need = SMALLEST_FREE + frames * camera.width_px * camera.height_px * BYTES_PER_PIXEL
            enough = free > need
            self._found(
                "disk",
                "pass" if enough else "warn",
                f"{free / 1e9:.1f} GB free in {directory}; the longest run needs {need / 1e9:.1f} GB",
                "" if enough else "free some space, or set session.save_frames: false",
            )

    def _found(self, name: str, verdict: Literal["pass", "warn", "fail"], detail: str, mend: str = "") -> None:
        self.findings.append(Finding(name, verdict, detail, mend))

    @contextmanager
    def _trying(self, name: str, mend: str) -> Iterator[None]:
        try:
            yield
        except AutofocusError as error:
            own = error.mend if isinstance(error, DeviceError) else ""
            said = error.message.replace(f"; {own}.", ".") if own else error.message
            self.findings.append(Finding(name, "fail", said, own or mend, error.exit_code))


def _shown(address: str) -> str:
    return address.rpartition("@")[2]


def _end(limit: int | None) -> str:
    return "no known limit" if limit is None else str(limit)


def _camera_words(facts: CameraFacts) -> str:
    parts: list[str] = [facts.name, f"{facts.width_px} x {facts.height_px} px"]
    known: tuple[tuple[object, Callable[[], str]], ...] = (
        (facts.pixel_um, lambda: f"{facts.pixel_um[0]:g} um pixels" if facts.pixel_um else ""),
        (facts.gain_e_per_adu, lambda: f"{facts.gain_e_per_adu:g} e/ADU"),
        (facts.saturation_adu, lambda: f"full at {facts.saturation_adu:g} ADU"),
    )
    return ", ".join([*parts, *(words() for fact, words in known if fact is not None)])


def _focuser_words(facts: FocuserFacts, position: int) -> str:
    kind = "absolute" if facts.absolute else "relative: positions count from where a run begins"
    step = "" if facts.microns_per_step is None else f", {facts.microns_per_step:g} um per step"
    halt = "" if facts.can_halt else ", cannot be halted"
    return f"{facts.name}, {kind}, at {position}{step}{halt}"
