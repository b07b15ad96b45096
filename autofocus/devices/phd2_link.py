"""One connection to PHD2's event server, kept up by a thread.

The thread only turns lines into a new `Phd2State`; every judgement is made by the caller's thread on that
frozen value. PHD2 may be started late, closed, killed or restarted while a run goes on.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from autofocus.devices.phd2_state import Phd2State
from autofocus.errors import GuidingError

CONNECT_S = 3.0
ANSWER_S = 5.0
RECONNECT_S = 1.0
LONGEST_LINE = 1 << 20  # no event is a megabyte long: whoever sends one is not PHD2

# What no event tells, asked once after every connection.
FACTS = ("get_exposure", "get_pixel_scale", "get_search_region", "get_app_state")


class Phd2Link:
    """``state`` is what was heard so far; ``now`` stamps what arrives."""

    def __init__(self, address: str, now: Callable[[], float] = time.monotonic) -> None:
        host, _, port = address.rpartition(":")
        self.address = address
        self._endpoint = (host.strip("[]"), int(port))
        self._now = now
        self.state = Phd2State()
        self._socket: socket.socket | None = None
        self._answers: dict[int, dict[str, Any]] = {}
        self._awaited: set[int] = set()
        self._number = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="phd2", daemon=True)

    def open(self) -> None:
        """Start listening; PHD2 need not be there yet."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and the connection."""
        self._closing.set()
        self._drop()
        if self._thread.is_alive():
            self._thread.join(timeout=CONNECT_S + RECONNECT_S)

    @property
    def connected(self) -> bool:
        """Whether the connection stands and PHD2 has introduced itself."""
        return self._socket is not None and bool(self.state.version)

    def ask(self, method: str, params: Any = None) -> Any:
        """Call a method and return its result; raise `GuidingError` with PHD2's own words when it refuses."""
        with self._changed:
            self._number += 1
            number, connection = self._number, self._socket
            self._awaited.add(number)
        try:
            return self._result(method, self._exchange(connection, number, method, params))
        finally:
            with self._changed:
                self._awaited.discard(number)
                self._answers.pop(number, None)

    def refresh(self) -> None:
        """Ask what no event tells: exposure, pixel scale, search region, state, and the mount's axes."""
        facts: dict[str, Any] = {}
        for method in FACTS:
            with contextlib.suppress(GuidingError):
                facts[method] = self.ask(method)
        with contextlib.suppress(GuidingError):  # refused while there is no mount
            facts["get_calibration_data"] = self.ask("get_calibration_data", ["Mount"])
        with self._changed:
            self.state = self.state.informed(facts)

    def _exchange(self, connection: socket.socket | None, number: int, method: str, params: Any) -> dict[str, Any]:
        if connection is None:
            raise GuidingError(f"PHD2 does not answer at {self.address}: start it and switch on Tools > Enable Server")
        request: dict[str, Any] = {"method": method, "id": number}
        if params is not None:
            request["params"] = params
        lost = GuidingError(f"the connection to PHD2 at {self.address} was lost during {method}")
        try:
            connection.sendall(json.dumps(request).encode() + b"\r\n")
        except OSError as cause:
            raise lost from cause
        with self._changed:
            if not self._changed.wait_for(lambda: number in self._answers or self._socket is not connection, ANSWER_S):
                raise GuidingError(f"PHD2 at {self.address} did not answer {method} within {ANSWER_S:g} s")
            if number not in self._answers:
                raise lost
            return self._answers[number]

    @staticmethod
    def _result(method: str, answer: dict[str, Any]) -> Any:
        fault = answer.get("error")
        if fault is not None:
            said = fault.get("message", "no reason given") if isinstance(fault, dict) else "no reason given"
            raise GuidingError(f"PHD2 refused {method}: {said}")
        return answer.get("result")

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                connection = socket.create_connection(self._endpoint, CONNECT_S)
                connection.settimeout(None)
            except OSError:
                self._closing.wait(RECONNECT_S)
                continue
            with self._changed:
                if self._closing.is_set():
                    connection.close()
                    return
                self._socket = connection
            self._read(connection)
            self._drop()
            self._closing.wait(RECONNECT_S)

    def _read(self, connection: socket.socket) -> None:
        """Feed lines until the connection ends."""
        rest = b""
        while not self._closing.is_set():
            try:
                block = connection.recv(65536)
            except OSError:
                return
            if not block:
                return
            *lines, rest = (rest + block).split(b"\n")
            if len(rest) > LONGEST_LINE:
                return
            for line in lines:
                self._hear(line)

    def _hear(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        with self._changed:
            if "jsonrpc" not in message:
                self.state = self.state.feed(message, self._now())
            elif isinstance(number := message.get("id"), int) and number in self._awaited:
                self._answers[number] = message
            self._changed.notify_all()

    def _drop(self) -> None:
        with self._changed:
            connection, self._socket = self._socket, None
            self.state = self.state.disconnected()
            self._changed.notify_all()
        if connection is not None:
            with contextlib.suppress(OSError):  # it was gone already
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
