"""The one door to alpyca: its member names, our transport, deadlines and errors.

alpyca 3.1.3 serialises all devices of a process behind one lock, has no deadline on images and leaks the
exceptions of six libraries. Its classes are used here for the interface they describe (members and parameter
names); every request goes through `autofocus.devices.wire`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from alpaca.camera import Camera as AlpycaCamera
from alpaca.focuser import Focuser as AlpycaFocuser

from autofocus.devices.channel import Address, Answer
from autofocus.devices.deadlines import Deadlines
from autofocus.devices.discovery import servers_on
from autofocus.devices.replies import NOT_CONNECTED, is_not_implemented, plain
from autofocus.devices.values import truth, whole
from autofocus.devices.wire import ONCE, URGENT, Wire
from autofocus.errors import DeviceError, DeviceRefused, DeviceTimeout, DeviceUnreachable
from autofocus.ports import Clock

T = TypeVar("T")

PLATFORM_7 = 4  # InterfaceVersion of cameras and focusers from which Connect and Connecting exist


class Door:
    """One Alpaca device: members read, written and called by alpyca's names; a lost server found again.

    Every method raises a branch of `DeviceError` and nothing else (and `Aborted`, when the user stops the run).
    """

    def __init__(self, kind: str, address: str, number: int, clock: Clock, deadlines: Deadlines) -> None:
        self.wire = Wire(kind, number, Address.parse(address), clock, deadlines)
        self.clock = clock
        self.deadlines = deadlines
        self.unique_id = ""
        self.connected_by_us = False
        self.on_return: Callable[[], None] = lambda: None
        self.returns = 0
        self._open = False
        self._given_up = False
        self._recovering = threading.RLock()
        self._members: Any = _MEMBERS[kind](self)

    @property
    def device(self) -> str:
        """The device's name in messages."""
        return self.wire.device

    def read(self, member: str, kind: Callable[[object], T]) -> T:
        """A member's value, checked by ``kind`` (`whole`, `number`, `truth`, `text`, `texts`)."""
        with self._translating(member):
            value = getattr(self._members, member)
        try:
            return kind(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise DeviceRefused(
                f"The {self.device} answered {member} with {plain(repr(value))}, which is not {kind.__name__}; "
                "update its driver.",
                device=self.device,
                operation=member,
            ) from error

    def optional(self, member: str, kind: Callable[[object], T]) -> T | None:
        """A member's value, or None where the device does not offer it or has none to give."""
        try:
            return self.read(member, kind)
        except DeviceRefused:
            return None

    def write(self, member: str, value: object) -> None:
        """Set a member."""
        with self._translating(member):
            setattr(self._members, member, value)

    def call(self, member: str, *arguments: object) -> None:
        """Call a method."""
        with self._translating(member):
            getattr(self._members, member)(*arguments)

    def image(self, within_s: float, limit: int) -> Answer:
        """The image as the server sends it."""
        return self.wire.image(within_s, limit)

    # -- connecting ---------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Find the device and connect it unless it is connected already."""
        connected = self.read("Connected", truth)
        self.unique_id = self._identity()
        if not connected:
            self._switch_on()
            self.connected_by_us = True
        self._open = True

    def disconnect(self) -> None:
        """Disconnect what `connect` connected, and hang up."""
        self._open = False
        try:
            if self.connected_by_us:
                self.connected_by_us = False
                self.write("Connected", False)
        finally:
            self.wire.close()

    def _switch_on(self) -> None:
        version = self.optional("DriverInterface", whole) or 1
        # Drivers exist whose first connection fails and whose second succeeds.
        for last in (False, True):
            try:
                self._ask_to_connect(version)
                break
            except DeviceRefused as error:
                if last or is_not_implemented(error):
                    raise
                self.clock.sleep(self.deadlines.pause_s)
        end = self.clock.monotonic() + self.deadlines.connect_s
        while not self.read("Connected", truth):
            if self.clock.monotonic() >= end:
                raise DeviceRefused(
                    f"The {self.device} took the order to connect but still says that it is not connected; "
                    "connect it in its own server or driver window.",
                    device=self.device,
                    operation="Connected",
                    number=NOT_CONNECTED,
                )
            self.clock.sleep(self.deadlines.poll_s)

    def _ask_to_connect(self, version: int) -> None:
        if version >= PLATFORM_7:
            try:
                self.call("ConnectAsync")
                return
            except DeviceRefused as error:
                if not is_not_implemented(error):
                    raise
        self.write("Connected", True)

    # -- a lost server --------------------------------------------------------------------------------------------

    def exchange(self, send: Callable[[], dict[str, Any]], operation: str) -> dict[str, Any]:
        """Send a request; when the device is lost, find it again once and repeat what may be repeated."""
        seen = self.returns
        try:
            return send()
        except DeviceError as error:
            # A command that must happen once is its caller's: the look at the device's state finds it again.
            if not self._open or operation in URGENT or operation in ONCE or not _means_lost(error):
                raise
            self._find_again(error, seen)
            return send()

    def _find_again(self, error: DeviceError, seen: int) -> None:
        with self._recovering:
            if self.returns > seen:
                return  # another thread found it meanwhile
            if self.returns >= self.deadlines.reconnects:
                raise error
            self._open = False  # no recovery within the recovery
            try:
                self._await_server(error)
                if not self.read("Connected", truth):
                    self._switch_on()
            finally:
                self._open = True
            self._given_up = False
            self.returns += 1
        self.on_return()

    def _await_server(self, lost: DeviceError) -> None:
        # Waited for in vain once, it is only looked for: the way out of a run asks many things of a device.
        end = self.clock.monotonic() + (0.0 if self._given_up else self.deadlines.reconnect_s)
        self._given_up = True
        while True:
            try:
                if self._adopt_number(self.wire.configured_devices(repeat=False)):
                    return
                # Another device may hold our number now; a server that still starts up may yet bring ours.
                lost = self._came_back_without_ours()
            except DeviceError:
                if self._answers() or self._moved_to_another_port():
                    return
            if self.clock.monotonic() >= end:
                raise lost from None
            self.clock.sleep(self.deadlines.poll_s * 5)

    def _answers(self) -> bool:
        """Whether a server without the management API is there again."""
        if self.unique_id:
            return False  # this one had it, so wait until it has it again
        try:
            self.wire.get("connected")
        except DeviceError:
            return False
        return True

    def _moved_to_another_port(self) -> bool:
        """Whether the same machine now serves our device elsewhere; no other machine is trusted with it."""
        if not self.unique_id:
            return False
        for server in servers_on(self.wire.address.host, self.deadlines.discovery_s):
            moved = replace(self.wire.address, port=server.port)
            there = Wire(self.wire.kind, self.wire.number, moved, self.clock, self.deadlines)
            with suppress(DeviceError):
                if self._adopt_number(there.configured_devices(repeat=False)):
                    self.wire.move_to(moved)
                    return True
        return False

    def _identity(self) -> str:
        """The UniqueID of our device; empty where the server has no management API."""
        try:
            entries = self.wire.configured_devices(repeat=False)
        except DeviceError:
            return ""
        mine = (e for e in entries if self._of_our_kind(e) and e.get("DeviceNumber") == self.wire.number)
        return str(next(mine, {}).get("UniqueID") or "")

    def _of_our_kind(self, entry: dict[str, Any]) -> bool:
        return str(entry.get("DeviceType", "")).lower() == self.wire.kind

    def _adopt_number(self, entries: list[dict[str, Any]]) -> bool:
        """After a restart the device may have another number: its UniqueID tells; False when it is not there."""
        if not self.unique_id:
            return True
        for entry in entries:
            if self._of_our_kind(entry) and entry.get("UniqueID") == self.unique_id:
                with self._translating("configureddevices"):
                    self.wire.number = whole(entry["DeviceNumber"])
                return True
        return False

    def _came_back_without_ours(self) -> DeviceUnreachable:
        return DeviceUnreachable(
            f"The server at {self.wire.address} came back without our {self.wire.kind}; start the driver again.",
            device=self.device,
            operation="configureddevices",
        )

    @contextmanager
    def _translating(self, member: str) -> Iterator[None]:
        try:
            yield
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise DeviceRefused(
                f"The {self.device} answered {member} with something that is not Alpaca; update its driver.",
                device=self.device,
                operation=member,
            ) from error


def _means_lost(error: DeviceError) -> bool:
    lost = isinstance(error, DeviceUnreachable | DeviceTimeout)
    return lost or (isinstance(error, DeviceRefused) and error.number == NOT_CONNECTED)


class _OverOurWire:
    """Replaces alpyca's two request methods, through which all of its members go."""

    _door: Door

    def _get(self, attribute: str, tmo: float = 0.0, **data: Any) -> Any:  # noqa: ARG002
        return self._door.exchange(lambda: self._door.wire.get(attribute, data), attribute)["Value"]

    def _put(self, attribute: str, tmo: float = 0.0, **data: Any) -> Any:  # noqa: ARG002
        return self._door.exchange(lambda: self._door.wire.put(attribute, data), attribute)

    @property
    def DriverInterface(self) -> Any:  # noqa: N802 - beside alpyca's InterfaceVersion, which caches a failure as 1
        """The interface version, asked afresh."""
        return self._get("interfaceversion")

    def ConnectAsync(self) -> None:  # noqa: N802 - beside alpyca's Connect, which does nothing the second time
        """The device's own Connect."""
        self._put("connect")


class _CameraMembers(_OverOurWire, AlpycaCamera):  # type: ignore[misc]
    def __init__(self, door: Door) -> None:
        super().__init__(str(door.wire.address), door.wire.number)
        self._door = door


class _FocuserMembers(_OverOurWire, AlpycaFocuser):  # type: ignore[misc]
    def __init__(self, door: Door) -> None:
        super().__init__(str(door.wire.address), door.wire.number)
        self._door = door


_MEMBERS: dict[str, Callable[[Door], Any]] = {"camera": _CameraMembers, "focuser": _FocuserMembers}
