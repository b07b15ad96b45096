"""Alpaca discovery: answers who asks on UDP port 32227 where the bench is served."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import threading
from typing import Self

DISCOVERY_PORT = 32227
MULTICAST_GROUP = "ff12::a1:9aca"
QUESTION = b"alpacadiscovery1"


class Responder:
    """A context manager that answers discovery questions in a thread of its own, by the protocol the bench serves.

    `OSError` when another program holds the port for itself.
    """

    def __init__(self, host: str, alpaca_port: int, port: int = DISCOVERY_PORT) -> None:
        self._answer = json.dumps({"AlpacaPort": alpaca_port}).encode()
        # On loopback only loopback may ask; questions are broadcast there too, which only the wildcard address hears.
        self._loopback = host in {"127.0.0.1", "localhost", "::1"}
        self._socket = _listening(port, over_ipv6=":" in host)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._answer_questions, name="bench discovery", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(timeout=2.0)
        self._socket.close()

    def _answer_questions(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(OSError):  # a timeout, or an asker who has gone
                question, asker = self._socket.recvfrom(1024)
                if question.startswith(QUESTION) and (not self._loopback or asker[0].startswith(("127.", "::1"))):
                    self._socket.sendto(self._answer, asker)


def _listening(port: int, *, over_ipv6: bool) -> socket.socket:
    """A socket that shares its port with other servers of this machine, as all Alpaca servers do."""
    listening = socket.socket(socket.AF_INET6 if over_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if over_ipv6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(("", port))
    except OSError:
        listening.close()
        raise
    if over_ipv6:
        _join_group(listening)
    listening.settimeout(0.2)
    return listening


def _join_group(listening: socket.socket) -> None:
    """Hear what is asked by multicast, on every interface that has it."""
    group = socket.inet_pton(socket.AF_INET6, MULTICAST_GROUP)
    for index, _ in socket.if_nameindex():
        with contextlib.suppress(OSError):
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("@I", index))
