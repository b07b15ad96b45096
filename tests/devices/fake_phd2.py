"""A PHD2 that says what it is told to, over a real socket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

VERSION = {"Event": "Version", "PHDVersion": "2.6.14", "MsgVersion": 1}


class FakePhd2:
    """Accepts one connection after another; ``answers`` by method: a value, or a function of the parameters."""

    def __init__(
        self,
        port: int = 0,
        state: str = "Guiding",
        answers: dict[str, Any] | None = None,
        *,
        greets_after_s: float = 0.0,
    ) -> None:
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.state = state
        self._greets_after_s = greets_after_s
        self.asked: list[tuple[str, Any]] = []
        known = {"get_exposure": 500, "get_pixel_scale": 1.5, "get_search_region": 15}
        self.answers: dict[str, Any] = {**known, "get_app_state": lambda _: self.state, **(answers or {})}
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def say(self, event: str, **fields: Any) -> None:
        self._send({"Event": event, **fields})

    def step(self, dx: float, dy: float, hfd: float = 2.0, mass: float = 1000.0, **fields: Any) -> None:
        self.say("GuideStep", dx=dx, dy=dy, HFD=hfd, StarMass=mass, SNR=20.0, **fields)

    def raw(self, line: bytes) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):  # a client that has gone
                connection.sendall(line)

    def close(self) -> None:
        for connection in (self._listening, *self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _send(self, message: dict[str, Any]) -> None:
        self.raw(json.dumps(message).encode() + b"\r\n")

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._connections.append(connection)
            time.sleep(self._greets_after_s)
            for greeting in (VERSION, {"Event": "AppState", "State": self.state}):
                connection.sendall(json.dumps(greeting).encode() + b"\r\n")
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                for line in lines:
                    self._answer(json.loads(line))
            except (OSError, ValueError):
                return

    def _answer(self, request: dict[str, Any]) -> None:
        method, params = request["method"], request.get("params")
        self.asked.append((method, params))
        given = self.answers.get(method, KeyError)
        if given is KeyError:
            fault = {"code": -32601, "message": "method not found"}
            self._send({"jsonrpc": "2.0", "error": fault, "id": request["id"]})
            return
        result = given(params) if isinstance(given, Callable) else given  # type: ignore[arg-type]
        self._send({"jsonrpc": "2.0", "result": result, "id": request["id"]})
