"""Alpaca's rules that have nothing to do with any device: parameters, transactions, errors, the common members."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

NOT_IMPLEMENTED = 0x400
INVALID_VALUE = 0x401
NOT_CONNECTED = 0x407
INVALID_OPERATION = 0x40B
ACTION_NOT_IMPLEMENTED = 0x40C

MANUFACTURER = "autofocus"
VERSION = "1.0"

_server_transactions = itertools.count(1)


class AlpacaError(Exception):
    """The device understood and refuses: HTTP 200 with this number and text."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number
        self.message = message


class BadRequest(Exception):
    """The request is not Alpaca: HTTP 400 with this text."""


def not_implemented(member: str) -> AlpacaError:
    """Build the error for a member that this device does not have."""
    return AlpacaError(NOT_IMPLEMENTED, f"{member} is not implemented by this device")


class Parameters:
    """The parameters of one request.

    GET names may be in any case; PUT names must be as documented. A client's own numbers in the wrong case count as
    absent, everything else in the wrong case is missing.
    """

    def __init__(self, text: str, *, any_case: bool) -> None:
        pairs = parse_qsl(text, keep_blank_values=True)
        self._any_case = any_case
        self._values = {name.lower() if any_case else name: value for name, value in pairs}
        self._client = self._transaction("ClientID")
        self.client_transaction = self._transaction("ClientTransactionID")

    def _find(self, name: str) -> str | None:
        return self._values.get(name.lower() if self._any_case else name)

    def _transaction(self, name: str) -> int:
        text = self._find(name)
        if text is None:
            return 0
        if not (text.isascii() and text.isdigit()) or int(text) > 0xFFFFFFFF:
            raise BadRequest(f"{name} must be a whole number from 0 to 4294967295")
        return int(text)

    def text(self, name: str) -> str:
        """A parameter as it came; BadRequest when it is missing."""
        found = self._find(name)
        if found is None:
            raise BadRequest(f"the parameter {name} is missing (names in a PUT are case sensitive)")
        return found

    def integer(self, name: str) -> int:
        """A whole number of 32 bits."""
        try:
            value = int(self.text(name))
        except ValueError:
            raise BadRequest(f"{name} must be a whole number") from None
        if not -(2**31) <= value < 2**31:
            raise BadRequest(f"{name} must fit 32 bits")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        try:
            value = float(self.text(name))
        except ValueError:
            raise BadRequest(f"{name} must be a number") from None
        if not math.isfinite(value):
            raise BadRequest(f"{name} must be a finite number")
        return value

    def boolean(self, name: str) -> bool:
        """True or false in any case."""
        value = self.text(name).strip().lower()
        if value not in {"true", "false"}:
            raise BadRequest(f"{name} must be true or false")
        return value == "true"


def reply(
    client_transaction: int, value: Any = None, *, error: AlpacaError | None = None, method: bool = False
) -> dict[str, Any]:
    """Build the JSON object of a reply; a method and an error carry no Value."""
    head: dict[str, Any] = {
        "ClientTransactionID": client_transaction,
        "ServerTransactionID": next_transaction(),
        "ErrorNumber": error.number if error else 0,
        "ErrorMessage": error.message if error else "",
    }
    if not method and error is None:
        head["Value"] = value
    return head


def next_transaction() -> int:
    """Count the server's transactions."""
    return next(_server_transactions)


Getter = Callable[[], Any]
Setter = Callable[[Parameters], None]


class Device:
    """The members every Alpaca device has; a kind of device adds its own to ``gets`` and ``puts``.

    All are open, so that a fault can be laid over any of them.
    """

    kind = ""
    interface_version = 4

    def __init__(self, name: str, description: str, unique_id: str) -> None:
        self.name = name
        self.unique_id = unique_id
        self.connected = False
        self._always: dict[str, Getter] = {
            "connected": lambda: self.connected,
            "connecting": lambda: False,
            "description": lambda: description,
            "driverinfo": lambda: "the simulated bench of autofocus",
            "driverversion": lambda: VERSION,
            "interfaceversion": lambda: self.interface_version,
            "name": lambda: self.name,
            "supportedactions": list,
        }
        self.gets: dict[str, Getter] = {"devicestate": self._device_state}
        self.puts: dict[str, Setter] = {}
        self.always_puts: dict[str, Setter] = {
            "connect": lambda _: self._connect(True),
            "disconnect": lambda _: self._connect(False),
            "connected": lambda given: self._connect(given.boolean("Connected")),
            "action": self._action,
            "commandblind": self._command,
            "commandbool": self._command,
            "commandstring": self._command,
        }

    def get(self, member: str) -> Any:
        """The value of a property; BadRequest where there is no such property."""
        if member in self._always:
            return self._always[member]()
        if member not in self.gets:
            raise BadRequest(f"a {self.kind} has no property {member!r}")
        self._require_connection()
        return self.gets[member]()

    def put(self, member: str, given: Parameters) -> None:
        """Set a property or call a method; BadRequest where there is none."""
        if member in self.always_puts:
            self.always_puts[member](given)
            return
        if member not in self.puts:
            raise BadRequest(f"a {self.kind} has nothing to PUT at {member!r}")
        self.puts[member](given)

    def operations(self) -> set[tuple[str, str]]:
        """("get" or "put", member) of everything the device answers."""
        reads, writes = self._always | self.gets, self.always_puts | self.puts
        return {("get", member) for member in reads} | {("put", member) for member in writes}

    def state(self) -> Mapping[str, Getter]:
        """The properties that DeviceState gathers, under their documented names."""
        return {}

    def _device_state(self) -> Sequence[dict[str, Any]]:
        gathered = []
        for name, getter in self.state().items():
            try:
                gathered.append({"Name": name, "Value": getter()})
            except AlpacaError:
                continue  # what cannot be had now is left out, as documented
        return gathered

    def _require_connection(self) -> None:
        if not self.connected:
            raise AlpacaError(NOT_CONNECTED, f"the {self.kind} is not connected")

    def _connect(self, connected: bool) -> None:
        self.connected = connected

    def _action(self, given: Parameters) -> None:
        action = given.text("Action")
        given.text("Parameters")
        raise AlpacaError(ACTION_NOT_IMPLEMENTED, f"the action {action!r} is not implemented by this device")

    def _command(self, given: Parameters) -> None:
        given.text("Command")
        given.boolean("Raw")
        raise not_implemented("Command")
