from __future__ import annotations

import json

import pytest

from autofocus.devices.replies import NOT_IMPLEMENTED, MalformedReply, is_not_implemented, plain, read_reply
from autofocus.errors import DeviceRefused


def reply(number: object = 0, message: object = "", **more: object) -> bytes:
    return json.dumps({"ErrorNumber": number, "ErrorMessage": message, **more}).encode()


def read(body: bytes, status: int = 200) -> dict[str, object]:
    return read_reply(body, status, "camera 0 at h:1", "gain")


@pytest.mark.parametrize(
    ("number", "message", "status"),
    [
        (0x400, "", 200),
        (1025, "Method not implemented: supportedactions", 400),
        (1025, "", 400),
        (0x40C, "", 200),
        (0x40D, "", 200),
        (-2147220480, "", 200),
        (-2147467263, "", 200),
        (-2146233067, "", 200),
        (0x80040400, "", 200),
        (0x500, "Property Gain is Not Implemented in this driver", 200),
    ],
)
def test_all_ways_to_say_not_implemented(number: int, message: str, status: int) -> None:
    with pytest.raises(DeviceRefused) as caught:
        read(reply(number, message), status)
    assert is_not_implemented(caught.value)
    assert caught.value.number == NOT_IMPLEMENTED


@pytest.mark.parametrize(("number", "meant"), [(1025, 0x401), (-2147220473, 0x407), (0x500, 0x500), (1, 1), (-5, -5)])
def test_other_errors_keep_their_number(number: int, meant: int) -> None:
    with pytest.raises(DeviceRefused) as caught:
        read(reply(number, "out of luck"))
    assert caught.value.number == meant
    assert not is_not_implemented(caught.value)
    assert "camera 0 at h:1" in caught.value.message
    assert "gain" in caught.value.message
    assert "out of luck" in caught.value.message
    assert caught.value.exit_code == 3


def test_a_message_without_a_number_is_an_error() -> None:
    with pytest.raises(DeviceRefused, match="shutter jammed"):
        read(reply(0, "shutter jammed"))


def test_success_gives_the_object() -> None:
    assert read(reply(Value=7))["Value"] == 7
    assert read(reply(message=None, Value=7))["Value"] == 7


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"<!DOCTYPE html><html></html>", 200, "a web page"),
        (b"<html>", 200, "a web page"),
        (b"", 200, "an empty reply"),
        (b"{", 200, "no JSON"),
        (b"[1]", 200, "no JSON"),
        (b'{"Value": 1}', 200, "without ErrorNumber"),
        (b'{"Value": 1, "ErrorNumber": "0", "ErrorMessage": ""}', 200, "without ErrorNumber"),
        (b"Device not configured", 400, "HTTP 400"),
        (b'{"detail": "Not Found"}', 404, "HTTP 404"),
        (b"", 302, "HTTP 302"),
        (b"\xff\xfe", 500, "HTTP 500"),
        (reply(Value=1), 500, "HTTP 500"),
    ],
)
def test_what_is_not_alpaca_is_named(body: bytes, status: int, said: str) -> None:
    with pytest.raises(MalformedReply, match=said):
        read(body, status)


def test_foreign_text_reaches_no_terminal_with_its_control_characters() -> None:
    assert plain("a\x1b[2Jb\r\nc\x00") == "a [2Jb c"
    assert len(plain("x" * 10_000)) == 200
