from __future__ import annotations

import threading
from typing import Any

import pytest

from autofocus.devices.alpaca import Door
from autofocus.devices.clock import RealClock
from autofocus.devices.values import number, truth, whole
from autofocus.errors import DeviceRefused, DeviceUnreachable
from tests.devices.fake_alpaca import QUICK, FakeServer
from tests.devices.fake_devices import AscomError


def raising(error: AscomError) -> Any:
    def member() -> Any:
        raise error

    return member


def test_what_we_connected_we_disconnect(server: FakeServer, door: Door) -> None:
    door.connect()
    assert server.connected["focuser"]
    assert door.unique_id == "foc-1"
    door.disconnect()
    assert not server.connected["focuser"]


def test_what_others_connected_stays_connected(server: FakeServer, door: Door) -> None:
    server.connected["focuser"] = True
    door.connect()
    door.disconnect()
    assert server.connected["focuser"]
    assert server.count("connected") == 0


def test_a_second_session_connects_again(server: FakeServer, clock: RealClock, door: Door) -> None:
    door.connect()
    door.disconnect()
    again = Door("focuser", server.address, 0, clock, QUICK)
    again.connect()
    assert server.connected["focuser"]


def test_a_connect_that_does_nothing_is_noticed(server: FakeServer, door: Door) -> None:
    server.connectable = False
    with pytest.raises(DeviceRefused, match="not connected"):
        door.connect()


def test_a_first_connect_that_fails_is_tried_again(server: FakeServer, door: Door) -> None:
    server.fault("connected", "pass", times=0)
    writes = iter([AscomError(0x402, "value not set")])
    original = server.write

    def write(kind: str, operation: str, fields: dict[str, str]) -> None:
        if operation == "connected" and (error := next(writes, None)) is not None:
            raise error
        original(kind, operation, fields)

    server.write = write  # type: ignore[method-assign]
    door.connect()
    assert server.connected["focuser"]


def test_platform_7_devices_are_asked_with_connect(server: FakeServer, door: Door) -> None:
    server.focuser.members["interfaceversion"] = 4
    original = server.write

    def write(kind: str, operation: str, fields: dict[str, str]) -> None:
        if operation == "connect":
            threading.Timer(0.1, server.connected.update, ({"focuser": True},)).start()
        else:
            original(kind, operation, fields)

    server.write = write  # type: ignore[method-assign]
    door.connect()
    assert server.count("connect") == 1
    assert server.count("connected") == 0


def test_a_device_with_a_wrong_interface_version_is_connected_the_old_way(server: FakeServer, door: Door) -> None:
    server.focuser.members["interfaceversion"] = 4
    door.connect()
    assert server.connected["focuser"]
    assert server.count("connected") == 1


def test_under_a_wrong_number_the_devices_that_exist_are_named(server: FakeServer, clock: RealClock) -> None:
    words = r"server at \S+ has no focuser 5 but focuser 0 \(focuser\); set focuser.device_number"
    with pytest.raises(DeviceRefused, match=words):
        Door("focuser", server.address, 5, clock, QUICK).connect()
    del server.numbers["focuser"]
    with pytest.raises(DeviceRefused, match=r"no focuser 0 but no focuser at all; see that focuser.address"):
        Door("focuser", server.address, 0, clock, QUICK).connect()


def test_a_wrong_number_at_a_server_without_management(server: FakeServer, clock: RealClock) -> None:
    server.management = False
    with pytest.raises(DeviceUnreachable, match=r"focuser 5 .*device not configured"):
        Door("focuser", server.address, 5, clock, QUICK).connect()


def test_a_server_without_management(server: FakeServer, door: Door) -> None:
    server.management = False
    door.connect()
    assert door.unique_id == ""
    assert door.read("Position", whole) == 5000


@pytest.mark.parametrize(("sent", "meant"), [(7, 7), (7.0, 7), ("7", 7), ("-3", -3), (-3900, -3900)])
def test_whole_numbers_in_all_their_forms(server: FakeServer, door: Door, sent: object, meant: int) -> None:
    server.focuser.members["position"] = sent
    assert door.read("Position", whole) == meant


@pytest.mark.parametrize("sent", [None, "", "north", True, [1], {"a": 1}, 7.5, float("nan"), float("inf")])
def test_what_is_no_position_is_refused(server: FakeServer, door: Door, sent: object) -> None:
    server.focuser.members["position"] = sent
    with pytest.raises(DeviceRefused, match=r"focuser 0 at .* Position"):
        door.read("Position", whole)


def test_truth_and_numbers(server: FakeServer, door: Door) -> None:
    server.focuser.members |= {"ismoving": "False", "temperature": "nan", "stepsize": "1.5", "absolute": 1}
    assert door.read("IsMoving", truth) is False
    assert door.optional("Temperature", number) is None
    assert door.optional("StepSize", number) == 1.5
    with pytest.raises(DeviceRefused):
        door.read("Absolute", truth)


@pytest.mark.parametrize("error", [AscomError(0x400), AscomError(-2147220480), AscomError(0x402), AscomError(0x500)])
def test_what_a_device_does_not_offer_is_none(server: FakeServer, door: Door, error: AscomError) -> None:
    server.focuser.members["stepsize"] = raising(error)
    assert door.optional("StepSize", number) is None


def test_a_lost_device_is_not_taken_for_a_missing_member(server: FakeServer, door: Door) -> None:
    server.fault("stepsize", "500", times=99)
    with pytest.raises(DeviceUnreachable):
        door.optional("StepSize", number)
