from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autofocus.devices.camera import AlpacaCamera
from autofocus.devices.clock import RealClock
from autofocus.errors import Aborted, DeviceError, DeviceRefused, DeviceTimeout, DeviceUnreachable, FrameError
from autofocus.settings import CameraSettings
from tests.devices.fake_alpaca import QUICK, AscomError, FakeServer, image_bytes, not_implemented

Make = Callable[..., AlpacaCamera]


@pytest.fixture
def opened(server: FakeServer, clock: RealClock) -> Make:
    def make(**settings: Any) -> AlpacaCamera:
        settings = {"exposure_s": 0.05, "download_timeout_s": 1.0} | settings
        camera = AlpacaCamera(CameraSettings(address=server.address, **settings), clock, QUICK)
        camera.open()
        return camera

    return make


def writes(server: FakeServer) -> list[str]:
    return [operation for method, operation, _ in server.log if method == "PUT"]


def test_it_says_what_it_is(opened: Make) -> None:
    facts = opened().facts
    assert (facts.name, facts.unique_id) == ("Fake camera", "cam-1")
    assert (facts.width_px, facts.height_px, facts.pixel_um) == (60, 40, (3.8, 3.8))
    assert (facts.gain_e_per_adu, facts.saturation_adu, facts.can_abort) == (0.8, 65535.0, True)
    assert (facts.exposure_min_s, facts.exposure_max_s, facts.binning_max) == (0.001, 3600.0, 4)
    assert (facts.gain, facts.offset, facts.readout_mode) == (10, None, "Fast")


def test_a_frame_and_what_is_known_of_it(server: FakeServer, opened: Make) -> None:
    camera = opened(binning=2, gain=20)
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


@pytest.mark.parametrize("content_type", ["application/imagebytes; charset=utf-8", "", "application/octet-stream"])
def test_the_content_type_does_not_matter(server: FakeServer, opened: Make, content_type: str) -> None:
    server.camera.content_type = content_type
    camera = opened()
    camera.expose(0.02)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_json_images(server: FakeServer, opened: Make) -> None:
    server.camera.json_only = True
    camera = opened()
    camera.expose(0.02)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_rows_and_columns_exchanged_by_the_server(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.camera.body = lambda: image_bytes(server.camera.image.T)
    camera.expose(0.02)
    frame = camera.fetch()
    np.testing.assert_array_equal(frame.raw, server.camera.image)
    assert "exchanged" in frame.notes[0]


# -- settings ------------------------------------------------------------------------------------------------------


def test_settings_of_others_are_reset_for_the_run_and_put_back(server: FakeServer, opened: Make) -> None:
    left = {"binx": 2, "biny": 2, "startx": 3, "starty": 4, "numx": 10, "numy": 8, "gain": 55, "readoutmode": 1}
    server.camera.members |= left
    camera = opened(gain=20, readout_mode=0)
    members = server.camera.members
    assert [members[m] for m in ("binx", "biny", "startx", "starty", "numx", "numy")] == [1, 1, 0, 0, 60, 40]
    assert (members["gain"], members["readoutmode"]) == (20, 0)
    camera.close()
    assert {key: members[key] for key in left} == left
    assert not server.connected["camera"]


def test_what_is_left_open_stays_as_found(server: FakeServer, opened: Make) -> None:
    server.camera.members |= {"gain": 55, "readoutmode": 1}
    camera = opened()
    assert (camera.facts.gain, camera.facts.readout_mode) == (55, "Low noise")
    camera.close()
    assert not {"gain", "readoutmode", "offset"} & set(writes(server))


def test_a_camera_with_nothing_but_the_necessary(server: FakeServer, opened: Make) -> None:
    keep = {"cameraxsize", "cameraysize", "numx", "numy", "imageready", "camerastate", "startx", "starty"}
    server.camera.members = {key: value for key, value in server.camera.members.items() if key in keep}
    camera = opened()
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
    server: FakeServer, opened: Make, settings: dict[str, Any], members: dict[str, Any], said: str
) -> None:
    server.camera.members |= members
    with pytest.raises(DeviceRefused, match=said):
        opened(**settings)


