"""A TCP relay before the bench's server: connections that are refused or reset, a server that goes and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

from simulators.alpaca_server import listening_socket

_CHUNK = 1 << 16


class Relay:
    """Passes connections to ``upstream``, a port on loopback; a context manager that ends all of them."""

    def __init__(self, host: str, port: int, upstream: int) -> None:
        self.host = host
        self._upstream = upstream
        self._listening: socket.socket | None = listening_socket(host, port)
        self.port = int(self._listening.getsockname()[1])
        self._clients: dict[int, asyncio.StreamWriter] = {}  # by the local port of the connection to upstream
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="bench relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(timeout=5.0)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5.0)
        self._loop.close()

    def reset(self, upstream_port: int) -> None:
        """Reset the connection that reaches the bench from this port."""
        self._loop.call_soon_threadsafe(self._reset, upstream_port)

    def go_away(self, seconds: float | None, *, port: int | None = None, on_return: Callable[[], None]) -> None:
        """Reset all connections and refuse new ones, for some seconds or for ever; come back, at another port or not.

        ``on_return`` is called when the port is known, before the first new connection is answered.
        """
        asyncio.run_coroutine_threadsafe(self._away(seconds, port, on_return), self._loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, sock=self._listening)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for port in tuple(self._clients):
            self._reset(port)
        await asyncio.sleep(0.05)  # until the connections have gone

    async def _away(self, seconds: float | None, port: int | None, on_return: Callable[[], None]) -> None:
        await self._close()
        if seconds is None:
            return
        await asyncio.sleep(seconds)
        self._listening = listening_socket(self.host, self.port if port is None else port)
        self.port = int(self._listening.getsockname()[1])
        on_return()
        await self._open()

    def _reset(self, upstream_port: int) -> None:
        client = self._clients.pop(upstream_port, None)
        if client is None:
            return
        connection = client.get_extra_info("socket")
        # lingering for no time sends RST in place of an orderly end
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_bench, to_bench = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        port = int(to_bench.get_extra_info("sockname")[1])
        self._clients[port] = writer
        try:
            await asyncio.gather(_pump(reader, to_bench), _pump(from_bench, writer))
        finally:
            self._clients.pop(port, None)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends, then end the other side."""
    with contextlib.suppress(OSError):
        while piece := await source.read(_CHUNK):
            sink.write(piece)
            await sink.drain()
    with contextlib.suppress(OSError, RuntimeError):
        sink.close()
