from __future__ import annotations

import errno
import re
import socket
import threading
import time

import pytest

from autofocus.devices.channel import Address
from autofocus.devices.clock import RealClock
from autofocus.devices.replies import MalformedReply, read_reply
from autofocus.devices.unanswered import unanswered
from autofocus.devices.wire import Wire, never_arrived
from autofocus.errors import (
    Aborted,
    DeviceError,
    DeviceRefused,
    DeviceTimeout,
    DeviceUnreachable,
    SettingsError,
)
from tests.devices.fake_alpaca import QUICK, FakeServer


@pytest.fixture
def wire(server: FakeServer, clock: RealClock) -> Wire:
    return Wire("focuser", 0, Address.parse(server.address), clock, QUICK)


TRANSIENT = [
    "reset",
    "truncate",
    "html",
    "500",
    "400",
    "302",
    '{"Value": 1}',
    "",
    "not json",
    '{"ErrorNumber":1280,"ErrorMessage":"USB"}',
]


@pytest.mark.parametrize("what", TRANSIENT)
def test_a_passing_fault_is_survived(server: FakeServer, wire: Wire, what: str) -> None:
    server.fault("maxstep", what, times=4)
    assert wire.get("maxstep")["Value"] == 10000
    assert server.count("maxstep", "GET") == 5


@pytest.mark.parametrize("what", TRANSIENT)
def test_a_repeatable_put_survives_too(server: FakeServer, wire: Wire, what: str) -> None:
    server.fault("tempcomp", what, times=2)
    wire.put("tempcomp", {"TempComp": False})
    assert server.focuser.members["tempcomp"] is False


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        ("reset", DeviceUnreachable, "broke"),
        ("truncate", DeviceUnreachable, "broke"),
        ("html", DeviceUnreachable, "web page"),
        ("500", DeviceUnreachable, "HTTP 500"),
        ("401", DeviceUnreachable, "user:password@host"),
        ('{"ErrorNumber":1280,"ErrorMessage":"USB gone"}', DeviceRefused, "USB gone"),
    ],
)
def test_a_lasting_fault_is_named_and_ends(
    server: FakeServer, wire: Wire, what: str, kind: type[DeviceError], said: str
) -> None:
    server.fault("maxstep", what, times=99)
    began = time.monotonic()
    with pytest.raises(kind, match=said) as caught:
        wire.get("maxstep")
    assert time.monotonic() - began < QUICK.repeat_within_s + QUICK.http_s
    assert server.count("maxstep", "GET") == 1 + QUICK.repeats
    assert caught.value.operation == "maxstep"
    assert server.address in caught.value.message
    assert "focuser 0" in caught.value.message


def test_an_answer_of_the_device_is_not_asked_for_again(server: FakeServer, wire: Wire) -> None:
    server.fault("maxstep", '{"ErrorNumber":1025,"ErrorMessage":"bad value"}', times=9)
    with pytest.raises(DeviceRefused):
        wire.get("maxstep")
    assert server.count("maxstep", "GET") == 1


def test_a_server_that_hangs_is_a_timeout(server: FakeServer, wire: Wire) -> None:
    server.fault("maxstep", "slow", times=99, slow_s=1.5)
    began = time.monotonic()
    with pytest.raises(DeviceTimeout, match="no answer"):
        wire.get("maxstep")
    assert time.monotonic() - began < 1.4


def test_nobody_there(clock: RealClock) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    wire = Wire("camera", 3, Address.parse(f"127.0.0.1:{port}"), clock, QUICK)
    with pytest.raises(DeviceUnreachable, match=r"camera 3 at 127.0.0.1:\d+ .*camera.address") as caught:
        wire.get("name")
    assert never_arrived(caught.value)


@pytest.mark.parametrize(
    ("cause", "said", "mend"),
    [
        (ConnectionRefusedError(111, "refused"), "no program listens on port 4 ", "start its Alpaca server"),
        (socket.gaierror(-2, "unknown"), "no machine is known by the name bench", "correct camera.address"),
        (OSError(errno.EHOSTUNREACH, "no route"), "no network leads to bench", "in the same network"),
        (OSError(errno.ENETUNREACH, "no network"), "no network leads to bench", "in the same network"),
        (TimeoutError(), "bench does not answer at all", "see that the machine is switched on"),
        (OSError(errno.EADDRNOTAVAIL, "no address"), "no connection: OSError", "see that camera.address is right"),
    ],
)
def test_each_way_to_have_no_connection_has_its_own_words(
    clock: RealClock, monkeypatch: pytest.MonkeyPatch, cause: OSError, said: str, mend: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise cause

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    wire = Wire("camera", 0, Address.parse("bench:4"), clock, QUICK)
    with pytest.raises(DeviceUnreachable, match=said) as caught:
        wire.get("connected")
    assert never_arrived(caught.value)
    assert caught.value.server == "bench:4"
    assert mend in caught.value.mend
    assert caught.value.message.endswith(f"; {caught.value.mend}.")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<!DOCTYPE html>", r"no Alpaca server answers there \(a web page does\); correct host and port"),
        (404, b"<html>", r"no Alpaca server answers there \(a web page does, HTTP 404\); correct host and port"),
        (401, b"<html>", "answered name with HTTP 401 .*; give camera.address as user:password@host:port"),
        (502, b"<html>", "answered name with HTTP 502 .*; see that bench:4 is an Alpaca server with a camera 0"),
    ],
)
def test_a_web_page_is_no_alpaca_server(status: int, body: bytes, said: str) -> None:
    with pytest.raises(MalformedReply) as caught:
        read_reply(body, status, "camera 0", "name")
    error = unanswered(caught.value, "camera", 0, Address.parse("bench:4"), "name")
    assert re.search(said, error.message)
    assert error.server == ""


