from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from autofocus.devices.alpaca import Door
from autofocus.devices.camera import AlpacaCamera
from autofocus.devices.clock import RealClock
from autofocus.devices.focuser import AlpacaFocuser
from autofocus.settings import CameraSettings, FocuserSettings
from tests.devices.fake_alpaca import QUICK, FakeServer

OpenCamera = Callable[..., AlpacaCamera]
OpenFocuser = Callable[..., AlpacaFocuser]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.stop()


@pytest.fixture
def clock() -> RealClock:
    return RealClock()


@pytest.fixture
def door(server: FakeServer, clock: RealClock) -> Door:
    return Door("focuser", server.address, 0, clock, QUICK)


@pytest.fixture
def open_camera(server: FakeServer, clock: RealClock) -> OpenCamera:
    def make(**settings: Any) -> AlpacaCamera:
        settings = {"exposure_s": 0.05, "download_timeout_s": 1.0} | settings
        camera = AlpacaCamera(CameraSettings(address=server.address, **settings), clock, QUICK)
        camera.open()
        return camera

    return make


@pytest.fixture
def open_focuser(server: FakeServer, clock: RealClock) -> OpenFocuser:
    def make(**settings: Any) -> AlpacaFocuser:
        focuser = AlpacaFocuser(FocuserSettings(address=server.address, move_timeout_s=1.5, **settings), clock, QUICK)
        focuser.open()
        return focuser

    return make
