"""The one door to alpyca: its member names, our transport, deadlines and errors.

alpyca 3.1.3 serialises all devices of a process behind one lock, has no deadline on images and leaks the
exceptions of six libraries. Its classes are used here for the interface they describe (members and parameter
names); every request goes through `autofocus.devices.wire`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from alpaca.camera import Camera as AlpycaCamera
from alpaca.focuser import Focuser as AlpycaFocuser

from autofocus.devices.channel import Address, Answer
from autofocus.devices.deadlines import Deadlines
from autofocus.devices.lookout import Lookout
from autofocus.devices.recovery import Recovery
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

    def __init__(
        self,
        kind: str,
        address: str,
        number: int,
        clock: Clock,
        deadlines: Deadlines,
        lookout: Lookout | None = None,
    ) -> None:
        self.wire = Wire(kind, number, Address.parse(address), clock, deadlines, lookout)
        self.clock = clock
        self.deadlines = deadlines
        self.connected_by_us = False
        self.on_return: Callable[[], None] = lambda: None
        self._open = False
        self._reconnecting: int | None = None
        self._recovery = Recovery(self.wire, self.wire.lookout, self._reconnect)
        self._members: Any = _MEMBERS[kind](self)

    @property
    def device(self) -> str:
        """The device's name in messages."""
        return self.wire.device

    @property
    def unique_id(self) -> str:
        """The UniqueID of the device, once connected; empty where its server has none to give."""
        return self._recovery.unique_id

    @property
    def returns(self) -> int:
        """How often its server was lost and found again."""
        return self._recovery.returns

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
        try:
            connected = self.read("Connected", truth)
        except DeviceError as error:
            self._explain(error)
            raise
        self._recovery.identify()
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

    def _explain(self, error: DeviceError) -> None:
        """Raise a better error where the server answers and has no device of our number."""
        others = None if error.server else self._recovery.others_there()
        if others is None:
            return
        kind, number = self.wire.kind, self.wire.number
        there, mend = f"no {kind} at all", f"see that {kind}.address is right and that the {kind} is set up there"
        if others:
            there, mend = f"{kind} {', '.join(others)}", f"set {kind}.device_number"
        raise DeviceRefused(
            f"The server at {self.wire.address} has no {kind} {number} but {there}; {mend}.",
            device=self.device,
            operation="Connected",
            mend=mend,
        ) from error

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
        seen, began = self.returns, self.clock.monotonic()
        # A command that must happen once is its caller's: the look at the device's state finds it again.
        recovers = self._open and threading.get_ident() != self._reconnecting
        recovers = recovers and operation not in URGENT and operation not in ONCE
        if recovers and self._recovery.look(operation):
            self.on_return()
            return send()
        try:
            return send()
        except DeviceError as error:
            if not recovers or not _means_lost(error):
                raise
            if self._recovery.find_again(error, seen, began=began):
                self.on_return()
            return send()

    def _reconnect(self) -> None:
        """The server is there again: connect the device, without another recovery within this one."""
        self._reconnecting = threading.get_ident()
        try:
            if not self.read("Connected", truth):
                self._switch_on()
        finally:
            self._reconnecting = None

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
