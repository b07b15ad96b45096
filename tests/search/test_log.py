"""The observing log keeps to the budgets."""

from autofocus.model import Measurement
from autofocus.search.log import ObservingLog


def ask(log, positions, phase, elapsed=20.0):
    conversation = log.ask(positions, phase, "why")
    try:
        sweep = next(conversation)
    except StopIteration:
        return ()
    begin = log.elapsed_s
    got = tuple(
        Measurement(position=s.position, fwhm_px=4.0, elapsed_s=begin + elapsed * (i + 1), cost_s=elapsed)
        for i, s in enumerate(sweep.samples)
    )
    try:
        conversation.send(got)
    except StopIteration as end:
        return tuple(m.position for m in end.value)
    raise AssertionError


def test_the_last_exposure_is_kept_for_confirming(make_task):
    log = ObservingLog(make_task(0, max_exposures=6))
    assert ask(log, [40, 30, 20, 10, 0, -10, -20], "sweep") == (40, 20, 10, 0, -20)  # spread over the sweep
    assert log.ended == "exposure_limit"
    assert ask(log, [5], "refine") == ()
    assert ask(log, [5], "confirm") == (5,)


def test_time_is_judged_by_what_samples_cost(make_task):
    log = ObservingLog(make_task(0, time_limit_s=100))
    assert ask(log, [3, 2, 1], "sweep") == (3, 2, 1)
    assert len(ask(log, [0, -1], "sweep")) == 1  # 40 s are left, of which 20 for confirming
    assert log.ended == "time_limit"
    assert ask(log, [0], "confirm") == (0,)


def test_repeats_only_where_they_help(make_task):
    log = ObservingLog(make_task(0, exposures_per_sample=2))
    assert ask(log, [5], "locate") == (5,)
    assert ask(log, [9, 7], "sweep") == (9, 9, 7, 7)
    assert ask(log, [8], "confirm") == (8,)


def test_a_new_attempt_sees_only_its_own_frames(make_task):
    log = ObservingLog(make_task(0))
    ask(log, [1, 2], "sweep")
    log.begin_attempt("it failed")
    ask(log, [3], "sweep")
    assert [m.position for m in log.frames()] == [3]
    assert log.left_out == {0: "it failed", 1: "it failed"}
