"""What an exposure costs."""

import dataclasses

import pytest

from autofocus.curve.design import next_positions
from autofocus.model import Measurement, Sample, Sweep
from autofocus.search.cost import cost_of
from autofocus.search.log import ObservingLog


def log_of(make_task, positions, seconds_per_step, still=15.0):
    log = ObservingLog(make_task(9400, approach="inward"))
    log.run_up_steps = 60
    here = 9400
    for position in positions:
        steps = abs(position - here) if position < here else abs(position - here) + 2 * 60  # from the run-up
        cost = still + seconds_per_step * steps
        log.measurements.append(Measurement(position=float(position), cost_s=cost))
        log.run_ups.append(60)
        here = position
    return log


def test_far_is_dearer_by_what_the_motor_takes(make_task):
    seconds = cost_of(log_of(make_task, (9340, 9460, 9430, 9370, 9340), 0.1))
    assert seconds(9300) == pytest.approx(15.0 + 0.1 * 40)
    assert seconds(9400) == pytest.approx(15.0 + 0.1 * (60 + 2 * 60))  # back, and up to the run-up and down again


def test_a_fast_motor_and_few_frames_make_all_places_alike(make_task):
    seconds = cost_of(log_of(make_task, (9340, 9460, 9430, 9370, 9340), 0.0))
    assert seconds(9300) == pytest.approx(seconds(9500)) == pytest.approx(15.0)
    assert cost_of(log_of(make_task, (9340, 9460), 0.1))(9300) == cost_of(log_of(make_task, (9340, 9460), 0.1))(9500)
    assert cost_of(ObservingLog(make_task(9400)))(9500) == 10.0  # the exposure, before anything is known


def test_where_going_far_is_dear_the_next_frame_is_nearer(make_sky, make_task):
    frames = make_sky(seed=3).observe(Sweep(tuple(Sample(x, "sweep", 10.0) for x in range(9440, 9279, -20))))
    frames = [dataclasses.replace(m, cost_s=0.0) for m in frames]
    candidates = list(range(9260, 9481, 10))
    alike = next_positions(frames, candidates, objective="snr").positions[0]
    dear = next_positions(
        frames, candidates, objective="snr", cost_s=lambda x: 1.0 if abs(x - alike) > 40 else 50.0
    ).positions[0]
    assert abs(dear - alike) > 40
