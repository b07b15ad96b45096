"""One exposure, from StartExposure to the moment the image is ready and certainly ours."""

from __future__ import annotations

import enum
from contextlib import suppress

from autofocus.devices.alpaca import Door
from autofocus.devices.replies import INVALID_OPERATION, NOT_CONNECTED, is_final, is_not_implemented
from autofocus.devices.values import truth, whole
from autofocus.devices.wire import never_arrived
from autofocus.errors import DeviceError, DeviceRefused, DeviceTimeout

_FIRST_PAUSE_S = 0.01


class State(enum.IntEnum):
    """ASCOM's CameraState."""

    IDLE = 0
    WAITING = 1
    EXPOSING = 2
    READING = 3
    DOWNLOAD = 4
    ERROR = 5


_AT_WORK = (State.WAITING, State.EXPOSING, State.READING)


class Exposure:
    """Takes exposures with one camera; ``readout_s`` is allowed between the exposure's end and its image."""

    def __init__(self, door: Door, readout_s: float) -> None:
        self._door = door
        self._readout_s = readout_s

    def end_foreign(self) -> None:
        """Abort an exposure that another program, or a killed run of ours, left behind."""
        if self._state() in _AT_WORK:
            self.abort()

    def take(self, exposure_s: float) -> None:
        """Start an exposure and wait until its image is ready; begin anew when the server lost it in a restart."""
        while True:
            began = self._start(exposure_s)
            returns = self._door.returns
            try:
                if self._await_image(exposure_s, began, returns):
                    return
            except DeviceError:
                # The next run must not find the camera at work; the fault that ended this one is what counts.
                with suppress(DeviceError):
                    self.abort()
                raise

    def abort(self) -> None:
        """End an exposure under way; where the camera cannot, or has none, nothing happens."""
        try:
            self._door.call("AbortExposure")
        except DeviceRefused as error:
            if not is_not_implemented(error) and error.number != INVALID_OPERATION:
                raise

    def _start(self, exposure_s: float) -> float:
        """Send StartExposure; a second time only when the camera shows that the first came to nothing."""
        clock, deadlines = self._door.clock, self._door.deadlines
        end = clock.monotonic() + exposure_s + deadlines.repeat_within_s
        ready_before = self._ready_or_false()
        pause = deadlines.pause_s
        for left in range(deadlines.repeats, -1, -1):
            began, returns = clock.monotonic(), self._door.returns
            try:
                self._door.call("StartExposure", float(exposure_s), True)
                return began
            except DeviceError as error:
                if isinstance(error, DeviceRefused) and is_final(error) and error.number != NOT_CONNECTED:
                    raise
                if not never_arrived(error) and self._has_begun(ready_before, returns):
                    return began
                came_back = self._door.returns > returns
                if left == 0 or (clock.monotonic() >= end and not came_back):
                    raise
            clock.sleep(pause)
            pause *= 2
        raise AssertionError("the loop above always returns or raises")

    def _has_begun(self, ready_before: bool, returns: int) -> bool:
        """Whether the camera is at work, or its ImageReady changed, after a StartExposure without an answer.

        A server that restarted meanwhile has forgotten the last image: then only a camera at work has begun.
        """
        if self._state() in _AT_WORK:
            return True
        changed = self._ready_or_false() != ready_before
        return changed and self._door.returns == returns

    def _await_image(self, exposure_s: float, began: float, returns: int) -> bool:
        """Wait for ImageReady; a true one counts only once it was seen false or the exposure's time has passed.

        False when the server was lost meanwhile and came back idle: the exposure went with it.
        """
        clock = self._door.clock
        deadline = began + exposure_s + self._readout_s
        seen_false = False
        pause = _FIRST_PAUSE_S
        while True:
            state = self._state()  # before ImageReady: an exposure that ends between the two is not taken for lost
            ready = self._door.read("ImageReady", truth)
            if ready and (seen_false or clock.monotonic() - began >= exposure_s):
                return True
            seen_false = seen_false or not ready
            if self._door.returns > returns and not ready and state not in _AT_WORK:
                return False
            if state == State.ERROR:
                raise self._failed(
                    DeviceRefused, "reports that the exposure failed (CameraState 5); look at its driver"
                )
            if clock.monotonic() >= deadline:
                raise self._failed(
                    DeviceTimeout,
                    f"had no image ready {self._readout_s:g} s after an exposure of {exposure_s:g} s ended; "
                    "power-cycle it, or raise camera.download_timeout_s if it reads out slowly",
                )
            clock.sleep(pause)
            pause = min(pause * 1.5, self._door.deadlines.poll_s)

    def _failed(self, kind: type[DeviceError], what: str) -> DeviceError:
        return kind(f"The {self._door.device} {what}.", device=self._door.device, operation="StartExposure")

    def _ready_or_false(self) -> bool:
        return self._door.optional("ImageReady", truth) or False

    def _state(self) -> int | None:
        return self._door.optional("CameraState", whole)
