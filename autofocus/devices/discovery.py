"""Finding Alpaca servers: one question by UDP to all networks at once, answered by those who serve."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
MULTICAST_GROUP = "ff12::a1:9aca"  # where servers listen over IPv6, which has no broadcast
_QUESTION = b"alpacadiscovery1"
_ROUNDS = 2  # a datagram may get lost
_MOST_ANSWERS = 200
_ASKED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device that some server on the network offers."""

    kind: str
    name: str
    address: str
    number: int
    unique_id: str


@dataclass(frozen=True, slots=True)
class Found:
    """Who answered: cameras and focusers, each once, and the servers that do not say what they serve."""

    devices: tuple[FoundDevice, ...]
    silent: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asker:
    """From which own address (as ``bind`` takes it) the question goes to whom; ``interface`` for multicast."""

    family: socket.AddressFamily
    own: tuple[str, int] | tuple[str, int, int, int]
    target: tuple[str, int] | tuple[str, int, int, int]
    interface: int | None = None


def find_devices(clock: Clock, wait_s: float = 1.0, port: int | None = None) -> Found:
    """The cameras and focusers of all servers that answer within ``wait_s``, asked as they answer."""
    askers = list(_networks(port or DISCOVERY_PORT))
    asked: dict[Address, Future[list[FoundDevice] | None]] = {}
    with ThreadPoolExecutor(max_workers=_ASKED_AT_ONCE) as pool:
        for server in _ask(askers, wait_s):
            if server not in asked:
                asked[server] = pool.submit(devices_of, server, clock)
    # A server answers from each of its addresses; the most lasting of them comes first and stays.
    offers = {server: asked[server].result() for server in sorted(asked, key=_lasting)}
    found: dict[object, FoundDevice] = {}
    for server, offer in offers.items():
        for device in offer or ():
            if device.kind in ("camera", "focuser"):
                identity = (device.unique_id, server.port) if device.unique_id else device.address
                found.setdefault((device.kind, device.number, identity), device)
    order = sorted(found.values(), key=lambda device: (device.address, device.kind, device.number))
    here = {asker.own[0] for asker in askers}
    ports = {server.port for server, offer in offers.items() if offer and server.host in here}
    # Discovery is answered on every address, also by a server that listens on loopback alone, or not over IPv6.
    silent = [server for server, offer in offers.items() if offer is None and ":" not in server.host]
    return Found(tuple(order), tuple(s for s in silent if s.host not in here or s.port not in ports))


def find_servers(wait_s: float, port: int | None = None) -> set[Address]:
    """The Alpaca servers of all networks that this machine is on, over IPv4 and IPv6."""
    return set(_ask(_networks(port or DISCOVERY_PORT), wait_s))


def servers_on(host: str, wait_s: float) -> set[Address]:
    """The Alpaca servers of one machine, whichever port they moved to."""
    try:
        place = socket.gethostbyname(host)
    except OSError:
        return set()
    # A question to one address reaches only one of several servers there, one to the network all of them.
    askers = [_Asker(socket.AF_INET, ("", 0), (place, DISCOVERY_PORT)), *_networks(DISCOVERY_PORT)]
    return {server for server in _ask(askers, wait_s) if server.host == place}


def devices_of(server: Address, clock: Clock) -> list[FoundDevice] | None:
    """What one server offers; None when it does not say."""
    wire = Wire("server", 0, server, clock, Deadlines(http_s=2.0))
    try:
        entries = wire.configured_devices(repeat=False)
    except DeviceError:
        return None
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
        if isinstance(number := entry.get("DeviceNumber"), int) and not isinstance(number, bool) and number >= 0
    ]


def _lasting(server: Address) -> tuple[int, str, int]:
    """Loopback, then IPv4, then IPv6; last the addresses that hold on one interface only."""
    host = server.host
    if ":" not in host:
        return (0 if host.startswith("127.") else 2, host, server.port)
    return (1 if host == "::1" else 4 if host.startswith("fe80") else 3, host, server.port)


def _networks(port: int) -> Iterator[_Asker]:
    """Whom to ask from each own address: its IPv4 network by broadcast, its IPv6 link by multicast, loopback itself."""
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            if ip.is_IPv4:
                own = str(ip.ip)
                yield _Asker(socket.AF_INET, (own, 0), (_broadcast(own, ip.network_prefix), port))
                if own.startswith("127."):  # not every system broadcasts there
                    yield _Asker(socket.AF_INET, (own, 0), (own, port))
            else:
                host, scope = str(ip.ip[0]), int(ip.ip[2])
                here = (host, 0, 0, scope)
                if host == "::1":
                    yield _Asker(socket.AF_INET6, here, ("::1", port, 0, 0))
                elif adapter.index is not None:
                    group = (MULTICAST_GROUP, port, 0, adapter.index)
                    yield _Asker(socket.AF_INET6, here, group, adapter.index)


def _broadcast(address: str, prefix: int) -> str:
    mask = (1 << (32 - prefix)) - 1
    return socket.inet_ntoa((int.from_bytes(socket.inet_aton(address), "big") | mask).to_bytes(4, "big"))


def _ask(askers: Iterable[_Asker], wait_s: float) -> Iterator[Address]:
    """Put the question from each own address, and gather the answers until the time is over."""
    with ExitStack() as stack:
        asking = {}
        for asker in askers:
            with suppress(OSError):  # a network that is down cannot be asked
                asking[stack.enter_context(_question_socket(asker))] = asker.target
        end = time.monotonic() + wait_s
        for left in range(_ROUNDS, 0, -1):
            for sender, target in asking.items():
                with suppress(OSError):
                    sender.sendto(_QUESTION, target)
            yield from _answers(list(asking), (end - time.monotonic()) / left)


@contextmanager
def _question_socket(asker: _Asker) -> Iterator[socket.socket]:
    with socket.socket(asker.family, socket.SOCK_DGRAM) as sender:
        if asker.family == socket.AF_INET:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if asker.interface is not None:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, asker.interface)
        sender.bind(asker.own)
        yield sender


def _answers(senders: list[socket.socket], wait_s: float) -> Iterator[Address]:
    end = time.monotonic() + wait_s
    for _ in range(_MOST_ANSWERS):
        left = end - time.monotonic()
        if left <= 0 or not senders:
            return
        for sender in select.select(senders, [], [], left)[0]:
            with suppress(OSError, ValueError, TypeError, KeyError):  # an answer that is none, or a closed port there
                body, (host, *_) = sender.recvfrom(1024)
                port = json.loads(body)["AlpacaPort"]
                if isinstance(port, int) and 0 < port < 65536:
                    yield Address("http", host, port)
