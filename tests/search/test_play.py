"""Play that nobody declared: taken up by every arrival, and found in the frames where it is more than that."""

import pytest

from autofocus.model import Measurement
from autofocus.search.approach import sign, waypoints
from autofocus.search.log import ObservingLog
from autofocus.search.plan import focus
from autofocus.search.play import lags_of, suspected


class Playing:
    """A sky seen through a focuser with play: the tube follows its motor only where the slack is taken up."""

    def __init__(self, sky, task, play):
        self.sky, self.task, self.play = sky, task, play
        self.motor, self.tube, self.last = task.start_position, float(task.start_position), None
        sky.slip = lambda _frame: self.tube - self.motor

    def run(self):
        search = focus(self.task)
        try:
            sweep = next(search)
            while True:
                sweep = search.send(tuple(self.expose(sample) for sample in sweep.samples))
        except StopIteration as end:
            return end.value

    def expose(self, sample):
        way = waypoints(
            self.motor, sample.position, approach=self.task.approach, backlash_steps=self.task.backlash_steps,
            run_up_steps=sample.run_up_steps, last=self.last,
        )  # fmt: skip
        toward = sign(self.task.approach)
        for point in way:
            self.tube = toward * min(max(toward * self.tube, toward * point), toward * point + self.play)
            self.motor = point
        self.last = self.task.approach
        self.sky.asked.append(sample)
        frame = self.sky._expose(sample)
        self.sky.asked.pop()
        return frame


@pytest.mark.parametrize(("play", "approach"), [(10, "outward"), (60, "inward")])
def test_play_that_was_not_declared_costs_nothing(make_sky, make_task, play, approach):
    tight = Playing(make_sky(seed=31), make_task(9425, approach=approach), 0).run()
    loose = Playing(make_sky(seed=31), make_task(9425, approach=approach), play)
    result = loose.run()
    assert result.outcome == "focused"
    assert result.best.position == tight.best.position  # frame by frame the same, so is all that follows
    assert loose.tube == loose.motor
    assert not result.warnings


@pytest.mark.parametrize(("play", "declared"), [(90, 0), (160, 100)])
def test_more_play_than_is_taken_up_is_never_a_false_focus(make_sky, make_task, play, declared):
    night = Playing(make_sky(seed=32), make_task(9425, objective="fwhm", backlash_steps=declared), play)
    result = night.run()
    assert result.run_up_steps >= max(60, declared)
    if result.outcome == "focused":
        assert any("focuser.backlash_steps" in warning for warning in result.warnings)
        assert abs(night.tube - night.sky.width_focus) <= 5 * result.best.uncertainty
    else:
        assert result.reason == "confirmation_failed"


@pytest.mark.parametrize(
    ("settings", "steps"),
    [({"spacing_steps": 15}, 60), ({"spacing_steps": 40}, 160), ({"spacing_steps": 40, "backlash_steps": 250}, 250),
     ({"spacing_steps": 900}, 600)],
)  # fmt: skip
def test_every_frame_is_arrived_at_from_half_a_sweep(make_sky, make_task, settings, steps):
    sweep = next(focus(make_task(9425, **settings)))
    assert {sample.run_up_steps for sample in sweep.samples} == {steps}


@pytest.fixture
def log(make_task):
    log = ObservingLog(make_task(9400, approach="inward"))
    log.run_up_steps = 60
    for position in (9400, 9460, 9440, 9380, 9420):
        log.measurements.append(Measurement(position=float(position)))
        log.run_ups.append(60)
    return log


def test_frames_lag_after_a_reversal_by_what_was_not_taken_up(log):
    assert lags_of(log, 60) == [0, 0, 0, 0, 0]
    # after a reversal 60 of 100 are taken up; going on by 20 takes up 20 more, by 60 all of it
    assert lags_of(log, 100) == [0, -40, -20, 0, -40]


def test_no_play_is_suspected_of_a_tight_focuser(make_sky, make_task):
    for seed in range(3):
        sky = make_sky(seed=seed)
        result = sky.run(focus(make_task(9425)))
        log = ObservingLog(make_task(9425))
        log.run_up_steps = result.run_up_steps
        log.measurements.extend(result.measurements)
        log.run_ups.extend([60] * len(result.measurements))
        assert suspected(log, range(len(result.measurements))) is None
