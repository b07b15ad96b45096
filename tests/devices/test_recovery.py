"""A server that is lost: waited for, found again, given up in time, and told of once."""

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
from autofocus.devices.values import whole
from autofocus.errors import DeviceError, DeviceRefused, DeviceUnreachable
from tests.devices.fake_alpaca import QUICK, FakeServer


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
