"""A small Alpaca server over real sockets whose devices, and whose faults, each test scripts for itself."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from autofocus.devices.deadlines import Deadlines
from tests.devices.fake_devices import AscomError, FakeCamera, FakeFocuser, not_implemented

QUICK = Deadlines(
    http_s=0.4,
    repeat_within_s=1.0,
    pause_s=0.01,
    connect_s=0.5,
    reconnect_s=2.0,
    motion_start_s=0.15,
    position_refresh_s=0.4,
    discovery_s=0.1,
    stall_s=0.3,
    poll_s=0.01,
)


class Fault:
    """What happens to the next ``times`` requests of one operation, in place of or after their execution."""

    def __init__(
        self, operation: str, what: str, times: int = 1, *, executed: bool = False, slow_s: float = 0.0
    ) -> None:
        self.operation, self.what, self.times, self.executed, self.slow_s = operation, what, times, executed, slow_s


class FakeServer:
    """Serves one focuser and one camera; ``faults`` are consumed in order, ``log`` holds every request."""

    def __init__(self) -> None:
        self.focuser, self.camera = FakeFocuser(), FakeCamera()
        self.connected = {"camera": False, "focuser": False}
        self.connectable = True
        self.numbers = {"camera": 0, "focuser": 0}
        self.ids = {"camera": "cam-1", "focuser": "foc-1"}
        self.management = True
        self.faults: list[Fault] = []
        self.log: list[tuple[str, str, dict[str, str]]] = []
        self.lock = threading.Lock()
        self.authorizations: list[str] = []
        self.port = 0
        self.connections: list[socket.socket] = []
        self.start()

    def start(self) -> None:
        server = self
        handler = type("Handler", (_Handler,), {"fake": server})
        ThreadingHTTPServer.allow_reuse_address = True
        self.http = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def fault(self, operation: str, what: str, times: int = 1, *, executed: bool = False, slow_s: float = 0.0) -> None:
        self.faults.append(Fault(operation, what, times, executed=executed, slow_s=slow_s))

    def take_fault(self, operation: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.operation in (operation, "*") and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def count(self, operation: str, method: str = "PUT") -> int:
        return sum(1 for entry in self.log if entry[:2] == (method, operation))

    def value(self, kind: str, operation: str) -> Any:
        members = self.focuser.members if kind == "focuser" else self.camera.members
        common = {"connected": self.connected[kind], "name": f"Fake {kind}", "interfaceversion": 3}
        if operation in common:
            return members.get(operation, common[operation])
        if operation not in members:
            not_implemented()
        value = members[operation]
        return value() if callable(value) else value

    def write(self, kind: str, operation: str, fields: dict[str, str]) -> None:
        if operation == "connected":
            self.connected[kind] = fields["Connected"].lower() == "true" and self.connectable
        elif operation == "move":
            self.focuser.move(int(fields["Position"]))
        elif operation == "halt":
            self.focuser.halt()
        elif operation == "startexposure":
            self.camera.startexposure(fields)
        elif operation == "abortexposure":
            self.camera.abortexposure()
        else:
            members = self.focuser.members if kind == "focuser" else self.camera.members
            if operation not in members or members[operation] is not_implemented:
                not_implemented()
            text = next(value for name, value in fields.items() if name.lower() == operation)
            members[operation] = text == "true" if text in ("true", "false") else int(text)

    def devices(self) -> list[dict[str, Any]]:
        return [
            {"DeviceName": k, "DeviceType": k.title(), "DeviceNumber": n, "UniqueID": self.ids[k]}
            for k, n in self.numbers.items()
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: FakeServer

    def setup(self) -> None:
        super().setup()
        self.fake.connections.append(self.connection)

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answer("GET", dict(parse_qsl(urlsplit(self.path).query)))

    def do_PUT(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.answer("PUT", dict(parse_qsl(self.rfile.read(length).decode())))

    def answer(self, method: str, fields: dict[str, str]) -> None:
        parts = urlsplit(self.path).path.strip("/").split("/")
        operation = parts[-1]
        with self.fake.lock:
            self.fake.log.append((method, operation, fields))
            self.fake.authorizations.append(self.headers.get("Authorization", ""))
        fault = self.fake.take_fault(operation)
        if fault is not None and not fault.executed:
            self.misbehave(fault)
            if fault.what != "slow":
                return
        status, kind, body = self.execute(method, parts, fields)
        if fault is not None and fault.executed:
            self.misbehave(fault)
            if fault.what != "slow":
                return
        self.send(status, kind, body)

    def execute(self, method: str, parts: list[str], fields: dict[str, str]) -> tuple[int, str, bytes]:
        reply: dict[str, Any] = {
            "ErrorNumber": 0,
            "ErrorMessage": "",
            "ClientTransactionID": 1,
            "ServerTransactionID": 1,
        }
        if parts[0] == "management":
            if not self.fake.management:
                return 404, "text/plain", b"no"
            return 200, "application/json", json.dumps({"Value": self.fake.devices()}).encode()
        kind, number, operation = parts[2], int(parts[3]), parts[4]
        if number != self.fake.numbers.get(kind):
            return 400, "text/plain", b"device not configured"
        try:
            if operation == "imagearray":
                kind_, body = self.fake.camera.imagearray(self.headers.get("Accept", ""))
                return 200, kind_, body
            if method == "GET":
                reply["Value"] = self.fake.value(kind, operation)
            else:
                self.fake.write(kind, operation, fields)
        except AscomError as error:
            reply |= {"ErrorNumber": error.number, "ErrorMessage": error.text}
        return 200, "application/json", json.dumps(reply).encode()

    def misbehave(self, fault: Fault) -> None:
        if fault.what == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault.what == "slow":
            time.sleep(fault.slow_s)
        elif fault.what == "truncate":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
            self.close_connection = True
        elif fault.what == "stall":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"\1" * 100)
            time.sleep(fault.slow_s)
            self.close_connection = True
        elif fault.what == "html":
            self.send(200, "text/html", b"<!DOCTYPE html><html><body>router login</body></html>")
        elif fault.what.isdigit():
            self.send(int(fault.what), "text/plain", b"out of order")
        else:
            self.send(200, "application/json", fault.what.encode())

    def send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
