from __future__ import annotations

import threading

import pytest

from autofocus.devices.clock import RealClock
from autofocus.devices.focuser import AlpacaFocuser
from autofocus.errors import Aborted, DeviceError, DeviceRefused, PositionNotReached
from autofocus.settings import FocuserSettings
from tests.devices.conftest import OpenFocuser
from tests.devices.fake_alpaca import QUICK, FakeServer
from tests.devices.fake_devices import not_implemented


def test_it_says_what_it_is(open_focuser: OpenFocuser) -> None:
    facts = open_focuser().facts
    assert (facts.name, facts.unique_id) == ("Fake focuser", "foc-1")
    assert (facts.absolute, facts.low, facts.high, facts.max_increment) == (True, 0, 10000, 10000)
    assert (facts.microns_per_step, facts.can_halt, facts.has_temperature) == (1.5, True, True)


@pytest.mark.parametrize("target", [5100, 4900, 5001, 0, 10000])
def test_it_goes_where_it_is_sent(server: FakeServer, open_focuser: OpenFocuser, target: int) -> None:
    server.focuser.speed = 8000
    focuser = open_focuser(position_tolerance_steps=0)
    assert focuser.move(target) == target == focuser.position() == server.focuser.where()
    assert server.focuser.moves == [target]
    assert not server.focuser.is_moving()


def test_where_it_stands_it_is_not_sent(server: FakeServer, open_focuser: OpenFocuser) -> None:
    assert open_focuser().move(5000) == 5000
    assert server.focuser.moves == []


def test_long_moves_are_split_in_one_direction(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.members["maxincrement"] = 100
    assert open_focuser(position_tolerance_steps=0).move(4750) == 4750
    assert server.focuser.moves == [4900, 4800, 4750]


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
    server: FakeServer,
    open_focuser: OpenFocuser,
    settings: dict[str, int],
    here: int,
    low: int | None,
    high: int | None,
) -> None:
    server.focuser.origin = server.focuser.target = here
    facts = open_focuser(**settings).facts
    assert (facts.low, facts.high) == (low, high)


def test_nothing_is_sent_beyond_the_limits(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser(min_position=4000, max_position=6000)
    for target, key in ((3999, "min_position"), (6001, "max_position")):
        with pytest.raises(DeviceError, match=f"focuser.{key}"):
            focuser.move(target)
    assert server.focuser.moves == []


def test_a_driver_that_clamps_is_noticed(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.limits = (0, 5200)
    with pytest.raises(PositionNotReached, match="stopped at 5200 when sent from 5000 to 5300"):
        open_focuser().move(5300)


def test_a_driver_that_refuses_is_quoted(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    server.fault("move", '{"ErrorNumber":1025,"ErrorMessage":"beyond MaxStep"}')
    with pytest.raises(DeviceRefused, match="beyond MaxStep"):
        focuser.move(6000)
    assert focuser.position() == 5000


def test_negative_scales_work(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.limits = (-9000, 0)
    server.focuser.origin = server.focuser.target = -3900
    assert open_focuser().move(-4000) == -4000


def test_a_relative_focuser_counts_from_where_it_began(server: FakeServer, open_focuser: OpenFocuser) -> None:
    server.focuser.absolute = False
    server.focuser.members["maxincrement"] = 60
    focuser = open_focuser()
    assert focuser.position() == 0
    assert (focuser.facts.absolute, focuser.facts.low, focuser.facts.high) == (False, None, None)
    assert focuser.move(-100) == -100
    assert focuser.move(20) == 20
    assert server.focuser.moves == [-60, -40, 60, 60]
    assert server.focuser.where() == 5020


def test_a_stopped_relative_focuser_ends_its_motion_to_keep_its_count(
    server: FakeServer, clock: RealClock, open_focuser: OpenFocuser
) -> None:
    server.focuser.absolute = False
    server.focuser.speed = 400
    focuser = open_focuser()
    threading.Timer(0.1, clock.stop).start()
    with pytest.raises(Aborted):
        focuser.move(200)
    assert focuser.position() == 200 == server.focuser.where() - 5000
    with clock.shielded():
        assert focuser.move(0) == 0
    assert server.focuser.where() == 5000


@pytest.mark.parametrize(
    ("sent", "meant"), [(12.5, 12.5), (-20, -20.0), (float("nan"), None), (-127, None), (-273.15, None), (None, None)]
)
def test_temperature(server: FakeServer, open_focuser: OpenFocuser, sent: float | None, meant: float | None) -> None:
    server.focuser.members["temperature"] = sent
    focuser = open_focuser()
    assert focuser.temperature() == meant
    assert focuser.facts.has_temperature is (meant is not None)


def test_no_thermometer_step_size_or_halt(server: FakeServer, open_focuser: OpenFocuser) -> None:
    for member in ("temperature", "stepsize", "tempcompavailable", "tempcomp"):
        server.focuser.members[member] = not_implemented
    server.focuser.halt = not_implemented  # type: ignore[method-assign]
    focuser = open_focuser()
    assert focuser.temperature() is None
    assert focuser.facts.microns_per_step is None
    assert focuser.facts.can_halt is False
    focuser.halt()
    focuser.close()


def test_the_settings_step_size_wins(open_focuser: OpenFocuser) -> None:
    assert open_focuser(microns_per_step=4.0).facts.microns_per_step == 4.0


@pytest.mark.parametrize("on", [True, False])
def test_compensation_is_off_during_a_run_and_as_before_afterwards(
    server: FakeServer, open_focuser: OpenFocuser, on: bool
) -> None:
    server.focuser.members["tempcomp"] = on
    focuser = open_focuser()
    assert server.focuser.members["tempcomp"] is False
    assert focuser.found_compensated is on
    focuser.close()
    assert server.focuser.members["tempcomp"] is on
    assert not server.connected["focuser"]


def test_closing_tells_what_could_not_be_restored(server: FakeServer, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    server.fault("tempcomp", '{"ErrorNumber":1281,"ErrorMessage":"no"}', times=99)
    with pytest.raises(DeviceRefused, match="tempcomp"):
        focuser.close()
    assert not server.connected["focuser"]


def test_halt_comes_to_rest(server: FakeServer, clock: RealClock, open_focuser: OpenFocuser) -> None:
    focuser = open_focuser()
    server.focuser.speed = 100
    server.focuser.move(5500)
    focuser.halt()
    assert not server.focuser.is_moving()
    assert focuser.position() < 5200


def test_closing_a_focuser_that_never_opened_sends_nothing(server: FakeServer, clock: RealClock) -> None:
    AlpacaFocuser(FocuserSettings(address=server.address), clock, QUICK).close()
    assert server.log == []
