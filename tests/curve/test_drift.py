from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics import Star, take

from autofocus.curve.cautions import has_two_humps
from autofocus.curve.drift import find_drift
from autofocus.curve.fit import fit_focus
from autofocus.curve.throughput import throughput
from autofocus.model import Measurement

STAR = Star(width_focus=-10.0, light_focus=10.0)
SWEEP = np.arange(75.0, -76.0, -15.0)
BACK = np.array([45.0, -45.0, 45.0, -45.0])
POSITIONS = np.concatenate([SWEEP, BACK])
TIMES = 16.0 * (1.0 + np.arange(len(POSITIONS)))


def night(seed: int, *, steps_per_s: float = 0.0, light_per_s: float = 0.0) -> list[Measurement]:
    """A sweep and two returns to either side, while the focus and the transparency drift."""
    rng = np.random.default_rng(seed)
    frames = []
    for position, time in zip(POSITIONS, TIMES, strict=True):
        (one,) = take(STAR, np.array([position - steps_per_s * time]), rng, seeing=0.05, guiding_px=0.1)
        dimmed = np.exp(light_per_s * time)
        frames.append(
            replace(one, position=position, nsig=one.nsig * dimmed, nsig_err=one.nsig_err * dimmed, elapsed_s=time)
        )
    return frames


def test_a_steady_night_shows_no_drift_within_its_errors() -> None:
    pulls = []
    for seed in range(8):
        frames = night(seed)
        curves = fit_focus(frames, objective="snr")
        drift = find_drift(frames, curves)
        assert drift is not None
        assert curves.best is not None
        assert drift.warnings(curves.best.uncertainty) == ()
        pulls += [drift.steps_per_hour / drift.steps_per_hour_err, drift.light_per_hour / drift.light_per_hour_err]
    assert np.sqrt(np.mean(np.square(pulls))) < 1.6


@pytest.mark.parametrize("steps_per_s", [0.08, -0.08])
def test_a_wandering_focus_is_found_and_said(steps_per_s: float) -> None:
    frames = night(3, steps_per_s=steps_per_s)
    curves = fit_focus(frames, objective="fwhm")
    drift = find_drift(frames, curves)
    assert drift is not None
    assert abs(drift.steps_per_hour - 3600.0 * steps_per_s) < 3.0 * drift.steps_per_hour_err + 0.2 * 3600 * 0.08
    assert abs(drift.steps_per_hour) > 3.0 * drift.steps_per_hour_err
    assert any("best focus drifted" in warning for warning in curves.warnings)


def test_fading_light_is_found_and_is_no_drift_of_focus() -> None:
    frames = night(4, light_per_s=-0.0015)
    curves = fit_focus(frames, objective="snr")
    drift = find_drift(frames, curves)
    assert drift is not None
    assert drift.light_per_hour == pytest.approx(-0.0015 * 3600, abs=3.0 * drift.light_per_hour_err)
    assert any("the light changed by -" in warning for warning in curves.warnings)
    assert not any("best focus drifted" in warning for warning in curves.warnings)


def test_nothing_is_said_without_times_or_repeats() -> None:
    frames = night(5)
    curves = fit_focus(frames, objective="snr")
    assert find_drift([replace(one, elapsed_s=0.0) for one in frames], curves) is None
    assert find_drift(frames[: len(SWEEP)], curves) is None


def test_two_humps_are_told_from_one() -> None:
    fine = np.linspace(-1.0, 1.0, 101)
    beside, centred = (throughput(np.array([[0.0, 0.0, np.log(0.3), np.log(2.0), d]]), fine)[0] for d in (1.6, 0.2))
    assert has_two_humps(beside)
    assert not has_two_humps(centred)
    frames = take(Star(offset_px=3.2), np.arange(-75.0, 76.0, 12.5), np.random.default_rng(1), guiding_px=0.05)
    assert any("two humps" in warning for warning in fit_focus(frames, objective="fwhm").warnings)


def test_light_that_drifts_through_a_sweep_costs_certainty_of_its_peak() -> None:
    """The same frames, taken in order of position or in a random one: only the first can hide a drift."""
    rng = np.random.default_rng(6)
    frames = take(STAR, SWEEP, rng)
    times = TIMES[: len(SWEEP)]
    mixed = rng.permutation(times)
    errors = []
    for order in (times, mixed):
        curve = fit_focus([replace(f, elapsed_s=t) for f, t in zip(frames, order, strict=True)], objective="nsig").nsig
        assert curve is not None
        errors.append(curve.uncertainty)
    assert errors[0] > 1.15 * errors[1]
