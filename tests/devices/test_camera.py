from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from autofocus.devices.camera import AlpacaCamera
from autofocus.devices.clock import RealClock
from autofocus.errors import DeviceError, DeviceRefused, DeviceUnreachable
from autofocus.settings import CameraSettings
from tests.devices.conftest import OpenCamera
from tests.devices.fake_alpaca import QUICK, FakeServer
from tests.devices.fake_devices import not_implemented


def writes(server: FakeServer) -> list[str]:
    return [operation for method, operation, _ in server.log if method == "PUT"]


def test_it_says_what_it_is(open_camera: OpenCamera) -> None:
    facts = open_camera().facts
    assert (facts.name, facts.unique_id) == ("Fake camera", "cam-1")
    assert (facts.width_px, facts.height_px, facts.pixel_um) == (60, 40, (3.8, 3.8))
    assert (facts.gain_e_per_adu, facts.saturation_adu, facts.can_abort) == (0.8, 65535.0, True)
    assert (facts.exposure_min_s, facts.exposure_max_s, facts.binning_max) == (0.001, 3600.0, 4)
    assert (facts.gain, facts.offset, facts.readout_mode) == (10, None, "Fast")


def test_a_frame_and_what_is_known_of_it(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera(binning=2, gain=20)
    camera.expose(0.05)
    frame = camera.fetch()
    np.testing.assert_array_equal(frame.raw, server.camera.image)
    assert frame.shape == (20, 30)
    assert frame.raw.flags.c_contiguous
    assert (frame.exposure_s, frame.gain_e_per_adu, frame.saturation_adu) == (0.05, 0.8, 65535.0)
    assert frame.started_utc is not None
    assert frame.started_utc.startswith("20")
    headers = {"INSTRUME": "Fake camera", "GAIN": 20, "XBINNING": 2, "YBINNING": 2, "XPIXSZ": 7.6, "EGAIN": 0.8}
    assert headers.items() <= frame.headers.items()
    assert "OFFSET" not in frame.headers
    assert server.camera.exposures[0]["Light"] == "true"


def test_settings_of_others_are_reset_for_the_run_and_put_back(server: FakeServer, open_camera: OpenCamera) -> None:
    left = {"binx": 2, "biny": 2, "startx": 3, "starty": 4, "numx": 10, "numy": 8, "gain": 55, "readoutmode": 1}
    server.camera.members |= left
    camera = open_camera(gain=20, readout_mode=0)
    members = server.camera.members
    assert [members[m] for m in ("binx", "biny", "startx", "starty", "numx", "numy")] == [1, 1, 0, 0, 60, 40]
    assert (members["gain"], members["readoutmode"]) == (20, 0)
    camera.close()
    assert {key: members[key] for key in left} == left
    assert not server.connected["camera"]


def test_what_is_left_open_stays_as_found(server: FakeServer, open_camera: OpenCamera) -> None:
    server.camera.members |= {"gain": 55, "readoutmode": 1}
    camera = open_camera()
    assert (camera.facts.gain, camera.facts.readout_mode) == (55, "Low noise")
    camera.close()
    assert not {"gain", "readoutmode", "offset"} & set(writes(server))


def test_a_camera_with_nothing_but_the_necessary(server: FakeServer, open_camera: OpenCamera) -> None:
    keep = {"cameraxsize", "cameraysize", "numx", "numy", "imageready", "camerastate", "startx", "starty"}
    server.camera.members = {key: value for key, value in server.camera.members.items() if key in keep}
    camera = open_camera()
    camera.expose(0.02)
    frame = camera.fetch()
    assert frame.shape == (40, 60)
    assert (frame.gain_e_per_adu, frame.saturation_adu, camera.temperature()) == (None, None, None)
    camera.close()


@pytest.mark.parametrize(
    ("settings", "members", "said"),
    [
        ({"gain": 200}, {}, "from 0 to 100"),
        ({"gain": 1}, {"gain": not_implemented}, "camera.gain"),
        ({"offset": 1}, {}, "camera.offset"),
        ({"gain": 7}, {"gains": ["Low", "High"]}, "Low, High"),
        ({"binning": 8}, {}, "4-fold"),
        ({"roi": (50, 0, 20, 10)}, {}, "camera.roi"),
        ({"readout_mode": "turbo"}, {}, "Fast, Low noise"),
        ({"readout_mode": 5}, {}, "Fast, Low noise"),
        ({"readout_mode": 1}, {"readoutmodes": not_implemented, "readoutmode": not_implemented}, "camera.readout_mode"),
        ({"exposure_s": 4000.0}, {}, "0.001 s to 3600.0 s"),
    ],
)
def test_what_the_camera_cannot_do_is_said_at_once(
    server: FakeServer, open_camera: OpenCamera, settings: dict[str, Any], members: dict[str, Any], said: str
) -> None:
    server.camera.members |= members
    with pytest.raises(DeviceRefused, match=said):
        open_camera(**settings)


@pytest.mark.parametrize(("gain", "index"), [(1, 1), (800, 1), (100, 0)])
def test_gain_by_index_or_by_name(server: FakeServer, open_camera: OpenCamera, gain: int, index: int) -> None:
    server.camera.members |= {"gains": ["ISO 100", "ISO 800"], "gainmin": not_implemented, "gainmax": not_implemented}
    open_camera(gain=gain)
    assert server.camera.members["gain"] == index


def test_readout_mode_by_name(server: FakeServer, open_camera: OpenCamera) -> None:
    assert open_camera(readout_mode="low NOISE").facts.readout_mode == "Low noise"


def test_a_subframe(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera(roi=(5, 6, 30, 20))
    camera.expose(0.02)
    frame = camera.fetch()
    assert frame.shape == (20, 30)
    assert (frame.headers["XORGSUBF"], frame.headers["YORGSUBF"]) == (5, 6)
    camera.use_subframe(0, 10, 60, 12)
    camera.expose(0.02)
    assert camera.fetch().shape == (12, 60)


@pytest.mark.parametrize(
    ("sent", "meant"), [(-10.0, -10.0), (float("nan"), None), (-127, None), (not_implemented, None)]
)
def test_temperature(server: FakeServer, open_camera: OpenCamera, sent: Any, meant: float | None) -> None:
    server.camera.members["ccdtemperature"] = sent
    assert open_camera().temperature() == meant


def test_closing_tells_what_could_not_be_restored(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera(gain=20)
    server.fault("gain", '{"ErrorNumber":1281,"ErrorMessage":"busy"}', times=99)
    with pytest.raises(DeviceError):
        camera.close()
    assert not server.connected["camera"]


def test_closing_a_lost_camera_does_not_wait_for_every_setting(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera(gain=20, binning=2)
    server.stop()
    began = time.monotonic()
    with pytest.raises(DeviceUnreachable):
        camera.close()
    assert time.monotonic() - began < QUICK.reconnect_s + 2.0
    server.start()


def test_closing_a_camera_that_never_opened_sends_nothing(server: FakeServer, clock: RealClock) -> None:
    AlpacaCamera(CameraSettings(address=server.address), clock, QUICK).close()
    assert server.log == []
