"""A server that was lost: waited for, found again under another number or port, and given up in time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from autofocus.devices.discovery import servers_on
from autofocus.devices.lookout import Lookout
from autofocus.devices.replies import MalformedReply, plain
from autofocus.devices.unanswered import unanswered
from autofocus.devices.values import whole
from autofocus.devices.wire import Wire
from autofocus.errors import DeviceError, DeviceUnreachable


class Recovery:
    """Finds the server of one device again; ``reconnect`` is called when it has."""

    def __init__(self, wire: Wire, lookout: Lookout, reconnect: Callable[[], None]) -> None:
        self._wire = wire
        self._clock = wire.clock
        self._deadlines = wire.deadlines
        self._lookout = lookout
        self._reconnect = reconnect
        self._recovering = threading.RLock()
        self.unique_id = ""
        self.returns = 0

    def look(self, operation: str) -> bool:
        """Look for our server if it was given up; True where it is there again, False where it was not given up.

        Raises at once where it was looked for a moment ago.
        """
        now = self._clock.monotonic()
        known = self._lookout.why(str(self._wire.address), now)
        if known is None:
            return False
        cause, is_due = known
        error = self._error(cause, operation)
        if not is_due:
            raise error
        self.find_again(error, self.returns, began=now)
        return True

    def find_again(self, error: DeviceError, seen: int, *, began: float) -> bool:
        """Wait for the server and connect the device again; False when another thread did meanwhile.

        Raises what is wrong when it does not come back in time, or was lost too often.
        """
        with self._recovering:
            if self.returns > seen:
                return False
            if self.returns >= self._deadlines.reconnects:
                raise error
            self._await_server(error, began)
            self._reconnect()
            self.returns += 1
        return True

    def identify(self) -> None:
        """Learn the UniqueID of our device; none where the server has no management API."""
        try:
            entries = self._wire.configured_devices(repeat=False)
        except DeviceError:
            entries = []
        mine = (e for e in entries if self._of_our_kind(e) and e.get("DeviceNumber") == self._wire.number)
        self.unique_id = str(next(mine, {}).get("UniqueID") or "")

    def others_there(self) -> list[str] | None:
        """The devices of our kind there, as ``0 (its name)``; None where ours is among them, or the server is mute."""
        try:
            entries = [e for e in self._wire.configured_devices(repeat=False) if self._of_our_kind(e)]
        except DeviceError:
            return None
        if any(entry.get("DeviceNumber") == self._wire.number for entry in entries):
            return None
        return [f"{plain(e.get('DeviceNumber'))} ({plain(e.get('DeviceName', ''))})" for e in entries]

    def _await_server(self, lost: DeviceError, began: float) -> None:
        server, device = str(self._wire.address), self._wire.device
        patience_s = 0.0 if self._lookout.given_up(server) else self._deadlines.reconnect_s
        end = self._clock.monotonic() + patience_s
        while True:
            asked = self._clock.monotonic()
            try:
                if self._adopt_number(self._wire.configured_devices(repeat=False)):
                    break
                # Another device may hold our number now; a server that still starts up may yet bring ours.
                lost = self._without_ours()
            except DeviceError:
                if self._answers() or self._moved_to_another_port():
                    break
            now = self._clock.monotonic()
            if now >= end and self._lookout.give_up(server, asked, now, _cause(lost)):
                raise lost from lost.__cause__
            until = self._clock.utc() + timedelta(seconds=max(end - now, 0.0))
            self._lookout.wait_for(
                server,
                asked,
                f"no answer from the {device} since {now - began:.0f} s ({plain(_cause(lost))}); "
                f"trying until {until:%H:%M:%S} UTC",
            )
            self._clock.sleep(self._deadlines.poll_s * 5)
        now = self._clock.monotonic()
        self._lookout.found(server, now, f"the {self._wire.device} answers again, after {now - began:.0f} s")

    def _answers(self) -> bool:
        """Whether a server without the management API is there again."""
        if self.unique_id:
            return False  # this one had it, so wait until it has it again
        try:
            self._wire.get("connected")
        except DeviceError:
            return False
        return True

    def _moved_to_another_port(self) -> bool:
        """Whether the same machine now serves our device elsewhere; no other machine is trusted with it."""
        if not self.unique_id:
            return False
        wire = self._wire
        for server in servers_on(wire.address.host, self._deadlines.discovery_s):
            moved = replace(wire.address, port=server.port)
            there = Wire(wire.kind, wire.number, moved, self._clock, self._deadlines)
            with suppress(DeviceError):
                if self._adopt_number(there.configured_devices(repeat=False)):
                    wire.move_to(moved)
                    return True
        return False

    def _of_our_kind(self, entry: dict[str, Any]) -> bool:
        return str(entry.get("DeviceType", "")).lower() == self._wire.kind

    def _adopt_number(self, entries: list[dict[str, Any]]) -> bool:
        """After a restart the device may have another number: its UniqueID tells; False when it is not there."""
        if not self.unique_id:
            return True
        for entry in entries:
            if self._of_our_kind(entry) and entry.get("UniqueID") == self.unique_id:
                with suppress(KeyError, TypeError, ValueError):  # no number: as good as not there
                    self._wire.number = whole(entry["DeviceNumber"])
                    return True
        return False

    def _error(self, cause: Exception, operation: str) -> DeviceError:
        if not isinstance(cause, OSError | MalformedReply):
            return self._without_ours()
        error = unanswered(cause, self._wire.kind, self._wire.number, self._wire.address, operation)
        error.__cause__ = cause
        return error

    def _without_ours(self) -> DeviceUnreachable:
        return DeviceUnreachable(
            f"The server at {self._wire.address} came back without our {self._wire.kind}; start the driver again.",
            device=self._wire.device,
            operation="configureddevices",
            mend="start the driver again",
        )


def _cause(error: DeviceError) -> Exception:
    """What was wrong with the network or the server, or the error itself."""
    cause = error.__cause__
    return cause if isinstance(cause, OSError | MalformedReply) else error
