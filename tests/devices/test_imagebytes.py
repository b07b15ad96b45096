from __future__ import annotations

import json
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofocus.devices.imagebytes import MAX_PIXELS, decode, decode_json
from autofocus.errors import AutofocusError, DeviceRefused, FrameError
from tests.devices.fake_devices import image_bytes

IMAGE = np.arange(15).reshape(3, 5)  # 3 rows, 5 columns


def json_reply(value: object, **envelope: object) -> bytes:
    reply = {"Type": 2, "Rank": 2, "Value": value, "ErrorNumber": 0, "ErrorMessage": ""}
    return json.dumps(reply | envelope).encode()


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_every_transmission_type_gives_rows_and_columns(kind: int) -> None:
    image = decode(image_bytes(IMAGE, kind))
    assert image.shape == (3, 5)
    assert image.flags.c_contiguous
    assert image.dtype.isnative
    np.testing.assert_array_equal(image, IMAGE)


def test_the_largest_values_of_a_type_survive() -> None:
    image = np.array([[0, 65535], [40000, 1]])
    np.testing.assert_array_equal(decode(image_bytes(image, 8)), image)
    np.testing.assert_array_equal(decode(image_bytes(image * 65535, 9)), image * 65535)
    np.testing.assert_array_equal(decode(image_bytes(image - 32768, 1)), image - 32768)


def test_data_begin_where_the_header_says() -> None:
    np.testing.assert_array_equal(decode(image_bytes(IMAGE, start=60)), IMAGE)


def test_colour_planes_are_summed_without_overflow() -> None:
    planes = np.stack([IMAGE + 60000, IMAGE + 50000, IMAGE + 40000], axis=2)
    np.testing.assert_array_equal(decode(image_bytes(planes, 8)), 150000 + 3 * IMAGE)
    nested = json_reply(np.swapaxes(planes, 0, 1).tolist(), Rank=3)
    np.testing.assert_array_equal(decode_json(nested), 150000 + 3 * IMAGE)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("version", 2, "version 2"),
        ("image_type", 77, "image element type 77"),
        ("type", 0, "transmission element type 0"),
        ("type", 2, "bytes where"),
        ("rank", 1, "rank 1"),
        ("rank", 4, "rank 4"),
        ("d1", 0, "0 columns"),
        ("d2", -3, "-3 rows"),
        ("d1", 6, "bytes where"),
        ("d3", 3, "3 planes"),
        ("d2", MAX_PIXELS, "pixels"),
    ],
)
def test_a_header_that_lies_is_refused(field: str, value: int, said: str) -> None:
    good = image_bytes(IMAGE)
    fields = ["version", "error", "client", "server", "start", "image_type", "type", "rank", "d1", "d2", "d3"]
    at = 4 * fields.index(field)
    with pytest.raises(FrameError, match=said):
        decode(good[:at] + struct.pack("<i", value) + good[at + 4 :])


@pytest.mark.parametrize("start", [-1, 0, 43, 10**6])
def test_data_that_begin_outside_are_refused(start: int) -> None:
    good = image_bytes(IMAGE)
    with pytest.raises(FrameError, match="data at byte"):
        decode(good[:16] + struct.pack("<i", start) + good[20:])


@pytest.mark.parametrize("cut", [0, 1, 43, 44, 50, -1])
def test_a_truncated_image_is_refused(cut: int) -> None:
    with pytest.raises(FrameError):
        decode(image_bytes(IMAGE)[:cut])


def test_an_error_inside_imagebytes_is_the_ascom_error() -> None:
    body = struct.pack("<11i", 1, 0x40B, 1, 1, 44, 0, 0, 0, 0, 0, 0) + "kein Bild – noch nicht".encode()
    with pytest.raises(DeviceRefused, match="kein Bild – noch nicht") as caught:
        decode(body)
    assert caught.value.number == 0x40B


def test_json_is_turned_the_same_way() -> None:
    image = decode_json(json_reply(IMAGE.T.tolist()))
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, IMAGE)


def test_json_with_spaces_fractions_and_large_values() -> None:
    body = b'{"Value": [ [1.5 , 2],\n [3, 4000000000] ], "ErrorNumber":0, "ErrorMessage":"all [fine"}'
    with pytest.raises(DeviceRefused, match="all"):  # a message with number 0 is an error
        decode_json(body)
    image = decode_json(body.replace(b"all [fine", b""))
    np.testing.assert_array_equal(image, [[1.5, 3], [2, 4000000000]])


@pytest.mark.parametrize(
    "value", [[], [[]], [[1, 2], [3]], [[1, "a"]], [[None, 1]], [[True, False]], 5, None, [1, 2], "x", [[[[1]]]]]
)
def test_json_that_is_no_image_is_refused(value: object) -> None:
    with pytest.raises(FrameError):
        decode_json(json_reply(value))


def test_a_json_error_is_the_ascom_error() -> None:
    with pytest.raises(DeviceRefused, match="no image") as caught:
        decode_json(json_reply(None, ErrorNumber=0x40B, ErrorMessage="no image"))
    assert caught.value.number == 0x40B


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_our_errors(body: bytes) -> None:
    for reader in (decode, decode_json):
        with suppress(AutofocusError):
            reader(body)


@settings(max_examples=300)
@given(
    st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 50), min_size=11, max_size=11), st.binary(max_size=64)
)
def test_no_header_raises_anything_but_our_errors(header: list[int], data: bytes) -> None:
    for fields in (header, [1, 0, *header[2:4], 44, *header[5:]]):
        with suppress(AutofocusError):
            image = decode(struct.pack("<11i", *fields) + data)
            assert image.ndim == 2


@settings(max_examples=200)
@given(st.text(alphabet='[]{},:"-.eE0123456789 truefalsnNaInity\\', max_size=60))
def test_no_json_raises_anything_but_our_errors(text: str) -> None:
    for body in (text, '{"ErrorNumber":0,"ErrorMessage":"","Value":' + text + "}"):
        with suppress(AutofocusError):
            decode_json(body.encode())
