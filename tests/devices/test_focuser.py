from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from autofocus.devices.clock import RealClock
from autofocus.devices.focuser import AlpacaFocuser
from autofocus.errors import Aborted, DeviceError, DeviceRefused, DeviceTimeout, PositionNotReached
from autofocus.settings import FocuserSettings
from tests.devices.fake_alpaca import QUICK, AscomError, FakeServer, not_implemented

Make = Callable[..., AlpacaFocuser]


@pytest.fixture
def opened(server: FakeServer, clock: RealClock) -> Make:
    def make(**settings: Any) -> AlpacaFocuser:
        focuser = AlpacaFocuser(FocuserSettings(address=server.address, move_timeout_s=1.5, **settings), clock, QUICK)
        focuser.open()
        return focuser

    return make


def test_it_says_what_it_is(opened: Make) -> None:
    facts = opened().facts
    assert (facts.name, facts.unique_id) == ("Fake focuser", "foc-1")
    assert (facts.absolute, facts.low, facts.high, facts.max_increment) == (True, 0, 10000, 10000)
    assert (facts.microns_per_step, facts.can_halt, facts.has_temperature) == (1.5, True, True)


@pytest.mark.parametrize("target", [5100, 4900, 5001, 0, 10000])
def test_it_goes_where_it_is_sent(server: FakeServer, opened: Make, target: int) -> None:
    server.focuser.speed = 8000
    focuser = opened(position_tolerance_steps=0)
    assert focuser.move(target) == target == focuser.position() == server.focuser.where()
    assert server.focuser.moves == [target]
    assert not server.focuser.is_moving()


def test_where_it_stands_it_is_not_sent(server: FakeServer, opened: Make) -> None:
    assert opened().move(5000) == 5000
    assert server.focuser.moves == []


def test_long_moves_are_split_in_one_direction(server: FakeServer, opened: Make) -> None:
    server.focuser.members["maxincrement"] = 100
    assert opened(position_tolerance_steps=0).move(4750) == 4750
    assert server.focuser.moves == [4900, 4800, 4750]


# -- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "here", "low", "high"),
    [
        ({}, 5000, 0, 10000),
        ({"min_position": 100, "max_position": 20000}, 5000, 100, 10000),
        ({"max_position": 6000}, 5000, 0, 6000),
        ({}, -3900, None, None),
        ({"min_position": -5000, "max_position": -100}, -3900, -5000, -100),
        ({"min_position": -50}, 10, -50, 10000),
        ({}, 12000, None, None),
    ],
)
def test_travel_limits(
    server: FakeServer, opened: Make, settings: dict[str, int], here: int, low: int | None, high: int | None
) -> None:
    server.focuser.origin = server.focuser.target = here
    facts = opened(**settings).facts
    assert (facts.low, facts.high) == (low, high)


def test_nothing_is_sent_beyond_the_limits(server: FakeServer, opened: Make) -> None:
    focuser = opened(min_position=4000, max_position=6000)
    for target, key in ((3999, "min_position"), (6001, "max_position")):
        with pytest.raises(DeviceError, match=f"focuser.{key}"):
            focuser.move(target)
    assert server.focuser.moves == []


def test_a_driver_that_clamps_is_noticed(server: FakeServer, opened: Make) -> None:
    server.focuser.limits = (0, 5200)
    with pytest.raises(PositionNotReached, match="stopped at 5200 when sent from 5000 to 5300"):
        opened().move(5300)


