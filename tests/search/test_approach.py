"""The motions that take up backlash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofocus.search.approach import in_order, reachable, sign, waypoints


@pytest.mark.parametrize(
    ("current", "target", "last", "expected"),
    [
        (100, 60, "inward", (60,)),  # on with the approach: the slack is already taken up
        (100, 90, "outward", (130, 90)),  # too short a reversal to take it up
        (100, 60, "outward", (60,)),  # a reversal of 40 takes it up on the way
        (100, 90, None, (130, 90)),
        (100, 60, None, (60,)),
        (100, 140, "inward", (180, 140)),
        (100, 100, "inward", ()),
        (100, 100, "outward", (140, 100)),
        (100, 100, None, (140, 100)),
    ],
)
def test_arrives_inward(current, target, last, expected):
    assert waypoints(current, target, approach="inward", backlash_steps=40, last=last) == expected


def test_outward_is_the_mirror_image():
    assert waypoints(100, 90, approach="outward", backlash_steps=40, last="outward") == (50, 90)
    assert waypoints(100, 110, approach="outward", backlash_steps=40, last="inward") == (70, 110)


def test_without_backlash_every_move_is_direct():
    assert waypoints(100, 140, approach="inward", backlash_steps=0) == (140,)
    assert waypoints(100, 100, approach="inward", backlash_steps=0) == ()


def test_a_reversal_comes_from_the_run_up_where_that_is_longer_than_the_backlash():
    assert waypoints(100, 140, approach="inward", backlash_steps=0, run_up_steps=60, last="inward") == (200, 140)
    assert waypoints(100, 140, approach="inward", backlash_steps=80, run_up_steps=60, last="inward") == (220, 140)
    assert waypoints(100, 60, approach="inward", backlash_steps=0, run_up_steps=60, last="inward") == (60,)
    assert waypoints(100, 20, approach="inward", backlash_steps=0, run_up_steps=60) == (20,)


def test_the_run_up_gives_way_to_the_limits_and_the_backlash_does_not():
    assert waypoints(100, 180, approach="inward", backlash_steps=0, run_up_steps=60, last="inward", high=200) == (
        200,
        180,
    )
    assert waypoints(100, 200, approach="inward", backlash_steps=0, run_up_steps=60, last="inward", high=200) == (200,)
    with pytest.raises(ValueError, match="overshoot to 220"):
        waypoints(100, 180, approach="inward", backlash_steps=40, run_up_steps=60, last="inward", high=200)


def test_an_overshoot_outside_the_travel_is_refused_not_skipped():
    with pytest.raises(ValueError, match="overshoot to 1020"):
        waypoints(900, 980, approach="inward", backlash_steps=40, high=1000)
    assert reachable("inward", 40, 0, 1000) == (0, 960)
    assert reachable("outward", 40, 0, 1000) == (40, 1000)
    assert reachable("outward", 40, None, None) == (None, None)


def test_order_follows_the_approach():
    assert in_order([3, 9, 1], "inward") == (9, 3, 1)
    assert in_order([3, 9, 1], "outward") == (1, 3, 9)


@given(
    targets=st.lists(st.integers(0, 1000), min_size=1, max_size=12),
    backlash=st.integers(0, 60),
    approach=st.sampled_from(["inward", "outward"]),
)
def test_a_focuser_with_slack_always_ends_pressed_against_the_same_side(targets, backlash, approach):
    """A carriage that lags by the backlash: at every target it must stand at the approach end of its play."""
    motor, carriage = 500, 500.0 + backlash / 2
    last = None
    for target in targets:
        for stop in waypoints(motor, target, approach=approach, backlash_steps=backlash, last=last):
            last = "inward" if stop < motor else "outward"
            motor = stop
            carriage = min(max(carriage, motor - backlash / 2), motor + backlash / 2)
        if last is not None or backlash == 0:
            assert carriage == motor - sign(approach) * backlash / 2
            last = approach
