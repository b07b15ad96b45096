"""The time in which the air changes: the clock's on the sky, a faster one in a simulator that runs fast."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from autofocus.curve.skytime import sky_times
from autofocus.model import Measurement


def run(count: int, every_s: float, exposing_s: float, exposure_s: float = 10.0) -> list[Measurement]:
    return [
        Measurement(elapsed_s=every_s * (k + 1), exposing_s=exposing_s, exposure_s=exposure_s) for k in range(count)
    ]


def test_on_the_sky_it_is_the_time_of_the_session() -> None:
    assert np.array_equal(sky_times(run(3, 17.0, 10.02)), [17.0, 34.0, 51.0])


def test_a_simulator_fifty_times_as_fast_has_fifty_times_the_time() -> None:
    frames = run(4, 0.5, 0.2)
    assert np.diff(sky_times(frames)) == pytest.approx([25.0] * 3)
    # one exposure that hung on the way does not count for all
    frames[1] = dataclasses.replace(frames[1], exposing_s=4.0)
    assert np.diff(sky_times(frames)) == pytest.approx([25.0] * 3)


def test_frames_that_follow_each_other_sooner_than_they_are_long_have_no_times() -> None:
    assert np.isnan(sky_times(run(4, 0.5, float("nan")))).all()


def test_recorded_frames_have_the_times_of_their_headers() -> None:
    clock = ["2026-11-22T21:14:05", "2026-11-22T21:14:35.5", "2026-11-22T21:15:05+00:00"]
    frames = [Measurement(started_utc=when, exposure_s=20.0) for when in clock]
    assert sky_times(frames) == pytest.approx([0.0, 30.5, 60.0])
    assert np.isnan(sky_times([*frames, Measurement(started_utc=None, exposure_s=20.0)])).all()
    assert np.isnan(sky_times([*frames, Measurement(started_utc="yesterday", exposure_s=20.0)])).all()
    assert np.isnan(sky_times([*frames, Measurement(started_utc="2026-13-22T21:14:05", exposure_s=20.0)])).all()
    assert np.isnan(sky_times([*frames, Measurement(started_utc="2026-11-22T21:14:05+01:00", exposure_s=20.0)])).all()


def test_headers_that_all_say_the_same_moment_say_nothing() -> None:
    assert np.isnan(sky_times([Measurement(started_utc="2026-11-22", exposure_s=60.0)] * 4)).all()
