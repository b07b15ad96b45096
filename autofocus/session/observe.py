"""Taking each look that a search asks for: approach, settle, guide, expose; fetch and measure behind the next move."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from autofocus.errors import PositionNotReached
from autofocus.model import Measurement, Sample, Sweep
from autofocus.ports import GuidingState
from autofocus.session.darkroom import Darkroom, Exposed
from autofocus.session.events import ExposureStarted, Settled
from autofocus.session.guiding import Guiding, guide_star, guiding_flags
from autofocus.session.ledger import Ledger
from autofocus.session.motion import Motion
from autofocus.session.quiet import quietly
from autofocus.session.rig import Rig
from autofocus.session.stream import Stream
from autofocus.session.strip import Strip
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
        self,
        rig: Rig,
        settings: Settings,
        motion: Motion,
        guiding: Guiding,
        darkroom: Darkroom,
        stream: Stream,
        ledger: Ledger,
    ) -> None:
        self._rig = rig
        self._settings = settings
        self._motion = motion
        self._guiding = guiding
        self._darkroom = darkroom
        self._stream = stream
        self._ledger = ledger
        self._strip = Strip(rig.camera, settings, stream)
        self._worker: Worker = ThreadWorker() if rig.overlapped else InlineWorker()
        self._pending: list[tuple[Exposed, Future[Measurement]]] = []
        self._last_end_s = 0.0
        self._exposed_s = math.nan
        self._exposing = False
        guiding.glances.before_each = self._wait_for_camera

    @property
    def exposing(self) -> bool:
        """Is the camera at work, for a frame or for a glance at the spectrum?"""
        return self._exposing or self._guiding.glances.under_way

    def observe(self, sweep: Sweep, may_take: MayTake) -> tuple[Measurement, ...]:
        """Take the samples in order, each exposure once the download before it is over."""
        self._pending = []
        self._strip.adjust(self._darkroom.developed)
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
            reached, guiding = self._arrive_again(sample, reached, "before")
        started_utc, kept = self._expose(sample, reached)
        if not self._motion.still_at(reached):
            self._demand_room_for_another(reached)
            reached, guiding = self._arrive_again(sample, reached, "after")
            started_utc, kept = self._expose(sample, reached)
            self._demand_rest(reached)
        if kept.lost and self._ledger.exposures < self._settings.search.max_exposures:
            self._stream.warn(f"{kept.why} in exposure {self._ledger.exposures} at {reached}, which is repeated once")
            guiding = self._settle(reached)
            started_utc, kept = self._expose(sample, reached)
        self._guiding.accept(kept)
        self._last_end_s = self._stream.elapsed_s
        return Exposed(
            number=self._ledger.exposures,
            name=frame_name(self._ledger.exposures, reached),
            sample=sample,
            position=reached,
            exposure_s=self._exposure_s(sample),
            started_utc=started_utc,
            ended_s=self._last_end_s,
            spent_s=self._last_end_s - began,
            exposing_s=self._exposed_s,
            last=last,
            flags=guiding_flags(guiding, kept),
            temperature_c=quietly(self._rig.focuser.temperature),
            guide_star=guide_star(guiding, kept),
        )

    def _arrive(self, sample: Sample) -> tuple[int, GuidingState]:
        """Approach, let the optics come to rest, and wait for the guider."""
        already = self._motion.position
        moves = self._ledger.moves
        self._hop_towards(sample.position)
        reached = self._motion.go_to(sample.position, sample.run_up_steps)
        if moves == self._ledger.moves and already == reached and self._pending:
            return reached, GuidingState()  # a repeat: nothing moved, so nothing has to settle
        return reached, self._settle(reached)

    def _hop_towards(self, target: int) -> None:
        """Go so near that the guider can follow the rest in one motion."""
        here = self._motion.position
        while here is not None and (hop := self._guiding.next_hop(here, target, self._darkroom.developed)) is not None:
            reached = self._motion.hop(hop)
            if abs(target - reached) >= abs(target - here):
                return  # it does not get nearer: the motion to the target will say why
            here = reached
            self._settle(here)

    def _settle(self, reached: int) -> GuidingState:
        """Let the optics come to rest, and wait for the guider."""
        with self._ledger.timed("settling_s"):
            self._rig.clock.sleep(self._settings.focuser.settle_s)
        guiding = self._guiding.settle(reached, self._motion.legs_since())
        shift_px = math.nan if guiding.shift_px is None else math.hypot(*guiding.shift_px)
        told = Settled(
            elapsed_s=self._stream.elapsed_s,
            position=reached,
            settled=guiding.settled and not guiding.lost,
            waited_s=guiding.waited_s,
            why=guiding.why,
            shift_px=shift_px,
            shift_arcsec=shift_px * (guiding.pixel_scale_arcsec or math.nan),
        )
        self._stream.tell(told)
        return guiding

    def _arrive_again(self, sample: Sample, left_at: int, when: str) -> tuple[int, GuidingState]:
        self._stream.warn(
            f"the focuser was left at {left_at} and found at {self._motion.position} {when} the exposure: another "
            "program, or temperature compensation, moves it; it is sent again"
        )
        reached, guiding = self._arrive(sample)
        self._demand_rest(reached)
        return reached, guiding

    def _demand_rest(self, reached: int) -> None:
        if not self._motion.still_at(reached):
            raise self._does_not_stay(reached)

    def _demand_room_for_another(self, reached: int) -> None:
        """A frame taken while the focuser moved tells nothing; it is taken again if that is allowed."""
        if self._ledger.exposures >= self._settings.search.max_exposures:
            raise self._does_not_stay(reached)

    def _does_not_stay(self, reached: int) -> PositionNotReached:
        return PositionNotReached(
            f"the focuser does not stay at {reached} (found at {self._motion.position}): close the other program "
            "that moves it, or switch its temperature compensation off",
            device=self._rig.focuser.facts.name,
            operation="position",
        )

    def _exposure_s(self, sample: Sample) -> float:
        return sample.exposure_s or self._settings.camera.exposure_s

    def _expose(self, sample: Sample, reached: int) -> tuple[str, GuidingState]:
        """Take the frame; return when it began (UTC) and whether the guider kept the star."""
        exposure_s = self._exposure_s(sample)
        self._ledger.exposures += 1
        started_utc = self._rig.clock.utc().isoformat(timespec="milliseconds").removesuffix("+00:00")
        told = ExposureStarted(
            elapsed_s=self._stream.elapsed_s,
            number=self._ledger.exposures,
            position=reached,
            exposure_s=exposure_s,
            phase=sample.phase,
        )
        self._stream.tell(told)
        self._exposing = True
        with self._ledger.timed("exposing_s"):
            self._guiding.exposure_started()
            began_s = self._stream.elapsed_s
            self._rig.camera.expose(exposure_s)
            self._exposed_s = self._stream.elapsed_s - began_s
        self._exposing = False
        return started_utc, self._guiding.exposure_ended()


def frame_name(number: int, position: int) -> str:
    """The name of a frame, without suffix; N.I.N.A.'s users know the position at its end."""
    return f"{number:04d}-{position}"
