from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import ifaddr
import pytest

from autofocus.devices import discovery
from autofocus.devices.alpaca import Door
from autofocus.devices.channel import Address
from autofocus.devices.clock import RealClock
from autofocus.devices.discovery import FoundDevice
from autofocus.devices.values import whole
from autofocus.errors import DeviceError
from simulators.alpaca_server import BenchServer
from simulators.bench import Bench
from tests.devices.fake_alpaca import QUICK, FakeServer

Answer = Callable[[bytes], None]


def _free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


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
    assert found.devices == (
        FoundDevice("camera", "camera", f"127.0.0.1:{server.port}", 0, "cam-1"),
        FoundDevice("focuser", "focuser", f"127.0.0.1:{server.port}", 0, "foc-1"),
    )
    assert found.silent == ()


def test_nonsense_is_ignored(answers: list[bytes]) -> None:
    answers += [b"", b"hello", b"[]", b'{"AlpacaPort": "x"}', b'{"AlpacaPort": 99999}', b"\xff" * 900]
    answers.append(b'{"AlpacaPort": 4321}')
    assert discovery.servers_on("127.0.0.1", 0.3) == {Address("http", "127.0.0.1", 4321)}


def test_a_server_that_does_not_say_what_it_serves_is_named(clock: RealClock, answers: list[bytes]) -> None:
    assert discovery.devices_of(Address.parse("127.0.0.1:9"), clock) is None
    answers.append(b'{"AlpacaPort": 9}')
    found = discovery.find_devices(clock, 0.3)
    assert found.devices == ()
    assert Address("http", "127.0.0.1", 9) in found.silent


def test_two_servers_of_one_machine_are_two_even_with_the_same_unique_ids(
    clock: RealClock, answers: list[bytes]
) -> None:
    servers = [FakeServer(), FakeServer()]
    answers.extend(json.dumps({"AlpacaPort": one.port}).encode() for one in servers)
    found = discovery.find_devices(clock, 0.3)
    for one in servers:
        one.stop()
    assert {device.address for device in found.devices} == {f"127.0.0.1:{one.port}" for one in servers}
    assert len(found.devices) == 4


def test_a_server_is_asked_while_others_may_still_answer(
    server: FakeServer, clock: RealClock, answers: list[bytes]
) -> None:
    answers.append(json.dumps({"AlpacaPort": server.port}).encode())
    began = time.monotonic()
    servers = discovery._ask(discovery._networks(discovery.DISCOVERY_PORT), 5.0)
    assert next(servers) == Address("http", "127.0.0.1", server.port)
    assert time.monotonic() - began < 2.5  # long before the five seconds are over
    servers.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 on this machine")
def test_over_ipv6_too(clock: RealClock) -> None:
    try:
        bench = Bench(clock=clock)
        served = BenchServer(bench, "::1", discovery_port=(port := _free_udp_port()))
    except DeviceError:
        pytest.skip("this machine has no IPv6 loopback")
    with served:
        assert served.discoverable
        found = discovery.find_devices(clock, 0.4, port)
    assert [(each.kind, each.address) for each in found.devices] == [
        ("camera", f"[::1]:{served.port}"),
        ("focuser", f"[::1]:{served.port}"),
    ]
    assert found.devices[0].unique_id == bench.unique_id("camera")


def test_who_is_asked_on_which_network(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters = [
        ifaddr.Adapter("lo", "lo", [ifaddr.IP("127.0.0.1", 8, "lo"), ifaddr.IP(("::1", 0, 0), 128, "lo")], 1),
        ifaddr.Adapter("eth0", "eth0", [ifaddr.IP("192.168.1.7", 24, "e"), ifaddr.IP(("fe80::7", 0, 3), 64, "e")], 3),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert [(asker.own[0], asker.target, asker.interface) for asker in discovery._networks(7)] == [
        ("127.0.0.1", ("127.255.255.255", 7), None),
        ("127.0.0.1", ("127.0.0.1", 7), None),
        ("::1", ("::1", 7, 0, 0), None),
        ("192.168.1.7", ("192.168.1.255", 7), None),
        ("fe80::7", ("ff12::a1:9aca", 7, 0, 3), 3),
    ]
    nearest = ["127.0.0.1", "::1", "192.168.1.7", "fd00::2", "fe80::7%eth0"]
    shuffled = [nearest[i] for i in (3, 0, 4, 2, 1)]
    assert sorted(shuffled, key=lambda host: discovery._lasting(Address("http", host, 1))) == nearest


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
