from __future__ import annotations

import pytest

from autofocus.model import Measurement
from autofocus.session import events
from autofocus.session.journal import read_events
from autofocus.session.state import SessionState, apply
from tests.session.fakes import BEST, Bench, going_to


def after(*told: events.Event) -> SessionState:
    state = SessionState()
    for event in told:
        state = apply(state, event)
    return state


def sample(number: int, position: int, cost_s: float = 12.0, fwhm: float = 5.0) -> events.SampleMeasured:
    measured = Measurement(f"{number}.fits", float(position), fwhm, cost_s=cost_s)
    return events.SampleMeasured(number=number, target=position, name=f"{number}", measurement=measured)


def test_a_whole_run_as_the_journal_tells_it(bench: Bench) -> None:
    ending = bench.run(going_to((9450, 9400, 9350)))
    live, journaled = after(*bench.events), after(*read_events(ending.folder))
    assert repr(live) == repr(journaled)  # not-a-number is not equal to itself
    assert (live.outcome, live.position, live.start_position, live.exposures) == ("focused", BEST, 9400, 4)
    assert [point.measurement.position for point in live.points] == [9450, 9400, 9350, 9380]
    assert live.result == ending.result
    assert live.best_point is not None
    assert live.best_point.measurement.position == BEST
    assert (live.camera, live.focuser, live.session) == ("Fake camera", "Fake focuser", ending.folder.name)
    assert live.seconds_left == 0.0
    assert live.curves is not None


def test_exposures_expected_do_not_jump_while_a_frame_is_measured() -> None:
    plan = events.SweepPlanned(phase="sweep", positions=(1, 2, 3), exposures_left=4)
    first = events.ExposureStarted(number=1, position=1, exposure_s=10.0)
    second = events.ExposureStarted(number=2, position=2, exposure_s=10.0)
    told: list[events.Event] = []
    expected = []
    for event in (plan, first, second, sample(1, 1), sample(2, 2)):
        told.append(event)
        expected.append(after(*told).exposures_expected)
    assert expected == [7] * 5


def test_time_left_is_the_mean_cost_of_what_is_left_inside_the_limit() -> None:
    started = events.SessionStarted(time_limit_s=100.0)
    plan = events.SweepPlanned(phase="sweep", positions=(1, 2, 3), exposures_left=2)
    state = after(started, plan, sample(1, 1, 10.0), sample(2, 2, 14.0))
    assert state.seconds_left == pytest.approx(3 * 12.0)
    late = apply(state, events.Warned(elapsed_s=90.0, message="late"))
    assert late.seconds_left == pytest.approx(10.0)
    assert after(started).seconds_left is None


def test_the_phase_and_the_sentence_follow_the_events() -> None:
    state = after(events.SweepPlanned(phase="refine", positions=(3,), why="where it tells most"))
    assert (state.phase, state.doing) == ("refine", "where it tells most")
    state = apply(state, events.FocuserMoving(target=9440, overshoot=True))
    assert (state.doing, state.moving) == ("Overshooting to 9440", True)
    state = apply(state, events.FocuserMoved(position=9400, target=9400))
    assert (state.moving, state.position) == (False, 9400)
    state = apply(state, events.ExposureStarted(elapsed_s=5.0, number=1, position=9400, exposure_s=10.0))
    assert (state.doing, state.exposing_until_s) == ("Exposing 10 s at 9400", 15.0)
    state = apply(state, events.FrameTaken(elapsed_s=15.2, number=1, name="0001-9400", position=9400))
    assert state.exposing_until_s is None
    state = apply(state, events.PhaseChanged(phase="returning", why="Bringing the focuser back to 9440"))
    assert state.phase == "returning"
    assert [said for _, said in state.tail] == [
        "where it tells most", "Overshooting to 9440", "Settling at 9400", "Exposing 10 s at 9400",
        "Bringing the focuser back to 9440",
    ]  # fmt: skip


def test_the_narrowest_is_best_until_there_is_a_fit() -> None:
    state = after(sample(1, 1, fwhm=7.0), sample(2, 2, fwhm=3.0), sample(3, 3, fwhm=float("nan")))
    assert state.best_point is not None
    assert state.best_point.number == 2
    assert after().best_point is None


def test_time_never_runs_back() -> None:
    assert after(events.Warned(elapsed_s=9.0, message="a"), events.Warned(elapsed_s=8.0, message="b")).elapsed_s == 9.0


def test_warnings_and_the_tail_are_kept_short() -> None:
    state = after(*(events.Warned(elapsed_s=float(n), message=f"w{n}") for n in range(30)))
    assert len(state.warnings) == 30
    assert len(state.tail) == 12
    assert state.tail[-1] == (29.0, "Warning: w29")
