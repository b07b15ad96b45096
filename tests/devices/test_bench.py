"""Camera and focuser against the bench, over real HTTP: an Alpaca server that knows nothing of our client."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from autofocus.devices.camera import AlpacaCamera
from autofocus.devices.clock import RealClock
from autofocus.devices.focuser import AlpacaFocuser
from autofocus.errors import DeviceRefused, PositionNotReached
from autofocus.settings import CameraSettings, FocuserSettings
from simulators.alpaca_server import BenchServer, start
from simulators.bench import Bench
from simulators.options import BenchOptions


def serve(**options: object) -> BenchServer:
    asked = {"speed": 20.0, "sensor_px": (240, 160)} | options
    return start(Bench("starex", 3, clock=RealClock(), options=BenchOptions(**asked)))  # type: ignore[arg-type]


@pytest.fixture
def bench() -> Iterator[BenchServer]:
    with serve() as server:
        yield server


def test_the_focuser_moves_and_is_found_where_it_was_sent(bench: BenchServer, clock: RealClock) -> None:
    focuser = AlpacaFocuser(FocuserSettings(address=bench.address, position_tolerance_steps=0), clock)
    focuser.open()
    start_position = focuser.position()
    assert focuser.facts.absolute
    assert focuser.facts.unique_id
    for target in (start_position + 100, start_position - 37, start_position):
        assert focuser.move(target) == target == focuser.position()
    assert focuser.facts.high is not None
    with pytest.raises(PositionNotReached):
        focuser.move(focuser.facts.high + 1)
    focuser.close()


def test_a_relative_focuser_counts(clock: RealClock) -> None:
    with serve(absolute=False, max_increment=50, can_halt=False, has_temperature=False, has_step_size=False) as bench:
        focuser = AlpacaFocuser(FocuserSettings(address=bench.address), clock)
        focuser.open()
        facts = focuser.facts
        assert (facts.absolute, facts.can_halt, facts.has_temperature, facts.microns_per_step) == (False,) * 3 + (None,)
        assert [focuser.move(120), focuser.move(-30), focuser.move(0)] == [120, -30, 0]
        focuser.close()


def test_frames_are_those_that_the_bench_drew(bench: BenchServer, clock: RealClock) -> None:
    camera = AlpacaCamera(CameraSettings(address=bench.address, gain=120, download_timeout_s=10), clock)
    camera.open()
    assert (camera.facts.width_px, camera.facts.height_px, camera.facts.gain) == (240, 160, 120)
    for _ in range(2):
        camera.expose(2.0)
        frame = camera.fetch()
        np.testing.assert_array_equal(frame.raw, np.asarray(bench.application.camera.image()))
        assert frame.shape == (160, 240)
        assert frame.exposure_s == 2.0
    camera.close()


@pytest.mark.parametrize("imagebytes", [True, False])
def test_binning_and_subframe(clock: RealClock, imagebytes: bool) -> None:
    with serve(imagebytes=imagebytes) as bench:
        bench.application.camera.connected = True  # by another program, so that it stays connected
        camera = AlpacaCamera(CameraSettings(address=bench.address, binning=2, roi=(10, 5, 60, 40)), clock)
        camera.open()
        camera.expose(1.0)
        assert camera.fetch().shape == (40, 60)
        camera.close()
        assert [bench.application.camera.get(member) for member in ("binx", "numx", "startx")] == [1, 240, 0]


def test_a_camera_without_gain(clock: RealClock) -> None:
    with serve(has_gain=False) as bench:
        camera = AlpacaCamera(CameraSettings(address=bench.address), clock)
        camera.open()
        assert (camera.facts.gain, camera.facts.offset) == (None, None)
        camera.close()
        with pytest.raises(DeviceRefused, match=r"camera\.gain"):
            AlpacaCamera(CameraSettings(address=bench.address, gain=100), clock).open()


def test_compensation_is_restored(clock: RealClock) -> None:
    with serve(temp_comp=True) as bench:
        bench.application.focuser.connected = True
        focuser = AlpacaFocuser(FocuserSettings(address=bench.address), clock)
        focuser.open()
        assert focuser.found_compensated
        assert bench.application.focuser.get("tempcomp") is False
        focuser.close()
        assert bench.application.focuser.get("tempcomp") is True
