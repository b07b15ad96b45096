"""Motions over Alpaca: begun once, waited for, and believed only where they can have ended."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from autofocus.devices.clock import RealClock
from autofocus.errors import Aborted, DeviceError, DeviceRefused, DeviceTimeout, PositionNotReached
from tests.devices.conftest import OpenFocuser
from tests.devices.fake_alpaca import FakeServer
from tests.devices.fake_devices import AscomError


def test_a_motion_that_begins_late(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.late_s = 0.1
    focuser = open_focuser(position_tolerance_steps=0)
    assert focuser.move(5100) == 5100
    assert not server.focuser.is_moving()


def test_a_position_refreshed_late(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.stale_s = 0.25
    focuser = open_focuser()
    assert focuser.move(5100) == 5100
    assert focuser.move(5099) == 5099


def test_a_stuck_focuser(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    server.focuser.stuck = True
    with pytest.raises(PositionNotReached, match="did not move from 5000 when sent to 5100"):
        focuser.move(5100)
    assert focuser.position() == 5000


def test_a_focuser_that_stops_short(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.short = 2
    assert open_focuser(position_tolerance_steps=2).move(5100) == 5098
    server.focuser.short = 40
    with pytest.raises(PositionNotReached, match=r"stopped at 50\d\d .*focuser.position_tolerance_steps"):
        open_focuser(position_tolerance_steps=1).move(5098 - 60)


def test_a_move_lost_by_the_driver_is_commanded_once_more(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    server.fault("move", '{"ErrorNumber":0,"ErrorMessage":""}')
    assert focuser.move(5100) == 5100
    assert server.focuser.moves == [5100]


def test_still_moving_at_the_deadline_is_a_failure_even_at_the_target(
    server: FakeServer, open_focuser: OpenFocuser
) -> None:
    focuser = open_focuser()
    server.focuser.always_moving = True
    halts = server.count("halt")
    with pytest.raises(DeviceTimeout, match="move_timeout_s"):
        focuser.move(5050)
    assert server.focuser.where() == 5050
    assert server.count("halt") == halts + 1


def test_a_slow_move_is_waited_for(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.speed = 100
    assert open_focuser().move(5100) == 5100


def test_moving_before_any_order(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.always_moving = True
    with pytest.raises(DeviceTimeout, match="before any order"):
        open_focuser()


def test_a_stop_ends_the_waiting_and_halt_the_motion(
    server: FakeServer, clock: RealClock, open_focuser: OpenFocuser
) -> None:
    focuser = open_focuser()
    server.focuser.speed = 200
    threading.Timer(0.2, clock.stop).start()
    with pytest.raises(Aborted):
        focuser.move(5300)
    with clock.shielded():
        focuser.halt()
        where = focuser.position()
        assert 5010 < where < 5150
        server.focuser.speed = 4000
        assert focuser.move(5000) == 5000


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("what", ["reset", "500", "html", "truncate"])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_move_without_an_answer_happens_once(
    server: FakeServer, open_focuser: OpenFocuser, what: str, executed: bool, absolute: bool
) -> None:
    server.focuser.absolute = absolute
    server.focuser.speed = 400
    focuser = open_focuser()
    start = focuser.position()
    focuser.move(start + 100)  # teaches the pace, by which a relative focuser's IsMoving can be judged
    server.fault("move", what, executed=executed)
    assert focuser.move(start + 200) == start + 200
    assert server.focuser.where() == 5200
    assert len(server.focuser.moves) == 2


def test_an_absolute_move_answered_too_late(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    server.fault("move", "slow", slow_s=0.6, executed=True)
    assert focuser.move(5100) == 5100
    assert server.focuser.moves == [5100]


def test_a_synchronous_move_outlasting_the_request(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.speed = 100
    focuser = open_focuser()
    server.fault("move", "slow", slow_s=0.9, executed=True)
    assert focuser.move(5090) == 5090
    assert server.focuser.moves == [5090]


def test_a_relative_move_of_unknown_fate_is_never_repeated(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.absolute = False
    focuser = open_focuser()
    server.fault("move", "reset", executed=False)
    with pytest.raises(DeviceError, match="unknown position"):
        focuser.move(100)
    assert server.count("move") == 1
    with pytest.raises(DeviceError, match="it may have moved or not"):
        focuser.position()
    with pytest.raises(DeviceError):
        focuser.move(0)
    assert server.count("move") == 1


def test_one_request_in_twenty_failing_does_not_matter(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    original, seen = server.take_fault, iter(range(10**9))

    def take_fault(operation: str) -> Any:
        if next(seen) % 20 == 19:
            server.fault(operation, "reset")
        return original(operation)

    server.take_fault = take_fault  # type: ignore[method-assign]
    for target in (5100, 5080, 5060, 5040, 5020, 5000) * 3:
        assert focuser.move(target) == target


def test_a_restart_that_keeps_the_count_is_survived(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    server.stop()
    server.focuser.members["tempcomp"] = True
    threading.Timer(0.3, server.start).start()
    assert focuser.move(5100) == 5100
    assert server.focuser.members["tempcomp"] is False


def test_after_a_restart_with_another_count_nothing_moves(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    server.stop()
    server.focuser.origin = server.focuser.target = 0
    server.start()
    server.fault("position", "500", times=5)
    with pytest.raises(PositionNotReached, match="reports 0 since"):
        focuser.position()
    with pytest.raises(PositionNotReached):
        focuser.move(5000)
    assert server.focuser.moves == []


def test_a_controller_that_counts_anew_by_itself_is_not_moved_by_that_count(
    server: FakeServer, open_focuser: OpenFocuser
) -> None:
    focuser = open_focuser()
    focuser.move(5400)
    server.focuser.origin = server.focuser.target = 0
    for use in (focuser.position, lambda: focuser.move(5300)):
        with pytest.raises(PositionNotReached, match=r"stood at 5400, and .* later it reports 0; its count may have"):
            use()
    assert server.focuser.moves == [5400]


@pytest.mark.parametrize("target", [5200, 5500])
def test_a_count_lost_in_a_motion_is_noticed_however_fast_the_motor(
    server: FakeServer, open_focuser: OpenFocuser, target: int
) -> None:
    server.focuser.speed = 8000  # could have gone to 0 in the time that reading back takes
    server.focuser.resets_after = 2
    focuser = open_focuser()
    focuser.move(5400)
    with pytest.raises(PositionNotReached, match=r"stood at 5400, and .* later it reports 0; its count may have"):
        focuser.move(target)
    assert server.focuser.moves == [5400, target]
    with pytest.raises(PositionNotReached):
        focuser.move(5400)
    assert server.focuser.moves == [5400, target]


def test_a_focuser_seen_running_to_0_is_there_and_can_be_sent_home(
    server: FakeServer, open_focuser: OpenFocuser
) -> None:
    server.focuser.speed = 8000
    focuser = open_focuser()
    server.focuser.runs_off = True
    with pytest.raises(PositionNotReached, match="stopped at 0 when sent from 5000 to 4900"):
        focuser.move(4900)
    server.focuser.runs_off = False
    assert focuser.move(5000) == 5000 == server.focuser.where()


def test_a_motion_of_another_program_is_not_taken_for_a_lost_count(
    server: FakeServer, open_focuser: OpenFocuser
) -> None:
    focuser = open_focuser()
    focuser.move(5400)
    server.focuser.move(5430)
    time.sleep(0.1)
    assert focuser.position() == 5430
    assert focuser.move(5300) == 5300


def test_a_lost_server_ends_a_move_in_time(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    server.focuser.speed = 100
    threading.Timer(0.1, server.stop).start()
    began = time.monotonic()
    with pytest.raises(DeviceError, match="focuser 0 at"):
        focuser.move(5100)
    assert time.monotonic() - began < 10
    server.start()


def test_ascom_errors_while_moving_end_the_move(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()

    def broken() -> Any:
        raise AscomError(0x500, "motor driver fault")

    server.focuser.members["ismoving"] = broken
    with pytest.raises(DeviceRefused, match="motor driver fault"):
        focuser.move(5100)


def test_a_motion_of_another_program_ends_first(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser(position_tolerance_steps=0)
    server.focuser.speed = 400
    server.focuser.move(5080)
    assert focuser.move(5000) == 5000
    assert server.focuser.moves == [5080, 5000]


def test_a_focuser_whose_is_moving_hangs_can_yet_be_sent_home(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    focuser.move(5050)
    server.focuser.always_moving = True
    with pytest.raises(DeviceTimeout):
        focuser.move(5000)
    assert server.focuser.where() == 5000
