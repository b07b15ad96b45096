"""Finding Alpaca servers: one question by UDP to all networks at once, answered by those who serve."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import ifaddr

from autofocus.devices.channel import Address
from autofocus.devices.deadlines import Deadlines
from autofocus.devices.replies import plain
from autofocus.devices.wire import Wire
from autofocus.errors import DeviceError
from autofocus.ports import Clock

DISCOVERY_PORT = 32227
_QUESTION = b"alpacadiscovery1"
_ROUNDS = 2  # a datagram may get lost
_MOST_ANSWERS = 200


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device that some server on the network offers."""

    kind: str
    name: str
    address: str
    number: int
    unique_id: str


def find_devices(clock: Clock, wait_s: float = 1.0) -> list[FoundDevice]:
    """The cameras and focusers of all servers that answer within ``wait_s``, each device once."""
    servers = sorted(find_servers(wait_s), key=lambda server: (not server.host.startswith("127."), str(server)))
    with ThreadPoolExecutor(max_workers=16) as pool:
        offers = list(pool.map(lambda server: devices_of(server, clock), servers))
    found: dict[object, FoundDevice] = {}
    for device in (device for offer in offers for device in offer if device.kind in ("camera", "focuser")):
        # A server on this machine answers from each of its addresses; loopback comes first and stays.
        found.setdefault((device.kind, device.unique_id or (device.address, device.number)), device)
    return sorted(found.values(), key=lambda device: (device.address, device.kind, device.number))


def find_servers(wait_s: float) -> set[Address]:
    """The Alpaca servers of all IPv4 networks that this machine is on."""
    targets = [(str(ip.ip), _broadcast(str(ip.ip), ip.network_prefix)) for ip in _own_addresses()]
    return set(_ask(targets, wait_s))


def servers_on(host: str, wait_s: float) -> set[Address]:
    """The Alpaca servers of one machine, whichever port they moved to."""
    try:
        place = socket.gethostbyname(host)
    except OSError:
        return set()
    return {server for server in _ask([("", place)], wait_s) if server.host == place}


def devices_of(server: Address, clock: Clock) -> list[FoundDevice]:
    """What one server offers; nothing when it does not answer."""
    wire = Wire("server", 0, server, clock, Deadlines(http_s=2.0))
    try:
        entries = wire.configured_devices(repeat=False)
    except DeviceError:
        return []
    finally:
        wire.close()
    return [
        FoundDevice(
            kind=plain(entry.get("DeviceType", "")).lower(),
            name=plain(entry.get("DeviceName", "")),
            address=str(server),
            number=number,
            unique_id=plain(entry.get("UniqueID") or ""),
        )
        for entry in entries
        if isinstance(number := entry.get("DeviceNumber"), int)
    ]


def _own_addresses() -> Iterator[ifaddr.IP]:
    for adapter in ifaddr.get_adapters():
        yield from (ip for ip in adapter.ips if ip.is_IPv4)


def _broadcast(address: str, prefix: int) -> str:
    mask = (1 << (32 - prefix)) - 1
    return socket.inet_ntoa((int.from_bytes(socket.inet_aton(address), "big") | mask).to_bytes(4, "big"))


def _ask(targets: Iterable[tuple[str, str]], wait_s: float) -> Iterator[Address]:
    """Put the question from each own address to each target, and gather the answers until the time is over."""
    with ExitStack() as stack:
        asking = {}
        for own, target in targets:
            with suppress(OSError):  # a network that is down cannot be asked
                asking[stack.enter_context(_question_socket(own))] = target
        end = time.monotonic() + wait_s
        for left in range(_ROUNDS, 0, -1):
            for asker, target in asking.items():
                with suppress(OSError):
                    asker.sendto(_QUESTION, (target, DISCOVERY_PORT))
            yield from _answers(list(asking), (end - time.monotonic()) / left)


@contextmanager
def _question_socket(own: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        asker.bind((own, 0))
        yield asker


def _answers(askers: list[socket.socket], wait_s: float) -> Iterator[Address]:
    end = time.monotonic() + wait_s
    for _ in range(_MOST_ANSWERS):
        left = end - time.monotonic()
        if left <= 0 or not askers:
            return
        for asker in select.select(askers, [], [], left)[0]:
            with suppress(OSError, ValueError, TypeError, KeyError):  # an answer that is none, or a closed port there
                body, (host, _) = asker.recvfrom(1024)
                port = json.loads(body)["AlpacaPort"]
                if isinstance(port, int) and 0 < port < 65536:
                    yield Address("http", host, port)
