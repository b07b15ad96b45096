"""Exposures over Alpaca: is the image ours, was it begun once, and how it is ended."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import numpy as np
import pytest

from autofocus.devices.clock import RealClock
from autofocus.errors import Aborted, DeviceRefused, DeviceTimeout, DeviceUnreachable, FrameError
from tests.devices.conftest import OpenCamera
from tests.devices.fake_alpaca import FakeServer
from tests.devices.fake_devices import AscomError, image_bytes


def test_image_ready_left_from_the_last_frame_is_not_believed(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    server.camera.stale_ready_s = 0.08
    for _ in range(2):
        began = time.monotonic()
        camera.expose(0.2)
        assert time.monotonic() - began >= 0.2
        np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_a_camera_never_seen_unready_is_believed_after_the_exposure_time(
    server: FakeServer, open_camera: OpenCamera
) -> None:
    camera = open_camera()
    server.camera.members["imageready"] = True
    began = time.monotonic()
    camera.expose(0.2)
    assert 0.2 <= time.monotonic() - began < 0.5


def test_a_camera_ready_early_is_believed(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    server.camera.speed = 20
    began = time.monotonic()
    camera.expose(2.0)
    assert time.monotonic() - began < 1.0
    assert camera.fetch().exposure_s == 2.0


def test_download_state_with_an_image_ready_is_fine(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    server.camera.state = 4
    camera.expose(0.02)
    assert camera.fetch().shape == (40, 60)


def test_no_image_is_ever_ready(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera(download_timeout_s=0.3)
    server.camera.never_ready = True
    with pytest.raises(DeviceTimeout, match="no image ready"):
        camera.expose(0.05)
    assert server.camera.aborts == 1


def test_a_failed_exposure_is_reported_at_once(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    server.camera.state = 5
    began = time.monotonic()
    with pytest.raises(DeviceRefused, match="exposure failed"):
        camera.expose(0.5)
    assert time.monotonic() - began < 0.4


def test_image_ready_that_raises_is_the_failure(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()

    def broken() -> Any:
        raise AscomError(0x50A, "sensor overheated")

    server.camera.members["imageready"] = broken
    with pytest.raises(DeviceRefused, match="sensor overheated"):
        camera.expose(0.05)


def test_the_same_image_twice_is_suspect(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    camera.expose(0.02)
    camera.fetch()
    stale = image_bytes(server.camera.image)
    server.camera.body = lambda: stale
    camera.expose(0.02)
    with pytest.raises(FrameError, match="last frame once more"):
        camera.fetch()


def test_a_camera_without_noise_is_believed_once_it_obeys_the_exposure_time(
    server: FakeServer, open_camera: OpenCamera
) -> None:
    camera = open_camera()
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


def test_a_stale_image_that_is_replaced_in_time_is_survived(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    camera.expose(0.02)
    first = image_bytes(camera.fetch().raw)
    bodies = iter([first])
    server.camera.body = lambda: next(bodies, image_bytes(server.camera.image))
    camera.expose(0.02)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_black_frames_are_data(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    server.camera.body = lambda: image_bytes(np.zeros((40, 60)))
    for _ in range(2):
        camera.expose(0.02)
        assert camera.fetch().raw.max() == 0


def test_a_foreign_exposure_is_ended_first(server: FakeServer, open_camera: OpenCamera) -> None:
    server.camera.startexposure({"Duration": "500"})
    open_camera()
    assert server.camera.aborts == 1


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("what", ["reset", "500", "html"])
def test_a_start_without_an_answer_happens_once(
    server: FakeServer, open_camera: OpenCamera, what: str, executed: bool
) -> None:
    camera = open_camera()
    server.fault("startexposure", what, executed=executed)
    camera.expose(0.3)
    assert len(server.camera.exposures) == 1
    assert server.count("startexposure") == (1 if executed else 2)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_a_synchronous_start_is_waited_for(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    server.fault("startexposure", "slow", slow_s=0.6, executed=True)
    camera.expose(0.6)
    assert len(server.camera.exposures) == 1


def test_a_stop_ends_exposure_and_download(server: FakeServer, clock: RealClock, open_camera: OpenCamera) -> None:
    camera = open_camera()
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
def test_a_camera_that_cannot_abort(server: FakeServer, open_camera: OpenCamera, number: int) -> None:
    camera = open_camera()
    server.fault("abortexposure", json.dumps({"ErrorNumber": number, "ErrorMessage": "no"}))
    camera.abort()


def test_an_exposure_lost_in_a_restart_is_taken_again(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera(gain=20)
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


def test_a_camera_gone_for_good_ends_in_time(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    threading.Timer(0.1, server.stop).start()
    began = time.monotonic()
    with pytest.raises(DeviceUnreachable, match="camera 0 at"):
        camera.expose(1.0)
    assert time.monotonic() - began < 8
    server.start()
