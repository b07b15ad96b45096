"""The bench's guider over PHD2's event server: one JSON object a line, both ways."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from typing import Any, Self

from autofocus.errors import DeviceError
from simulators.bench import Bench
from simulators.phd2_guiding import Event, Phd2, Refusal

LONGEST_LINE = 65536


class Phd2Server:
    """Serves while entered; ``phd2`` is what it serves."""

    def __init__(self, bench: Bench, host: str = "127.0.0.1", port: int = 0) -> None:
        options = bench.options
        self._bench = bench
        self._clients: list[socket.socket] = []
        self._changed = threading.RLock()
        self._closing = threading.Event()
        self._listening = _listening(host, port)
        self.host, self.port = host, int(self._listening.getsockname()[1])
        self.phd2 = Phd2(bench, self._tell, focus_offset_steps=options.guide_focus_offset_steps, guiding=options.guider)
        self._threads = [
            threading.Thread(target=work, name=f"bench phd2 {name}", daemon=True)
            for name, work in (("guiding", self._guide), ("listening", self._accept))
        ]

    @property
    def address(self) -> str:
        """host:port, as scope.yaml takes it."""
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        _close(self._listening)
        with self._changed:
            for client in self._clients:
                _close(client)
        for thread in self._threads:
            thread.join(timeout=5.0)

    def _guide(self) -> None:
        """One guide frame after another; a frame that the machine delays is as much longer."""
        while not self._closing.is_set():
            start = self._bench.now()
            self._closing.wait(self._bench.wait_s(self.phd2.exposure_s))
            self.phd2.tick(start, self._bench.now())

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            client.settimeout(None)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, client.makefile("rb") as lines:
            with self.phd2.lock, self._changed:  # nothing happens between what is told now and the next event
                for event in self.phd2.greeting():
                    _send(client, event)
                self._clients.append(client)
            while (line := lines.readline(LONGEST_LINE)) and not self._closing.is_set():
                reply = self._reply(line)
                with self._changed:
                    _send(client, reply)
        with self._changed:
            if client in self._clients:
                self._clients.remove(client)

    def _reply(self, line: bytes) -> Any:
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            return _fault(None, -32700, "invalid JSON request")
        return [self._answer(one) for one in asked] if isinstance(asked, list) else self._answer(asked)

    def _answer(self, asked: Any) -> dict[str, Any]:
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            return _fault(None, -32600, "invalid request")
        number = asked.get("id")
        try:
            result = self.phd2.call(asked["method"], asked.get("params"))
        except Refusal as refusal:
            return _fault(number, refusal.code, str(refusal))
        except (TypeError, ValueError) as fault:
            return _fault(number, -32602, str(fault))
        return {"jsonrpc": "2.0", "result": result, "id": number}

    def _tell(self, event: Event) -> None:
        with self._changed:
            for client in tuple(self._clients):
                try:
                    _send(client, event)
                except OSError:
                    self._clients.remove(client)
                    _close(client)


def _send(client: socket.socket, message: Any) -> None:
    client.sendall(json.dumps(message).encode() + b"\r\n")


def _fault(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": number}


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _listening(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if sys.platform != "win32":  # there it would let another program take the port over
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as cause:
        listening.close()
        raise DeviceError(
            f"the bench's guider cannot listen on {host}:{port}: {cause.strerror}; choose another --phd2-port",
            device="bench",
            operation="listen",
        ) from cause
    listening.listen(8)
    return listening
