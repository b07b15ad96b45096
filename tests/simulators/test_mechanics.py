import math

import pytest

from simulators.mechanics import FocuserMechanics, ImageShift


def mechanics(**changes):
    return FocuserMechanics(**({"position": 1000, "low": 0, "high": 2000, "steps_per_s": 100.0} | changes))


def test_a_move_takes_its_time():
    focuser = mechanics()
    focuser.move(1200, now=10.0)
    assert focuser.is_moving(10.0)
    assert focuser.position(11.0) == 1100
    assert focuser.is_moving(11.999)
    assert not focuser.is_moving(12.0)
    assert focuser.position(50.0) == 1200
    assert focuser.position(9.0) == 1000  # the past is kept


def test_limits_stop_it():
    focuser = mechanics()
    focuser.move(-500, now=0.0)
    assert focuser.arrival() == pytest.approx(10.0)
    assert focuser.position(20.0) == 0
    focuser.move(9000, now=20.0)
    assert focuser.position(100.0) == 2000


def test_halt_stops_at_once():
    focuser = mechanics()
    focuser.move(1200, now=0.0)
    focuser.halt(now=0.5049)
    assert focuser.position(10.0) == 1050
    assert focuser.tube(10.0) == pytest.approx(1050.49)
    assert not focuser.is_moving(0.5049)
    focuser.halt(now=20.0)
    assert focuser.position(30.0) == 1050


def test_a_new_target_replaces_the_old_one_on_the_way():
    focuser = mechanics()
    focuser.move(1200, now=0.0)
    focuser.move(900, now=1.0)
    assert focuser.arrival() == pytest.approx(3.0)
    assert focuser.position(9.0) == 900


def test_backlash_is_taken_up_before_the_tube_follows():
    focuser = mechanics(backlash_steps=40)
    focuser.move(1100, now=0.0)
    assert focuser.tube(0.39) == 1000.0
    assert focuser.tube(0.5) == pytest.approx(1010.0)
    assert focuser.tube(5.0) == 1060.0  # outward: it lags by the play
    focuser.move(1080, now=5.0)
    assert focuser.tube(9.0) == 1060.0  # a short way back moves nothing
    focuser.move(1030, now=9.0)
    assert focuser.tube(9.1) == 1060.0
    assert focuser.tube(20.0) == 1030.0  # inward: where the motor says
    focuser.move(1040, now=20.0)
    assert focuser.tube(30.0) == 1030.0


def test_overshooting_and_coming_back_inward_repeats_the_tube_exactly():
    focuser = mechanics(backlash_steps=40)
    now = 0.0
    for start in (900, 1300, 1010):
        for target in (start, 1100, 1050):
            focuser.move(target, now)
            now += 10.0
        assert focuser.tube(now) == 1050.0


def test_path_between_times_has_the_breaks_in_it():
    focuser = mechanics(backlash_steps=40)
    focuser.move(1100, now=1.0)
    assert focuser.break_points(1.7) == [(0.0, 1000.0), (1.0, 1000.0), (1.4, 1000.0), pytest.approx((1.7, 1030.0))]


def test_a_guider_brings_the_star_back():
    focuser = mechanics(steps_per_s=1e6)  # the motion is over at once: a pure exponential follows
    shift = ImageShift(focuser.break_points, px_per_step=0.02, angle_rad=math.pi / 3, guider_s=3.0)
    focuser.move(1100, now=0.0)
    across, along = shift.at(1e-4)
    assert (across, along) == pytest.approx((2.0 * 0.5, 2.0 * math.sqrt(0.75)), rel=1e-3)
    assert shift.at(3.0)[0] == pytest.approx(1.0 / math.e, rel=1e-3)
    assert shift.at(60.0)[0] == pytest.approx(0.0, abs=1e-6)


def test_without_a_guider_the_star_stays_away_until_the_tube_returns():
    focuser = mechanics()
    shift = ImageShift(focuser.break_points, px_per_step=0.02, angle_rad=0.0, guider_s=None)
    focuser.move(1100, now=0.0)
    assert shift.at(500.0)[0] == pytest.approx(2.0)
    focuser.move(1000, now=500.0)
    assert shift.at(600.0)[0] == pytest.approx(0.0, abs=1e-12)


def test_a_slow_motion_and_a_fast_guider_balance():
    focuser = mechanics(steps_per_s=10.0, high=10**6)
    shift = ImageShift(focuser.break_points, px_per_step=0.02, angle_rad=0.0, guider_s=2.0)
    focuser.move(2000, now=0.0)
    assert shift.at(50.0)[0] == pytest.approx(0.02 * 10.0 * 2.0)  # velocity times the guider's time
