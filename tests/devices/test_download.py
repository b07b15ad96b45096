"""Images on their way from the camera: forms, faults, and what is done about them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from autofocus.errors import DeviceError, DeviceRefused, DeviceTimeout, FrameError
from tests.devices.conftest import OpenCamera
from tests.devices.fake_alpaca import QUICK, FakeServer
from tests.devices.fake_devices import image_bytes


@pytest.mark.parametrize("content_type", ["application/imagebytes; charset=utf-8", "", "application/octet-stream"])
def test_the_content_type_does_not_matter(server: FakeServer, open_camera: OpenCamera, content_type: str) -> None:
    server.camera.content_type = content_type
    camera = open_camera()
    camera.expose(0.02)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_json_images(server: FakeServer, open_camera: OpenCamera) -> None:
    server.camera.json_only = True
    camera = open_camera()
    camera.expose(0.02)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


def test_rows_and_columns_exchanged_by_the_server(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    server.camera.body = lambda: image_bytes(server.camera.image.T)
    camera.expose(0.02)
    frame = camera.fetch()
    np.testing.assert_array_equal(frame.raw, server.camera.image)
    assert "exchanged" in frame.notes[0]


@pytest.mark.parametrize("what", ["reset", "truncate", "500", "html"])
def test_a_download_that_fails_is_repeated(server: FakeServer, open_camera: OpenCamera, what: str) -> None:
    camera = open_camera()
    camera.expose(0.02)
    server.fault("imagearray", what, times=2)
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)


@pytest.mark.parametrize("damage", ["short", "size", "dims", "empty", "ragged"])
def test_a_damaged_image_is_asked_for_again_and_then_refused(
    server: FakeServer, open_camera: OpenCamera, damage: str
) -> None:
    camera = open_camera()
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


def test_an_error_in_place_of_the_image(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    server.fault("imagearray", '{"ErrorNumber":1035,"ErrorMessage":"no image yet"}')
    with pytest.raises(DeviceRefused, match="no image yet") as caught:
        camera.fetch()
    assert caught.value.number == 0x40B


def test_a_hanging_download_ends_in_time_and_blocks_nothing(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera(download_timeout_s=0.6)
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


def test_a_download_that_stalls_is_begun_anew(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera(download_timeout_s=5)
    camera.expose(0.02)
    server.fault("imagearray", "stall", slow_s=1.0)
    began = time.monotonic()
    np.testing.assert_array_equal(camera.fetch().raw, server.camera.image)
    assert QUICK.stall_s <= time.monotonic() - began < 0.9


def test_an_image_larger_than_the_sensor_is_cut_off(server: FakeServer, open_camera: OpenCamera) -> None:
    camera = open_camera()
    server.camera.body = lambda: image_bytes(np.zeros((3000, 3000)))
    camera.expose(0.02)
    with pytest.raises(DeviceRefused, match="more than"):
        camera.fetch()


def test_a_sensor_of_absurd_size_is_refused(server: FakeServer, open_camera: OpenCamera) -> None:
    server.camera.members |= {"cameraxsize": 2_000_000, "cameraysize": 2_000_000}
    camera = open_camera()
    server.camera.began = time.monotonic() - 1
    with pytest.raises(FrameError, match="2000000 x 2000000"):
        camera.fetch()