@pytest.mark.parametrize(("operation", "fields"), [("move", {"Position": 1}), ("startexposure", {"Duration": 0.01})])
def test_what_must_happen_once_is_sent_once(
    server: FakeServer, clock: RealClock, operation: str, fields: dict[str, float]
) -> None:
    kind = "focuser" if operation == "move" else "camera"
    wire = Wire(kind, 0, Address.parse(server.address), clock, QUICK)
    server.fault(operation, "reset", times=9)
    with pytest.raises(DeviceUnreachable) as caught:
        wire.put(operation, fields)
    assert server.count(operation) == 1
    assert not never_arrived(caught.value)


def test_halt_does_not_wait_behind_another_request(server: FakeServer, clock: RealClock) -> None:
    wire = Wire("focuser", 0, Address.parse(server.address), clock, QUICK)
    server.fault("position", "slow", slow_s=0.35)
    thread = threading.Thread(target=wire.get, args=("position",))
    thread.start()
    time.sleep(0.05)
    began = time.monotonic()
    wire.put("halt", {})
    assert time.monotonic() - began < 0.2
    thread.join()


def test_a_stop_ends_the_repeating(server: FakeServer, clock: RealClock, wire: Wire) -> None:
    server.fault("maxstep", "500", times=99)
    clock.stop()
    with pytest.raises(Aborted):
        wire.get("maxstep")
    assert server.count("maxstep", "GET") == 1


def test_ids_are_valid_and_booleans_lower_case(server: FakeServer, wire: Wire) -> None:
    threads = [threading.Thread(target=lambda: [wire.get("maxstep") for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wire.put("tempcomp", {"TempComp": True})
    assert server.log[-1][2]["TempComp"] == "true"
    transactions = [int(fields["ClientTransactionID"]) for _, _, fields in server.log]
    assert len(set(transactions)) == len(transactions) == 81
    assert min(transactions) >= 1
    assert all(1 <= int(fields["ClientID"]) <= 65535 for _, _, fields in server.log)


def test_the_password_is_sent_and_never_shown(server: FakeServer, clock: RealClock) -> None:
    address = Address.parse(f"anna:s3cret@{server.address}")
    wire = Wire("focuser", 0, address, clock, QUICK)
    assert wire.get("maxstep")["Value"] == 10000
    assert server.authorizations[-1] == "Basic YW5uYTpzM2NyZXQ="
    server.fault("maxstep", "500", times=9)
    with pytest.raises(DeviceError) as caught:
        wire.get("maxstep")
    shown: BaseException | None = caught.value
    while shown is not None:
        assert "s3cret" not in f"{shown!r} {shown}"
        shown = shown.__cause__ or shown.__context__
    assert "s3cret" not in f"{address} {address!r} {address.url} {wire.device}"


def test_proxies_of_the_environment_are_ignored(
    server: FakeServer, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert wire.get("maxstep")["Value"] == 10000


def test_an_endless_reply_is_cut_off(server: FakeServer, wire: Wire) -> None:
    server.fault("maxstep", '{"Value":"' + "x" * (5 << 20) + '"}', times=9)
    with pytest.raises(DeviceRefused, match="more than"):
        wire.get("maxstep")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:11111", "http://127.0.0.1:11111"),
        ("localhost:5", "http://127.0.0.1:5"),
        ("obs.local", "http://obs.local:11111"),
        ("https://u:p@obs:443/", "https://obs:443"),
        ("[fe80::1]:80", "http://[fe80::1]:80"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    assert Address.parse(text).url == url


@pytest.mark.parametrize("text", ["", "a b:c", "host:99999", "host:1/path", "ftp://host:1", ":80", "u:s3cret@:1"])
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SettingsError, match="host:port") as caught:
        Address.parse(text)
    assert "s3cret" not in str(caught.value)
