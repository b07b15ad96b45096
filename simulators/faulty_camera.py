"""Cameras that do not do as told: a fault wraps members of the Alpaca camera. An occasion is an exposure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from simulators.alpaca_camera import AlpacaCameraDevice
from simulators.alpaca_protocol import INVALID_OPERATION, AlpacaError, Getter, Parameters
from simulators.bench import Bench
from simulators.occasions import Occasions

DOWNLOAD, ERROR = 4, 5
FLASH_S = 0.15


class CameraFault:
    """What a fault of the camera needs: whether it strikes now, and to lay itself over a member."""

    def __init__(self, bench: Bench, camera: AlpacaCameraDevice, occasions: Occasions) -> None:
        self.bench = bench
        self.camera = camera
        self.occasions = occasions

    @property
    def striking(self) -> bool:
        """Whether the exposure begun last is a faulty one."""
        return self.occasions.include(self.bench.exposures)

    def over(self, member: str, spoilt: Callable[[Getter], Any]) -> None:
        """Answer a member by ``spoilt``, given what would answer, while the fault strikes."""
        sound = self.camera.gets[member]
        self.camera.gets[member] = lambda: spoilt(sound) if self.striking else sound()

    def with_start(self, then: Callable[[], None]) -> None:
        """Do something right after each StartExposure."""
        sound = self.camera.puts["startexposure"]

        def start(given: Parameters) -> None:
            sound(given)
            then()

        self.camera.puts["startexposure"] = start


def never_ready(fault: CameraFault) -> None:
    """ImageReady stays false for ever."""
    fault.over("imageready", lambda _: False)


def exposure_fails(fault: CameraFault) -> None:
    """CameraState says Error, ImageReady raises, AbortExposure is refused."""

    def refuse(*_: object) -> Any:
        raise AlpacaError(INVALID_OPERATION, "the exposure failed")

    fault.over("camerastate", lambda _: ERROR)
    fault.over("imageready", refuse)
    abort = fault.camera.puts["abortexposure"]
    fault.camera.puts["abortexposure"] = lambda given: refuse() if fault.striking else abort(given)


def stale_frame(fault: CameraFault) -> None:
    """The image of the exposure before is sent once more."""
    kept: list[Any] = []
    sound = fault.camera.gets["imagearray"]

    def image() -> Any:
        if fault.striking and kept:
            return kept[-1]
        kept[:] = [sound()]
        return kept[-1]

    fault.camera.gets["imagearray"] = image


def fixed_picture(fault: CameraFault) -> None:
    """The same nebula, without noise, whatever the focuser does: what ASCOM's OmniSim shows."""

    def image(sound: Getter) -> Any:
        rows, columns = sound().shape
        down, across = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
        nebula = 180.0 * np.exp(-3.0 * (down**2 + across**2)) + 40.0 * np.exp(-30.0 * ((down - 0.3) ** 2 + across**2))
        return (nebula * fault.camera.gets["lastexposureduration"]() + 3.0).astype(np.uint16)

    fault.over("imagearray", image)


def wrong_size(fault: CameraFault) -> None:
    """The image has ten rows fewer than NumY says."""
    fault.over("imagearray", lambda sound: sound()[:-10])


def transposed(fault: CameraFault) -> None:
    """Rows and columns are exchanged on the wire."""
    fault.over("imagearray", lambda sound: np.ascontiguousarray(sound().T))


def mirrored_roi(fault: CameraFault) -> None:
    """A subframe shows the rows that lie mirrored on the sensor, as INDI's server does."""

    def image(sound: Getter) -> Any:
        part = sound()
        whole = fault.bench.camera_size()[1]
        return np.ascontiguousarray(part[::-1]) if part.shape[0] < whole else part

    fault.over("imagearray", image)


def ready_flash(fault: CameraFault) -> None:
    """ImageReady is true for 0.15 s after StartExposure, and the image sent then is the last one."""
    began = [0.0]
    kept: list[Any] = []
    fault.with_start(lambda: began.__setitem__(0, time.monotonic()))
    sound = fault.camera.gets["imagearray"]

    def flashing() -> bool:
        return fault.striking and time.monotonic() - began[0] < FLASH_S

    def image() -> Any:
        if flashing() and kept:
            return kept[-1]
        kept[:] = [sound()]
        return kept[-1]

    fault.over("imageready", lambda ready: flashing() or ready())
    fault.camera.gets["imagearray"] = image


def stays_in_download(fault: CameraFault) -> None:
    """CameraState says Download after the image is ready."""
    ready = fault.camera.gets["imageready"]
    fault.over("camerastate", lambda sound: DOWNLOAD if ready() else sound())


def says_little(fault: CameraFault) -> None:
    """Nothing true is said of the last exposure, nothing steady of the one under way."""
    fault.over("lastexposureduration", lambda _: 0.00046)
    fault.over("lastexposurestarttime", lambda _: "")
    fault.over("percentcompleted", lambda _: int(time.monotonic() * 1000) % 101)


def disconnected(fault: CameraFault) -> None:
    """Another client disconnects the camera as the exposure begins."""
    fault.with_start(lambda: setattr(fault.camera, "connected", not fault.striking))


def connect_does_nothing(fault: CameraFault) -> None:
    """The device is connected by other means, and PUT Connected changes nothing."""
    fault.camera.connected = True
    for member in ("connected", "connect", "disconnect"):
        fault.camera.always_puts[member] = lambda _: None


def never_connects(fault: CameraFault) -> None:
    """PUT Connected succeeds, and the device stays unconnected."""
    for member in ("connected", "connect"):
        fault.camera.always_puts[member] = lambda _: None