@pytest.mark.parametrize(("gain", "index"), [(1, 1), (800, 1), (100, 0)])
def test_gain_by_index_or_by_name(server: FakeServer, opened: Make, gain: int, index: int) -> None:
    server.camera.members |= {"gains": ["ISO 100", "ISO 800"], "gainmin": not_implemented, "gainmax": not_implemented}
    opened(gain=gain)
    assert server.camera.members["gain"] == index


def test_readout_mode_by_name(server: FakeServer, opened: Make) -> None:
    assert opened(readout_mode="low NOISE").facts.readout_mode == "Low noise"


def test_a_subframe(server: FakeServer, opened: Make) -> None:
    camera = opened(roi=(5, 6, 30, 20))
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
def test_temperature(server: FakeServer, opened: Make, sent: Any, meant: float | None) -> None:
    server.camera.members["ccdtemperature"] = sent
    assert opened().temperature() == meant


# -- is the image ours? ---------------------------------------------------------------------------------------------


def test_image_ready_left_from_the_last_frame_is_not_believed(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.camera.stale_ready_s = 0.08
    for _ in range(2):
        began = time.monotonic()
        camera.expose(0.2)
        assert time.monotonic() - began >= 0.2
        np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_a_camera_never_seen_unready_is_believed_after_the_exposure_time(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.camera.members["imageready"] = True
    began = time.monotonic()
    camera.expose(0.2)
    assert 0.2 <= time.monotonic() - began < 0.5


def test_a_camera_ready_early_is_believed(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.camera.speed = 20
    began = time.monotonic()
    camera.expose(2.0)
    assert time.monotonic() - began < 1.0
    assert camera.fetch().exposure_s == 2.0


def test_download_state_with_an_image_ready_is_fine(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.camera.state = 4
    camera.expose(0.02)
    assert camera.fetch().shape == (40, 60)


def test_no_image_is_ever_ready(server: FakeServer, opened: Make) -> None:
    camera = opened(download_timeout_s=0.3)
    server.camera.never_ready = True
    with pytest.raises(DeviceTimeout, match="no image ready"):
        camera.expose(0.05)
    assert server.camera.aborts == 1


def test_a_failed_exposure_is_reported_at_once(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.camera.state = 5
    began = time.monotonic()
    with pytest.raises(DeviceRefused, match="exposure failed"):
        camera.expose(0.5)
    assert time.monotonic() - began < 0.4


def test_image_ready_that_raises_is_the_failure(server: FakeServer, opened: Make) -> None:
    camera = opened()

    def broken() -> Any:
        raise AscomError(0x50A, "sensor overheated")

    server.camera.members["imageready"] = broken
    with pytest.raises(DeviceRefused, match="sensor overheated"):
        camera.expose(0.05)


def test_the_same_image_twice_is_suspect(server: FakeServer, opened: Make) -> None:
    camera = opened()
    camera.expose(0.02)
    camera.fetch()
    stale = image_bytes(server.camera.image)
    server.camera.body = lambda: stale
    camera.expose(0.02)
    with pytest.raises(FrameError, match="last frame once more"):
        camera.fetch()


def test_a_camera_without_noise_is_believed_once_it_obeys_the_exposure_time(server: FakeServer, opened: Make) -> None:
    camera = opened()
    picture = np.arange(2400).reshape(40, 60)
    server.camera.body = lambda: image_bytes((picture * server.camera.duration * 50).astype("u2"))
    refused, exposures = [], []
    for number in range(8):
        camera.expose(0.05)
        try:
            exposures.append(camera.fetch().exposure_s)
        except FrameError:
            refused.append(number)
    assert refused == [1, 4]  # each time the next exposure, a little longer, showed another picture
    assert exposures == pytest.approx([0.05, 0.051, 0.05, 0.051, 0.05, 0.05])
    assert [float(fields["Duration"]) for fields in server.camera.exposures][2] == pytest.approx(0.051)


def test_a_stale_image_that_is_replaced_in_time_is_survived(server: FakeServer, opened: Make) -> None:
    camera = opened()
    camera.expose(0.02)
    first = image_bytes(camera.fetch().raw)
    bodies = iter([first])
    server.camera.body = lambda: next(bodies, image_bytes(server.camera.image))
    camera.expose(0.02)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_black_frames_are_data(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.camera.body = lambda: image_bytes(np.zeros((40, 60)))
    for _ in range(2):
        camera.expose(0.02)
        assert camera.fetch().raw.max() == 0


def test_a_foreign_exposure_is_ended_first(server: FakeServer, opened: Make) -> None:
    server.camera.startexposure({"Duration": "500"})
    opened()
    assert server.camera.aborts == 1


# -- requests that fail --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("what", ["reset", "500", "html"])
def test_a_start_without_an_answer_happens_once(server: FakeServer, opened: Make, what: str, executed: bool) -> None:
    camera = opened()
    server.fault("startexposure", what, executed=executed)
    camera.expose(0.3)
    assert len(server.camera.exposures) == 1
    assert server.count("startexposure") == (1 if executed else 2)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_a_synchronous_start_is_waited_for(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.fault("startexposure", "slow", slow_s=0.6, executed=True)
    camera.expose(0.6)
    assert len(server.camera.exposures) == 1


@pytest.mark.parametrize("what", ["reset", "truncate", "500", "html"])
def test_a_download_that_fails_is_repeated(server: FakeServer, opened: Make, what: str) -> None:
    camera = opened()
    camera.expose(0.02)
    server.fault("imagearray", what, times=2)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


@pytest.mark.parametrize("damage", ["short", "size", "dims", "empty", "ragged"])
def test_a_damaged_image_is_asked_for_again_and_then_refused(server: FakeServer, opened: Make, damage: str) -> None:
    camera = opened()
    bodies: dict[str, Callable[[], bytes]] = {
        "short": lambda: image_bytes(server.camera.image)[:-100],
        "size": lambda: image_bytes(server.camera.image[:-1]),
        "dims": lambda: image_bytes(server.camera.image, d1=59),
        "empty": lambda: b"",
        "ragged": lambda: json.dumps({"ErrorNumber": 0, "ErrorMessage": "", "Value": [[1, 2], [3]]}).encode(),
    }
    good = iter([False])
    server.camera.body = lambda: bodies[damage]() if not next(good, True) else image_bytes(server.camera.image)
    camera.expose(0.02)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)
    server.camera.body = bodies[damage]
    camera.expose(0.02)
    with pytest.raises(FrameError, match=r"camera 0 at .* damaged image"):
        camera.fetch()


def test_an_error_in_place_of_the_image(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.fault("imagearray", '{"ErrorNumber":1035,"ErrorMessage":"no image yet"}')
    with pytest.raises(DeviceRefused, match="no image yet") as caught:
        camera.fetch()
    assert caught.value.number == 0x40B


def test_a_hanging_download_ends_in_time_and_blocks_nothing(server: FakeServer, opened: Make) -> None:
    camera = opened(download_timeout_s=0.6)
    camera.expose(0.02)
    server.fault("imagearray", "slow", times=9, slow_s=3)
    raised: list[BaseException] = []

    def fetch() -> None:
        try:
            camera.fetch()
        except DeviceError as error:
            raised.append(error)

    began = time.monotonic()
    worker = threading.Thread(target=fetch)
    worker.start()
    time.sleep(0.1)
    camera.temperature()
    camera.abort()
    assert time.monotonic() - began < 0.4
    worker.join()
    assert time.monotonic() - began < 1.5
    assert isinstance(raised[0], DeviceTimeout)


def test_a_download_that_stalls_is_begun_anew(server: FakeServer, opened: Make) -> None:
    camera = opened(download_timeout_s=5)
    camera.expose(0.02)
    server.fault("imagearray", "stall", slow_s=1.0)
    began = time.monotonic()
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)
    assert QUICK.stall_s <= time.monotonic() - began < 0.9


def test_an_image_larger_than_the_sensor_is_cut_off(server: FakeServer, opened: Make) -> None:
    camera = opened()
    server.camera.body = lambda: image_bytes(np.zeros((3000, 3000)))
    camera.expose(0.02)
    with pytest.raises(DeviceRefused, match="more than"):
        camera.fetch()


def test_a_sensor_of_absurd_size_is_refused(server: FakeServer, opened: Make) -> None:
    server.camera.members |= {"cameraxsize": 2_000_000, "cameraysize": 2_000_000}
    camera = opened()
    server.camera.began = time.monotonic() - 1
    with pytest.raises(FrameError, match="2000000 x 2000000"):
        camera.fetch()


def test_a_stop_ends_exposure_and_download(server: FakeServer, clock: RealClock, opened: Make) -> None:
    camera = opened()
    threading.Timer(0.1, clock.stop).start()
    began = time.monotonic()
    with pytest.raises(Aborted):
        camera.expose(5)
    assert time.monotonic() - began < 1
    with pytest.raises(Aborted):
        camera.fetch()
    with clock.shielded():
        camera.abort()
        camera.close()
    assert server.camera.aborts == 1
    assert not server.connected["camera"]


@pytest.mark.parametrize("number", [0x400, 0x40B])
def test_a_camera_that_cannot_abort(server: FakeServer, opened: Make, number: int) -> None:
    camera = opened()
    server.fault("abortexposure", json.dumps({"ErrorNumber": number, "ErrorMessage": "no"}))
    camera.abort()


def test_an_exposure_lost_in_a_restart_is_taken_again(server: FakeServer, opened: Make) -> None:
    camera = opened(gain=20)
    server.camera.duration = 0.0

    def restart() -> None:
        server.stop()
        server.camera.began = None
        server.camera.members |= {"gain": 0, "binx": 3, "biny": 3}
        server.connected["camera"] = False
        time.sleep(0.3)
        server.start()

    threading.Timer(0.15, restart).start()
    camera.expose(0.5)
    assert len(server.camera.exposures) == 2
    assert (server.camera.members["gain"], server.camera.members["binx"]) == (20, 1)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_a_camera_gone_for_good_ends_in_time(server: FakeServer, opened: Make) -> None:
    camera = opened()
    threading.Timer(0.1, server.stop).start()
    began = time.monotonic()
    with pytest.raises(DeviceUnreachable, match="camera 0 at"):
        camera.expose(1.0)
    assert time.monotonic() - began < 8
    server.start()


def test_closing_tells_what_could_not_be_restored(server: FakeServer, opened: Make) -> None:
    camera = opened(gain=20)
    server.fault("gain", '{"ErrorNumber":1281,"ErrorMessage":"busy"}', times=99)
    with pytest.raises(DeviceError):
        camera.close()
    assert not server.connected["camera"]


def test_closing_a_lost_camera_does_not_wait_for_every_setting(server: FakeServer, opened: Make) -> None:
    camera = opened(gain=20, binning=2)
    server.stop()
    began = time.monotonic()
    with pytest.raises(DeviceUnreachable):
        camera.close()
    assert time.monotonic() - began < QUICK.reconnect_s + 2.0
    server.start()


def test_closing_a_camera_that_never_opened_sends_nothing(server: FakeServer, clock: RealClock) -> None:
    AlpacaCamera(CameraSettings(address=server.address), clock, QUICK).close()
    assert server.log == []
