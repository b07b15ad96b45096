from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from autofocus.devices.alpaca import Door
from autofocus.devices.clock import RealClock
from autofocus.devices.lookout import Lookout
from autofocus.devices.values import number, truth, whole
from autofocus.errors import DeviceError, DeviceRefused, DeviceUnreachable
from tests.devices.fake_alpaca import QUICK, AscomError, FakeServer


@pytest.fixture
def door(server: FakeServer, clock: RealClock) -> Door:
    return Door("focuser", server.address, 0, clock, QUICK)


def raising(error: AscomError) -> Any:
    def member() -> Any:
        raise error

    return member


# -- connecting --------------------------------------------------------------------------------------------------


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


# -- values --------------------------------------------------------------------------------------------------------


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


# -- a lost server -------------------------------------------------------------------------------------------------


def test_a_restarted_server_is_found_again_under_another_number(server: FakeServer, door: Door) -> None:
    door.connect()
    returned: list[bool] = []
    door.on_return = lambda: returned.append(True)
    server.stop()
    server.connected["focuser"] = False
    server.numbers["focuser"] = 2
    threading.Timer(0.5, server.start).start()
    assert door.read("Position", whole) == 5000
    assert door.wire.number == 2
    assert server.connected["focuser"]
    assert returned == [True]
    assert "focuser 2" in door.device


def test_another_device_under_our_number_is_not_taken_for_ours(server: FakeServer, door: Door) -> None:
    door.connect()
    server.stop()
    server.ids["focuser"] = "somebody-else"
    server.start()
    server.fault("position", "500", times=99)
    with pytest.raises(DeviceUnreachable, match="without our focuser"):
        door.read("Position", whole)


def test_a_server_gone_for_good_ends_in_time(server: FakeServer, door: Door) -> None:
    door.connect()
    server.stop()
    began = time.monotonic()
    with pytest.raises(DeviceUnreachable, match="refused"):
        door.read("Position", whole)
    assert time.monotonic() - began < 1.0 + 2.0 + 1.5
    server.start()


@pytest.mark.parametrize("late", ["", "camera", "focuser"])
def test_who_waits_for_a_lost_server_says_so_once_and_when_it_is_back(
    server: FakeServer, clock: RealClock, late: str
) -> None:
    lookout, told, is_back = Lookout(), list[str](), threading.Event()

    def inform(words: str) -> None:
        told.append(words)
        is_back.set() if "answers again" in words else server.start()

    lookout.inform = inform
    patient = replace(QUICK, reconnect_s=20.0)
    doors = {kind: Door(kind, server.address, 0, clock, patient, lookout) for kind in ("camera", "focuser")}
    for door in doors.values():
        door.connect()
    if late:
        hear_late(doors[late], is_back)
    server.stop()
    threads = [threading.Thread(target=door.read, args=("Name", str)) for door in doors.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    device, time_ = rf"the \w+ 0 at {server.address}", r"\d\d:\d\d:\d\d UTC"
    assert re.fullmatch(rf"no answer from {device} since \d+ s \(connection refused\); trying until {time_}", told[0])
    assert re.fullmatch(rf"{device} answers again, after \d+ s", told[1])
    assert len(told) == 2


def hear_late(door: Door, is_back: threading.Event) -> None:
    """Let the door's first look for a lost server fail only when another device has found it."""
    look = door.wire.configured_devices

    def configured_devices(*, repeat: bool = True) -> list[dict[str, Any]]:
        try:
            return look(repeat=repeat)
        except DeviceError:
            is_back.wait(20.0)
            raise

    door.wire.configured_devices = configured_devices  # type: ignore[method-assign]


def test_a_request_that_failed_before_the_server_was_found_tells_nothing_of_it() -> None:
    lookout, told = Lookout(), list[str]()
    lookout.inform = told.append
    lookout.wait_for("there", 1.0, "the camera waits")
    lookout.found("there", 5.0, "the camera has it again")
    lookout.wait_for("there", 4.0, "the focuser asked before and was heard late")
    assert not lookout.give_up("there", 4.0, 6.0, ConnectionRefusedError())
    assert not lookout.given_up("there")
    lookout.found("there", 6.0, "the focuser has it again")
    assert told == ["the camera waits", "the camera has it again"]
    lookout.wait_for("there", 7.0, "lost anew")
    assert lookout.give_up("there", 7.0, 9.0, ConnectionRefusedError())
    assert told[2:] == ["lost anew"]


def test_a_server_waited_for_in_vain_is_only_looked_for(server: FakeServer, clock: RealClock) -> None:
    lookout = Lookout()
    camera, focuser = (Door(kind, server.address, 0, clock, QUICK, lookout) for kind in ("camera", "focuser"))
    camera.connect()
    focuser.connect()
    server.stop()
    with pytest.raises(DeviceUnreachable):
        camera.read("Name", str)
    began = time.monotonic()
    for member in ("Position", "IsMoving", "MaxStep", "Name"):
        with pytest.raises(DeviceUnreachable, match=rf"focuser 0 at \S+ did not answer {member.lower()}: .* refused"):
            focuser.read(member, str)
    with pytest.raises(DeviceUnreachable, match="halt"):
        focuser.call("Halt")
    assert time.monotonic() - began < 0.3
    server.start()
    long_ago = clock.monotonic() - 10.0
    assert lookout.give_up(server.address, long_ago, long_ago, ConnectionRefusedError("connection refused"))
    assert focuser.read("Position", whole) == 5000
    assert camera.read("Name", str) == "Fake camera"


def test_a_device_that_others_disconnected_is_connected_again(server: FakeServer, door: Door) -> None:
    door.connect()
    server.connected["focuser"] = False
    server.fault("position", '{"ErrorNumber":1031,"ErrorMessage":"not connected"}')
    assert door.read("Position", whole) == 5000
    assert server.connected["focuser"]


def test_a_command_is_not_repeated_by_the_recovery(server: FakeServer, door: Door) -> None:
    door.connect()
    server.fault("move", "reset", executed=True)
    with pytest.raises(DeviceError):
        door.call("Move", 5100)
    assert server.focuser.moves == [5100]


def test_recoveries_are_counted(server: FakeServer, clock: RealClock) -> None:
    door = Door("focuser", server.address, 0, clock, replace(QUICK, reconnects=1))
    door.connect()
    server.fault("position", '{"ErrorNumber":1031,"ErrorMessage":""}', times=1)
    assert door.read("Position", whole) == 5000
    server.fault("position", '{"ErrorNumber":1031,"ErrorMessage":""}', times=1)
    with pytest.raises(DeviceRefused):
        door.read("Position", whole)


def test_two_devices_do_not_wait_for_each_other(server: FakeServer, clock: RealClock, door: Door) -> None:
    camera = Door("camera", server.address, 0, clock, QUICK)
    server.fault("name", "slow", slow_s=0.35)
    thread = threading.Thread(target=lambda: camera.read("Name", str))
    thread.start()
    time.sleep(0.05)
    began = time.monotonic()
    door.read("Position", whole)
    assert time.monotonic() - began < 0.2
    thread.join()
