"""The plan of a sweep."""

from hypothesis import given
from hypothesis import strategies as st

from autofocus.search.sweep import beyond, symmetric_sweep

OPEN = (None, None)


def test_symmetric_and_in_the_approach_direction():
    plan = symmetric_sweep(9370, 15, 2, room=OPEN, approach="inward")
    assert plan.positions == (9400, 9385, 9370, 9355, 9340)
    assert (plan.shift_steps, plan.fits) == (0, True)
    assert symmetric_sweep(9370, 15, 2, room=OPEN, approach="outward").positions == (9340, 9355, 9370, 9385, 9400)


def test_frames_already_taken_are_not_taken_again():
    plan = symmetric_sweep(9370, 15, 2, room=OPEN, approach="inward", taken=(9371.0, 9340.0, 9391.0))
    assert plan.positions == (9400, 9355)  # 9391 is 6 steps from 9385: less than half of the spacing


def test_a_frame_a_little_beyond_the_end_brackets_as_well():
    plan = symmetric_sweep(9370, 15, 2, room=OPEN, approach="inward", taken=(9412.0, 9324.0))
    assert plan.positions == (9385, 9370, 9355, 9340)  # 9412 is 12 from 9400, 9324 is 16 from 9340


def test_near_a_limit_the_whole_sweep_is_shifted():
    plan = symmetric_sweep(985, 15, 2, room=(0, 960), approach="inward")
    assert plan.positions == (960, 945, 930, 915, 900)
    assert plan.shift_steps == -55
    assert plan.fits


def test_a_travel_shorter_than_the_sweep_is_filled_and_said():
    plan = symmetric_sweep(20, 15, 2, room=(0, 40), approach="outward")
    assert plan.positions == (5, 20, 35)
    assert not plan.fits


def test_beyond_carries_a_sweep_on_to_its_half_span_and_at_least_by_one():
    assert beyond([9340, 9400], 9400, 60, 30, "outward", OPEN) == (9430, 9460)
    assert beyond([9340, 9470], 9400, 60, 30, "outward", OPEN) == (9500,)
    assert beyond([9340, 9400], 9330, 60, 30, "inward", OPEN) == (9310, 9280)


def test_beyond_ends_where_the_room_ends():
    assert beyond([9340, 9400], 9400, 60, 30, "outward", (None, 9445)) == (9430, 9445)
    assert beyond([9340, 9400], 9400, 60, 30, "outward", (None, 9405)) == ()


@given(center=st.integers(-50, 1050), spacing=st.floats(1, 80), side=st.integers(1, 6), backlash=st.integers(0, 100))
def test_never_outside_the_room_and_always_monotone(center, spacing, side, backlash):
    plan = symmetric_sweep(center, spacing, side, room=(0, 1000 - backlash), approach="inward")
    assert all(0 <= x <= 1000 - backlash for x in plan.positions)
    assert list(plan.positions) == sorted(plan.positions, reverse=True)
    assert plan.fits == (len(plan.positions) == 2 * side + 1)
