"""Taking each look that a search asks for: approach, settle, guide, expose; fetch and measure behind the next move."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from autofocus.errors import GuidingError, PositionNotReached
from autofocus.model import Flag, Measurement, Sample, Sweep
from autofocus.ports import GuidingState
from autofocus.session.darkroom import Darkroom, Exposed
from autofocus.session.events import ExposureStarted, Settled
from autofocus.session.ledger import Ledger
from autofocus.session.motion import Motion
from autofocus.session.quiet import quietly
from autofocus.session.rig import Rig
from autofocus.session.stream import Stream
from autofocus.session.worker import POLL_S, InlineWorker, ThreadWorker, Worker, wait_for
from autofocus.settings import Settings

MayTake = Callable[[Sample], bool]


class Observer(Protocol):
    """Answers a sweep with its measurements, in order; fewer where ``may_take`` said that a budget ended."""

    def observe(self, sweep: Sweep, may_take: MayTake) -> tuple[Measurement, ...]:
        """Take the samples, or look them up."""


class LiveObserver:
    """Takes samples with real or simulated devices, one worker developing each frame while the focuser moves on."""

    def __init__(
        self, rig: Rig, settings: Settings, motion: Motion, darkroom: Darkroom, stream: Stream, ledger: Ledger
    ) -> None:
        self._rig = rig
        self._settings = settings
        self._motion = motion
        self._darkroom = darkroom
        self._stream = stream
        self._ledger = ledger
        self._worker: Worker = ThreadWorker() if rig.overlapped else InlineWorker()
        self._pending: list[tuple[Exposed, Future[Measurement]]] = []
        self._last_end_s = 0.0
        self.exposing = False

    def observe(self, sweep: Sweep, may_take: MayTake) -> tuple[Measurement, ...]:
        """Take the samples in order, each exposure once the download before it is over."""
        self._pending = []
        self._last_end_s = self._stream.elapsed_s
        for index, sample in enumerate(sweep.samples):
            if not may_take(sample):
                break
            exposed = self._take(sample, last=index == len(sweep.samples) - 1)
            self._pending.append((exposed, self._worker.submit(partial(self._darkroom.develop, exposed))))
        return tuple(wait_for(future, self._rig.clock) for _, future in self._pending)

    def finish(self) -> None:
        """Wait until the worker is done with the frames taken; what went wrong with them was raised before."""
        for _, future in self._pending:
            while not future.done():
                self._rig.clock.sleep(POLL_S)

    def _wait_for_camera(self) -> None:
        """Wait until the last frame has left the camera and the one before is done; raise what went wrong with them."""
        for _, future in self._pending[:-1]:
            wait_for(future, self._rig.clock)  # no more than two whole frames at a time in memory
        for taken, future in self._pending[-1:]:
            while not (taken.fetched.is_set() or future.done()):
                self._rig.clock.sleep(POLL_S)
            if future.done():
                future.result()

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def _take(self, sample: Sample, *, last: bool) -> Exposed:
        began = self._last_end_s
        reached, guiding = self._arrive(sample)
        self._wait_for_camera()
        if not self._motion.still_at(reached):
            reached, guiding = self._arrive_again(sample, reached)
        exposure_s = sample.exposure_s or self._settings.camera.exposure_s
        self._ledger.exposures += 1
        number, name = self._ledger.exposures, frame_name(self._ledger.exposures, reached)
        started_utc = self._rig.clock.utc().isoformat(timespec="milliseconds").removesuffix("+00:00")
        told = ExposureStarted(
            elapsed_s=self._stream.elapsed_s,
            number=number,
            position=reached,
            exposure_s=exposure_s,
            phase=sample.phase,
        )
        self._stream.tell(told)
        kept = self._expose(exposure_s)
        self._last_end_s = self._stream.elapsed_s
        return Exposed(
            number=number,
            name=name,
            sample=sample,
            position=reached,
            exposure_s=exposure_s,
            started_utc=started_utc,
            ended_s=self._last_end_s,
            spent_s=self._last_end_s - began,
            last=last,
            flags=_guiding_flags(guiding, kept),
            temperature_c=quietly(self._rig.focuser.temperature),
        )

    def _arrive(self, sample: Sample) -> tuple[int, GuidingState]:
        """Approach, let the optics come to rest, and wait for the guider."""
        already = self._motion.position
        moves = self._ledger.moves
        reached = self._motion.go_to(sample.position)
        if moves == self._ledger.moves and already == reached and self._pending:
            return reached, GuidingState()  # a repeat: nothing moved, so nothing has to settle
        with self._ledger.timed("settling_s"):
            self._rig.clock.sleep(self._settings.focuser.settle_s)
        guiding = self._guide()
        told = Settled(
            elapsed_s=self._stream.elapsed_s,
            position=reached,
            settled=guiding.settled and not guiding.lost,
            waited_s=guiding.waited_s,
            why=guiding.why,
        )
        self._stream.tell(told)
        return reached, guiding

    def _arrive_again(self, sample: Sample, left_at: int) -> tuple[int, GuidingState]:
        found = self._motion.position
        self._stream.warn(
            f"the focuser was left at {left_at} and found at {found} before the exposure: another program, or "
            "temperature compensation, moves it; it is sent again"
        )
        reached, guiding = self._arrive(sample)
        if not self._motion.still_at(reached):
            raise PositionNotReached(
                f"the focuser does not stay at {reached} (found at {self._motion.position}): close the other program "
                "that moves it, or switch its temperature compensation off",
                device=self._rig.focuser.facts.name,
                operation="position",
            )
        return reached, guiding

    def _guide(self) -> GuidingState:
        if self._rig.guider is None:
            return GuidingState()
        with self._ledger.timed("guiding_s"):
            state = self._rig.guider.settle()
        self._judge(state)
        return state

    def _expose(self, exposure_s: float) -> GuidingState:
        guider = self._rig.guider
        self.exposing = True
        with self._ledger.timed("exposing_s"):
            if guider is not None:
                guider.exposure_started()
            self._rig.camera.expose(exposure_s)
        self.exposing = False
        kept = GuidingState() if guider is None else guider.exposure_ended()
        self._judge(kept)
        return kept

    def _judge(self, state: GuidingState) -> None:
        """Stop the run where the settings say so; otherwise the frame is flagged and its NSIG not used."""
        if state.settled and not state.lost:
            return
        trouble = state.why or ("the guide star was lost" if state.lost else "guiding did not settle")
        if self._settings.guider.on_failure == "stop":
            raise GuidingError(f"{trouble}; guider.on_failure says to stop then")
        self._stream.warn(f"{trouble}; the run goes on without the NSIG of such frames")


def frame_name(number: int, position: int) -> str:
    """The name of a frame, without suffix; N.I.N.A.'s users know the position at its end."""
    return f"{number:04d}-{position}"


def _guiding_flags(*states: GuidingState) -> tuple[Flag, ...]:
    flags = []
    if any(not state.settled for state in states):
        flags.append(Flag.GUIDING_UNSETTLED)
    if any(state.lost for state in states):
        flags.append(Flag.GUIDING_LOST)
    return tuple(flags)
