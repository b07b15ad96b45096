from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from autofocus.devices import discovery
from autofocus.devices.alpaca import Door
from autofocus.devices.channel import Address
from autofocus.devices.clock import RealClock
from autofocus.devices.discovery import FoundDevice
from autofocus.devices.values import whole
from tests.devices.fake_alpaca import QUICK, FakeServer

Answer = Callable[[bytes], None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A responder on a port of its own: what is put into the list, it answers to every question."""
    bodies: list[bytes] = []
    responder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    responder.bind(("", 0))
    responder.settimeout(0.05)
    monkeypatch.setattr(discovery, "DISCOVERY_PORT", responder.getsockname()[1])
    ended = threading.Event()

    def answer() -> None:
        while not ended.is_set():
            try:
                question, asker = responder.recvfrom(100)
            except OSError:
                continue
            if question == b"alpacadiscovery1":
                for body in bodies:
                    responder.sendto(body, asker)

    thread = threading.Thread(target=answer)
    thread.start()
    yield bodies
    ended.set()
    thread.join()
    responder.close()


def test_devices_are_found_once(server: FakeServer, clock: RealClock, answers: list[bytes]) -> None:
    answers.append(json.dumps({"AlpacaPort": server.port}).encode())
    began = time.monotonic()
    found = discovery.find_devices(clock, 0.3)
    assert time.monotonic() - began < 2
    assert found == [
        FoundDevice("camera", "camera", f"127.0.0.1:{server.port}", 0, "cam-1"),
        FoundDevice("focuser", "focuser", f"127.0.0.1:{server.port}", 0, "foc-1"),
    ]


def test_nonsense_is_ignored(answers: list[bytes]) -> None:
    answers += [b"", b"hello", b"[]", b'{"AlpacaPort": "x"}', b'{"AlpacaPort": 99999}', b"\xff" * 900]
    answers.append(b'{"AlpacaPort": 4321}')
    assert discovery.servers_on("127.0.0.1", 0.3) == {Address("http", "127.0.0.1", 4321)}


def test_a_server_that_does_not_answer_offers_nothing(clock: RealClock) -> None:
    assert discovery.devices_of(Address.parse("127.0.0.1:9"), clock) == []


@pytest.mark.parametrize(
    ("address", "prefix", "broadcast"),
    [("192.168.1.7", 24, "192.168.1.255"), ("10.1.2.3", 8, "10.255.255.255"), ("127.0.0.1", 8, "127.255.255.255")],
)
def test_broadcast_addresses(address: str, prefix: int, broadcast: str) -> None:
    assert discovery._broadcast(address, prefix) == broadcast


def test_a_server_that_came_back_on_another_port_is_found(
    server: FakeServer, clock: RealClock, answers: list[bytes]
) -> None:
    door = Door("focuser", server.address, 0, clock, QUICK)
    door.connect()
    before = server.port
    server.stop()
    server.port = 0
    server.start()
    assert server.port != before
    answers.append(json.dumps({"AlpacaPort": server.port}).encode())
    assert door.read("Position", whole) == 5000
    assert server.address in door.device
