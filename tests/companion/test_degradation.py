"""Refocus now: alarms that are true, and silence while all is well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autofocus.companion.degradation import Change, Steadiness
from autofocus.companion.watch import Setup
from autofocus.model import Flag, Measurement

STAR = Setup("HD097633", 600.0, 100.0)


def frame(fwhm: float, nsig: float, position: float | None = 9380.0, **more: object) -> Measurement:
    return replace(Measurement("a.fits", position, fwhm, 0.01 * fwhm, nsig=nsig, nsig_err=0.01 * nsig), **more)


def feed(steadiness: Steadiness, frames: list[Measurement], setup: Setup = STAR) -> list[Change]:
    return [change for one in frames if (change := steadiness.feed(one, setup)) is not None]


def steady(count: int = 8, **more: object) -> list[Measurement]:
    return [frame(5.0 + 0.1 * (-1) ** number, 400.0 - 8 * (-1) ** number, **more) for number in range(count)]


def test_a_wider_spectrum_is_said_once_with_numbers_and_temperature() -> None:
    steadiness = Steadiness()
    assert feed(steadiness, steady(temperature_c=8.0)) == []
    said = feed(steadiness, [frame(7.0, 330.0, temperature_c=5.9)] * 6)
    assert [change.kind for change in said] == ["degraded"]
    assert said[0].message == (
        "refocus now: FWHM 5.00 -> 7.00, +40 % (±3 % from frame to frame),"
        " NSIG 399.9 -> 330.0, -17 % (±3 % from frame to frame); it is 2.1 degrees colder than at the start"
    )
    assert [change.kind for change in feed(steadiness, steady(3))] == ["recovered"]


def test_light_alone_that_fades_is_a_cloud() -> None:
    steadiness = Steadiness()
    feed(steadiness, steady())
    said = feed(steadiness, [frame(5.0, 200.0)] * 4)
    assert [change.kind for change in said] == ["faded"]
    assert "rather clouds or guiding than focus" in said[0].message


def test_light_that_fades_while_the_width_moves_is_focus_also_where_it_becomes_narrower() -> None:
    steadiness = Steadiness()
    feed(steadiness, steady())
    assert [change.kind for change in feed(steadiness, [frame(4.3, 200.0)] * 3)] == ["degraded"]


def test_one_bad_frame_is_no_alarm() -> None:
    steadiness = Steadiness()
    feed(steadiness, steady())
    assert feed(steadiness, [frame(5.0, 400.0), frame(5.8, 330.0), frame(5.0, 400.0), frame(5.0, 400.0)]) == []


@pytest.mark.parametrize("scatter", [0.02, 0.06, 0.12])
def test_a_night_in_focus_seldom_alarms_whatever_its_seeing(scatter: float) -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(60):
        factors = np.exp(scatter * rng.standard_normal((40, 2)))
        frames = [frame(5.0 * width, 400.0 * light) for width, light in factors]
        alarms += any(change.kind == "degraded" for change in feed(Steadiness(), frames))
    assert alarms <= 3  # 60 nights of 30 looks at a chance of 1e-4 for each side: 0.4 expected


def test_each_star_exposure_and_position_has_its_own_beginning() -> None:
    steadiness = Steadiness()
    feed(steadiness, steady())
    other = Setup("Vega", 5.0, 100.0)
    for _ in range(6):
        assert feed(steadiness, [frame(9.0, 90.0)], other) == []
        assert feed(steadiness, steady(1)) == []
    assert feed(steadiness, [frame(9.0, 90.0, position=position) for position in range(9301, 9400, 10)]) == []
    assert [change.kind for change in feed(steadiness, [frame(7.0, 330.0)] * 3)] == ["degraded"]


def test_frames_that_tell_nothing_are_passed_over_and_refocusing_begins_anew() -> None:
    steadiness = Steadiness()
    feed(steadiness, steady())
    lamps = [frame(1.0, 9e9, flags=(Flag.NO_TRACE,)), frame(float("nan"), 3.0)] * 5
    assert feed(steadiness, lamps) == []
    steadiness.forget()
    assert feed(steadiness, [frame(7.0, 330.0)] * 8) == []
