"""A bench served with faults: its Alpaca server behind a relay that can lose connections, or itself."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from starlette.middleware import Middleware

from simulators.alpaca_server import BenchServer
from simulators.bench import Bench
from simulators.faults import Target, lay_faults
from simulators.faulty_http import FaultyHttp, HttpFault
from simulators.relay import Relay


class FaultyBenchServer(BenchServer):
    """A bench that misbehaves."""

    def __init__(
        self,
        bench: Bench,
        faults: Sequence[str],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        discovery_port: int | None = None,
    ) -> None:
        traffic: list[HttpFault] = []
        super().__init__(
            bench,
            "127.0.0.1",
            0,
            discovery_port=discovery_port,
            middleware=[Middleware(FaultyHttp, traffic, self._drop)],
        )
        self._truth_address = self.address
        self._relay = Relay(host, port, upstream=self.port)
        self.host, self.port = host, self._relay.port
        devices = self.application
        self.target = Target(bench, devices.camera, devices.focuser, traffic, self._relay)
        lay_faults(faults, self.target)
        self._ends = contextlib.ExitStack()

    @property
    def truth_address(self) -> str:
        """Where the truth is answered also when the server has gone."""
        return self._truth_address

    def start(self) -> FaultyBenchServer:
        """Serve behind the relay."""
        super().start()
        self._ends.enter_context(self._relay)
        return self

    def stop(self) -> None:
        """End the relay, then the server."""
        self._ends.close()
        for responder in self.target.responders:
            responder.__exit__()
        super().stop()

    def _drop(self, upstream_port: int) -> None:
        self._relay.reset(upstream_port)
