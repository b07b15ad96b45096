"""The bench's camera over Alpaca."""

import struct
import time

import numpy as np
import pytest

from autofocus.devices.imagebytes import decode
from autofocus.errors import DeviceRefused
from tests.simulators.alpaca_client import INVALID_OPERATION, INVALID_VALUE, NOT_IMPLEMENTED


def test_before_the_first_exposure(client_of):
    client = client_of()
    assert client.value("camera/0/imageready") is False
    assert client.value("camera/0/camerastate") == 0
    for member in ("imagearray", "imagearrayvariant", "lastexposureduration", "lastexposurestarttime"):
        assert client.error(f"camera/0/{member}") == INVALID_OPERATION


def image_bytes(client):
    answer = client.raw_get(
        "/api/v1/camera/0/imagearray?ClientTransactionID=5", headers={"Accept": "application/imagebytes"}
    )
    assert answer.headers["content-type"] == "application/imagebytes"
    header = struct.unpack("<iiIIiiiiiii", answer.content[:44])
    pixels = np.frombuffer(answer.content, dtype="<u2", offset=44).reshape(header[8], header[9]).T
    return header, pixels


def test_an_exposure_becomes_an_image_in_both_forms(client_of):
    client = client_of()
    assert client.put("camera/0/startexposure", Duration=5.0, Light="true") == 0
    assert client.value("camera/0/imageready") is False
    assert client.value("camera/0/camerastate") == 2
    assert client.put("camera/0/startexposure", Duration=5.0, Light="true") == INVALID_OPERATION
    assert client.error("camera/0/imagearray") == INVALID_OPERATION
    assert 0 <= client.value("camera/0/percentcompleted") <= 100
    client.wait("camera/0/imageready", True)
    assert client.value("camera/0/camerastate") == 0
    assert client.value("camera/0/percentcompleted") == 100
    assert client.value("camera/0/lastexposureduration") == 5.0
    time.strptime(client.value("camera/0/lastexposurestarttime").split(".")[0], "%Y-%m-%dT%H:%M:%S")
    header, pixels = image_bytes(client)
    assert header[:3] == (1, 0, 5)
    assert header[3] >= 1
    assert header[4:] == (44, 2, 8, 2, 400, 260, 0)
    assert pixels.shape == (260, 400)
    assert 120 < np.argmax(pixels.astype(float).mean(axis=1)) < 140  # the trace lies along the rows
    body = client.get("camera/0/imagearray")
    assert (body["Type"], body["Rank"]) == (2, 2)
    np.testing.assert_array_equal(np.array(body["Value"]).T, pixels)


def test_an_error_comes_in_the_form_that_was_asked_for(client_of):
    client = client_of()
    path = "/api/v1/camera/0/imagearray?ClientTransactionID=6"
    answer = client.raw_get(path, headers={"Accept": "application/imagebytes, application/json;q=0.5"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/imagebytes")
    header = struct.unpack("<iiIIiiiiiii", answer.content[:44])
    assert header[:3] == (1, INVALID_OPERATION, 6)
    assert header[3] >= 1
    assert header[4:] == (44, 0, 0, 0, 0, 0, 0)
    assert answer.content[44:].decode("utf-8") == client.get("camera/0/imagearray")["ErrorMessage"]
    with pytest.raises(DeviceRefused, match="no exposure has ended") as refused:
        decode(answer.content)
    assert refused.value.number == INVALID_OPERATION


def test_json_only(client_of):
    client = client_of(imagebytes=False)
    client.put("camera/0/startexposure", Duration=0.5, Light="true")
    client.wait("camera/0/imageready", True)
    answer = client.raw_get("/api/v1/camera/0/imagearray", headers={"Accept": "application/imagebytes"})
    assert answer.headers["content-type"] == "application/json"


def test_abort_loses_the_image_and_stop_keeps_it(client_of):
    client = client_of(speed=1.0)
    client.put("camera/0/startexposure", Duration=60, Light="true")
    assert client.put("camera/0/abortexposure") == 0
    assert client.value("camera/0/camerastate") == 0
    assert client.value("camera/0/imageready") is False
    client.put("camera/0/startexposure", Duration=60, Light="true")
    time.sleep(0.05)
    assert client.put("camera/0/stopexposure") == 0
    assert client.value("camera/0/imageready") is True
    assert 0.05 <= client.value("camera/0/lastexposureduration") < 5.0
    assert image_bytes(client)[1].shape == (260, 400)


def test_window_and_binning(client_of):
    client = client_of()
    assert client.put("camera/0/binx", BinX=2) == 0
    assert client.value("camera/0/biny") == 2
    assert (
        client.put("camera/0/startexposure", Duration=0.1, Light="true") == INVALID_VALUE
    )  # NumX is still the whole sensor's
    for name, value in (("NumX", 100), ("NumY", 60), ("StartX", 50), ("StartY", 35)):
        assert client.put(f"camera/0/{name.lower()}", **{name: value}) == 0
    assert client.put("camera/0/startexposure", Duration=0.1, Light="true") == 0
    client.wait("camera/0/imageready", True)
    assert image_bytes(client)[1].shape == (60, 100)


@pytest.mark.parametrize(
    ("member", "form"),
    [
        ("binx", {"BinX": 0}),
        ("biny", {"BinY": 5}),
        ("gain", {"Gain": 301}),
        ("offset", {"Offset": -1}),
        ("readoutmode", {"ReadoutMode": 2}),
        ("startexposure", {"Duration": -1, "Light": "true"}),
        ("startexposure", {"Duration": 1e6, "Light": "true"}),
    ],
)
def test_values_out_of_range(client, member, form):
    assert client.put(f"camera/0/{member}", **form) == INVALID_VALUE


def test_gain_changes_the_electrons_per_adu(client_of):
    client = client_of()
    assert client.value("camera/0/electronsperadu") == pytest.approx(0.8)
    assert (client.value("camera/0/gainmin"), client.value("camera/0/gainmax")) == (0, 300)
    assert client.error("camera/0/gains") == NOT_IMPLEMENTED
    assert client.put("camera/0/gain", Gain=300) == 0
    assert client.value("camera/0/gain") == 300
    assert client.value("camera/0/electronsperadu") == pytest.approx(0.08)


def test_a_camera_without_gain(client_of):
    client = client_of(has_gain=False)
    for member in ("gain", "gainmin", "gainmax", "gains", "offset", "offsetmin", "offsetmax", "offsets"):
        assert client.error(f"camera/0/{member}") == NOT_IMPLEMENTED
    assert client.put("camera/0/gain", Gain=100) == NOT_IMPLEMENTED


@pytest.mark.parametrize(
    "member",
    ["coolerpower", "setccdtemperature", "bayeroffsetx", "subexposureduration", "fastreadout", "ispulseguiding"],
)
def test_what_the_camera_does_not_have(client, member):
    assert client.error(f"camera/0/{member}") == NOT_IMPLEMENTED