def test_a_driver_that_refuses_is_quoted(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    server.fault("move", '{"ErrorNumber":1025,"ErrorMessage":"beyond MaxStep"}')
    with pytest.raises(DeviceRefused, match="beyond MaxStep"):
        focuser.move(6000)
    assert focuser.position() == 5000


def test_negative_scales_work(server: FakeServer, opened: Make) -> None:
    server.focuser.limits = (-9000, 0)
    server.focuser.origin = server.focuser.target = -3900
    assert opened().move(-4000) == -4000


# -- motion --------------------------------------------------------------------------------------------------------


def test_a_motion_that_begins_late(server: FakeServer, opened: Make) -> None:
    server.focuser.late_s = 0.1
    focuser = opened(position_tolerance_steps=0)
    assert focuser.move(5100) == 5100
    assert not server.focuser.is_moving()


def test_a_position_refreshed_late(server: FakeServer, opened: Make) -> None:
    server.focuser.stale_s = 0.25
    focuser = opened()
    assert focuser.move(5100) == 5100
    assert focuser.move(5099) == 5099


def test_a_stuck_focuser(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    server.focuser.stuck = True
    with pytest.raises(PositionNotReached, match="did not move from 5000 when sent to 5100"):
        focuser.move(5100)
    assert focuser.position() == 5000


def test_a_focuser_that_stops_short(server: FakeServer, opened: Make) -> None:
    server.focuser.short = 2
    assert opened(position_tolerance_steps=2).move(5100) == 5098
    server.focuser.short = 40
    with pytest.raises(PositionNotReached, match=r"stopped at 50\d\d .*focuser.position_tolerance_steps"):
        opened(position_tolerance_steps=1).move(5098 - 60)


def test_a_move_lost_by_the_driver_is_commanded_once_more(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    server.fault("move", '{"ErrorNumber":0,"ErrorMessage":""}')
    assert focuser.move(5100) == 5100
    assert server.focuser.moves == [5100]


def test_still_moving_at_the_deadline_is_a_failure_even_at_the_target(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    server.focuser.always_moving = True
    halts = server.count("halt")
    with pytest.raises(DeviceTimeout, match="move_timeout_s"):
        focuser.move(5050)
    assert server.focuser.where() == 5050
    assert server.count("halt") == halts + 1


def test_a_slow_move_is_waited_for(server: FakeServer, opened: Make) -> None:
    server.focuser.speed = 100
    assert opened().move(5100) == 5100


def test_moving_before_any_order(server: FakeServer, opened: Make) -> None:
    server.focuser.always_moving = True
    with pytest.raises(DeviceTimeout, match="before any order"):
        opened()


def test_a_stop_ends_the_waiting_and_halt_the_motion(server: FakeServer, clock: RealClock, opened: Make) -> None:
    focuser = opened()
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


# -- requests that fail --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("what", ["reset", "500", "html", "truncate"])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_move_without_an_answer_happens_once(
    server: FakeServer, opened: Make, what: str, executed: bool, absolute: bool
) -> None:
    server.focuser.absolute = absolute
    server.focuser.speed = 400
    focuser = opened()
    start = focuser.position()
    focuser.move(start + 100)  # teaches the pace, by which a relative focuser's IsMoving can be judged
    server.fault("move", what, executed=executed)
    assert focuser.move(start + 200) == start + 200
    assert server.focuser.where() == 5200
    assert len(server.focuser.moves) == 2


def test_an_absolute_move_answered_too_late(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    server.fault("move", "slow", slow_s=0.6, executed=True)
    assert focuser.move(5100) == 5100
    assert server.focuser.moves == [5100]


def test_a_synchronous_move_outlasting_the_request(server: FakeServer, opened: Make) -> None:
    server.focuser.speed = 100
    focuser = opened()
    server.fault("move", "slow", slow_s=0.9, executed=True)
    assert focuser.move(5090) == 5090
    assert server.focuser.moves == [5090]


def test_a_relative_move_of_unknown_fate_is_never_repeated(server: FakeServer, opened: Make) -> None:
    server.focuser.absolute = False
    focuser = opened()
    server.fault("move", "reset", executed=False)
    with pytest.raises(DeviceError, match="unknown position"):
        focuser.move(100)
    assert server.count("move") == 1
    with pytest.raises(DeviceError, match="it may have moved or not"):
        focuser.position()
    with pytest.raises(DeviceError):
        focuser.move(0)
    assert server.count("move") == 1


def test_one_request_in_twenty_failing_does_not_matter(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    original, seen = server.take_fault, iter(range(10**9))

    def take_fault(operation: str) -> Any:
        if next(seen) % 20 == 19:
            server.fault(operation, "reset")
        return original(operation)

    server.take_fault = take_fault  # type: ignore[method-assign]
    for target in (5100, 5080, 5060, 5040, 5020, 5000) * 3:
        assert focuser.move(target) == target


# -- relative ------------------------------------------------------------------------------------------------------


def test_a_relative_focuser_counts_from_where_it_began(server: FakeServer, opened: Make) -> None:
    server.focuser.absolute = False
    server.focuser.members["maxincrement"] = 60
    focuser = opened()
    assert focuser.position() == 0
    assert (focuser.facts.absolute, focuser.facts.low, focuser.facts.high) == (False, None, None)
    assert focuser.move(-100) == -100
    assert focuser.move(20) == 20
    assert server.focuser.moves == [-60, -40, 60, 60]
    assert server.focuser.where() == 5020


def test_a_stopped_relative_focuser_ends_its_motion_to_keep_its_count(
    server: FakeServer, clock: RealClock, opened: Make
) -> None:
    server.focuser.absolute = False
    server.focuser.speed = 400
    focuser = opened()
    threading.Timer(0.1, clock.stop).start()
    with pytest.raises(Aborted):
        focuser.move(200)
    assert focuser.position() == 200 == server.focuser.where() - 5000
    with clock.shielded():
        assert focuser.move(0) == 0
    assert server.focuser.where() == 5000


# -- temperature, compensation, halt -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "meant"), [(12.5, 12.5), (-20, -20.0), (float("nan"), None), (-127, None), (-273.15, None), (None, None)]
)
def test_temperature(server: FakeServer, opened: Make, sent: float | None, meant: float | None) -> None:
    server.focuser.members["temperature"] = sent
    focuser = opened()
    assert focuser.temperature() == meant
    assert focuser.facts.has_temperature is (meant is not None)


def test_no_thermometer_step_size_or_halt(server: FakeServer, opened: Make) -> None:
    for member in ("temperature", "stepsize", "tempcompavailable", "tempcomp"):
        server.focuser.members[member] = not_implemented
    server.focuser.halt = not_implemented  # type: ignore[method-assign]
    focuser = opened()
    assert focuser.temperature() is None
    assert focuser.facts.microns_per_step is None
    assert focuser.facts.can_halt is False
    focuser.halt()
    focuser.close()


def test_the_settings_step_size_wins(opened: Make) -> None:
    assert opened(microns_per_step=4.0).facts.microns_per_step == 4.0


@pytest.mark.parametrize("on", [True, False])
def test_compensation_is_off_during_a_run_and_as_before_afterwards(server: FakeServer, opened: Make, on: bool) -> None:
    server.focuser.members["tempcomp"] = on
    focuser = opened()
    assert server.focuser.members["tempcomp"] is False
    assert focuser.found_compensated is on
    focuser.close()
    assert server.focuser.members["tempcomp"] is on
    assert not server.connected["focuser"]


def test_closing_tells_what_could_not_be_restored(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    server.fault("tempcomp", '{"ErrorNumber":1281,"ErrorMessage":"no"}', times=99)
    with pytest.raises(DeviceRefused, match="tempcomp"):
        focuser.close()
    assert not server.connected["focuser"]


# -- a server that restarts ----------------------------------------------------------------------------------------


def test_a_restart_that_keeps_the_count_is_survived(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    server.stop()
    server.focuser.members["tempcomp"] = True
    threading.Timer(0.3, server.start).start()
    assert focuser.move(5100) == 5100
    assert server.focuser.members["tempcomp"] is False


def test_after_a_restart_with_another_count_nothing_moves(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    server.stop()
    server.focuser.origin = server.focuser.target = 0
    server.start()
    server.fault("position", "500", times=5)
    with pytest.raises(PositionNotReached, match="reports 0 since"):
        focuser.position()
    with pytest.raises(PositionNotReached):
        focuser.move(5000)
    assert server.focuser.moves == []


def test_a_controller_that_counts_anew_by_itself_is_not_moved_by_that_count(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    focuser.move(5400)
    server.focuser.origin = server.focuser.target = 0
    for use in (focuser.position, lambda: focuser.move(5300)):
        with pytest.raises(PositionNotReached, match=r"stood at 5400, and .* later it reports 0; its count may have"):
            use()
    assert server.focuser.moves == [5400]


@pytest.mark.parametrize("target", [5200, 5500])
def test_a_count_lost_in_a_motion_is_noticed_however_fast_the_motor(
    server: FakeServer, opened: Make, target: int
) -> None:
    server.focuser.speed = 8000  # could have gone to 0 in the time that reading back takes
    server.focuser.resets_after = 2
    focuser = opened()
    focuser.move(5400)
    with pytest.raises(PositionNotReached, match=r"stood at 5400, and .* later it reports 0; its count may have"):
        focuser.move(target)
    assert server.focuser.moves == [5400, target]
    with pytest.raises(PositionNotReached):
        focuser.move(5400)
    assert server.focuser.moves == [5400, target]


def test_a_focuser_seen_running_to_0_is_there_and_can_be_sent_home(server: FakeServer, opened: Make) -> None:
    server.focuser.speed = 8000
    focuser = opened()
    server.focuser.runs_off = True
    with pytest.raises(PositionNotReached, match="stopped at 0 when sent from 5000 to 4900"):
        focuser.move(4900)
    server.focuser.runs_off = False
    assert focuser.move(5000) == 5000 == server.focuser.where()


def test_a_motion_of_another_program_is_not_taken_for_a_lost_count(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    focuser.move(5400)
    server.focuser.move(5430)
    time.sleep(0.1)
    assert focuser.position() == 5430
    assert focuser.move(5300) == 5300


def test_a_lost_server_ends_a_move_in_time(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    server.focuser.speed = 100
    threading.Timer(0.1, server.stop).start()
    began = time.monotonic()
    with pytest.raises(DeviceError, match="focuser 0 at"):
        focuser.move(5100)
    assert time.monotonic() - began < 10
    server.start()


def test_ascom_errors_while_moving_end_the_move(server: FakeServer, opened: Make) -> None:
    focuser = opened()

    def broken() -> Any:
        raise AscomError(0x500, "motor driver fault")

    server.focuser.members["ismoving"] = broken
    with pytest.raises(DeviceRefused, match="motor driver fault"):
        focuser.move(5100)


def test_a_motion_of_another_program_ends_first(server: FakeServer, opened: Make) -> None:
    focuser = opened(position_tolerance_steps=0)
    server.focuser.speed = 400
    server.focuser.move(5080)
    assert focuser.move(5000) == 5000
    assert server.focuser.moves == [5080, 5000]


def test_a_focuser_whose_is_moving_hangs_can_yet_be_sent_home(server: FakeServer, opened: Make) -> None:
    focuser = opened()
    focuser.move(5050)
    server.focuser.always_moving = True
    with pytest.raises(DeviceTimeout):
        focuser.move(5000)
    assert server.focuser.where() == 5000


def test_halt_comes_to_rest(server: FakeServer, clock: RealClock, opened: Make) -> None:
    focuser = opened()
    server.focuser.speed = 100
    server.focuser.move(5500)
    focuser.halt()
    assert not server.focuser.is_moving()
    assert focuser.position() < 5200


def test_closing_a_focuser_that_never_opened_sends_nothing(server: FakeServer, clock: RealClock) -> None:
    AlpacaFocuser(FocuserSettings(address=server.address), clock, QUICK).close()
    assert server.log == []
