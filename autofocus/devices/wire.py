"""Requests to one Alpaca device: repeated when that is harmless, every fault turned into ours."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from typing import Any

from autofocus.devices.channel import Address, Answer, Channel, NotSent
from autofocus.devices.deadlines import Deadlines
from autofocus.devices.lookout import Lookout
from autofocus.devices.replies import MalformedReply, is_final, read_reply
from autofocus.devices.unanswered import unanswered
from autofocus.errors import DeviceError, DeviceRefused
from autofocus.ports import Clock

# Carried out twice, these do something else than once: the caller looks at the device's state before it repeats one.
ONCE = frozenset({"startexposure", "move", "action", "commandblind", "commandbool", "commandstring"})
# These must never wait behind another request of the same device.
URGENT = frozenset({"halt", "abortexposure", "stopexposure"})

_CLIENT_ID = random.randint(1, 65535)  # noqa: S311 - a label, no secret; 0 is reserved
_transactions = itertools.count(1)


class Wire:
    """The road to one device: ordinary requests, images and each command have sessions of their own."""

    def __init__(
        self,
        kind: str,
        number: int,
        address: Address,
        clock: Clock,
        deadlines: Deadlines,
        lookout: Lookout | None = None,
    ) -> None:
        self.lookout = lookout or Lookout()
        self.kind = kind
        self.number = number
        self.clock = clock
        self.deadlines = deadlines
        self.move_to(address)

    def move_to(self, address: Address) -> None:
        """Send all further requests there."""
        self.address = address
        self._ordinary = Channel(address)
        self._images = Channel(address)

    @property
    def device(self) -> str:
        """The device's name in messages, for example ``camera 0 at 127.0.0.1:11111``."""
        return f"{self.kind} {self.number} at {self.address}"

    def get(self, operation: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for a member's value; the reply as an object."""
        return self._repeated("GET", self._path(operation), operation, fields or {}, self.deadlines.http_s)

    def put(self, operation: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Write a member or call a method; the reply as an object."""
        within_s = self.deadlines.http_s
        if operation in ("connected", "connect"):
            within_s = self.deadlines.connect_s
        if operation == "startexposure":  # drivers before Platform 7 may return only when the exposure is over
            within_s += float(fields.get("Duration", 0.0))
        if operation in ONCE:
            return self._once("PUT", self._path(operation), operation, fields, within_s)
        return self._repeated("PUT", self._path(operation), operation, fields, within_s)

    def configured_devices(self, *, repeat: bool = True) -> list[dict[str, Any]]:
        """What the server says it serves (management API)."""
        operation, path = "configureddevices", "/management/v1/configureddevices"
        ask = self._repeated if repeat else self._once
        value = ask("GET", path, operation, {}, self.deadlines.http_s).get("Value")
        return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []

    def image(self, within_s: float, limit: int) -> Answer:
        """Fetch the image as it comes, one attempt; other requests go on meanwhile."""

        def keep_going() -> None:
            self.clock.sleep(0.0)  # raises Aborted

        try:
            return self._images.exchange(
                "GET",
                self._path("imagearray"),
                _ids(),
                within_s=within_s,
                limit=limit,
                stall_s=self.deadlines.stall_s,
                accept="application/imagebytes, application/json;q=0.5",
                keep_going=keep_going,
            )
        except OSError as error:
            raise unanswered(error, self.kind, self.number, self.address, "imagearray") from error

    def close(self) -> None:
        """Give all connections back."""
        self._ordinary.close()
        self._images.close()

    def _path(self, operation: str) -> str:
        return f"/api/v1/{self.kind}/{self.number}/{operation}"

    def _repeated(
        self, method: str, path: str, operation: str, fields: Mapping[str, Any], within_s: float
    ) -> dict[str, Any]:
        """Try once and then up to ``repeats`` times more, all begun within ``repeat_within_s``."""
        repeats = self.deadlines.repeats
        if self.lookout.given_up(str(self.address)):
            repeats, within_s = 0, min(within_s, self.deadlines.lost_s)
        end = self.clock.monotonic() + max(self.deadlines.repeat_within_s, within_s)
        pause = self.deadlines.pause_s
        for left in range(repeats, -1, -1):
            try:
                remaining = max(end - self.clock.monotonic(), 0.01)
                return self._once(method, path, operation, fields, min(within_s, remaining))
            except DeviceError as error:
                out_of_time = self.clock.monotonic() + pause >= end
                if left == 0 or out_of_time or (isinstance(error, DeviceRefused) and is_final(error)):
                    raise
            self.clock.sleep(pause)
            pause *= 2
        raise AssertionError("the loop above always returns or raises")

    def _once(
        self, method: str, path: str, operation: str, fields: Mapping[str, Any], within_s: float
    ) -> dict[str, Any]:
        fields = {**{name: _spelled(value) for name, value in fields.items()}, **_ids()}
        # A connection that idled may be dead, and then nobody could tell whether the command arrived.
        alone = operation in ONCE or operation in URGENT
        channel = Channel(self.address) if alone else self._ordinary
        try:
            answer = channel.exchange(method, path, fields, within_s=within_s)
            numbered = not path.startswith("/management")
            return read_reply(answer.body, answer.status, self.device, operation, numbered=numbered)
        except (OSError, MalformedReply) as error:
            raise unanswered(error, self.kind, self.number, self.address, operation) from error
        finally:
            if alone:
                channel.close()


def never_arrived(error: DeviceError) -> bool:
    """Whether the server certainly did not see the request."""
    return isinstance(error.__cause__, NotSent)


def _ids() -> dict[str, int]:
    # itertools.count is atomic in CPython, so no two requests share a number.
    return {"ClientID": _CLIENT_ID, "ClientTransactionID": next(_transactions)}


def _spelled(value: Any) -> Any:
    """Booleans in lower case: every server takes "true", INDI's reads "True" as false."""
    return str(value).lower() if isinstance(value, bool) else value
