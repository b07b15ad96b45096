"""Alpaca discovery: answers who asks on UDP port 32227 where the bench is served."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from typing import Self

DISCOVERY_PORT = 32227
QUESTION = b"alpacadiscovery1"


class Responder:
    """A context manager that answers discovery questions in a thread of its own."""

    def __init__(self, host: str, alpaca_port: int, port: int = DISCOVERY_PORT) -> None:
        self._answer = json.dumps({"AlpacaPort": alpaca_port}).encode()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform != "win32":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # On loopback only loopback may ask; questions are broadcast there too, which only the wildcard address hears.
        self._loopback = host in {"127.0.0.1", "localhost", "::1"}
        self._socket.bind(("", port))
        self._socket.settimeout(0.2)
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
                if question.startswith(QUESTION) and (asker[0].startswith("127.") or not self._loopback):
                    self._socket.sendto(self._answer, asker)
