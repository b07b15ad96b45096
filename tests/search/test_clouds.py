"""Light that changes with time must not pass for light that changes with focus."""

import dataclasses

import numpy as np
import pytest

from autofocus.curve.fit import fit_focus
from autofocus.model import Flag, Measurement, Sample, Sweep
from autofocus.search.clouds import brightening, clouded, darkness, largest_change, unsteadiness
from autofocus.search.gates import judge
from autofocus.search.plan import focus


def frame(position, nsig, error=1.0):
    return Measurement(position=position, fwhm_px=5.0, nsig=nsig, nsig_err=error, window_fraction=1.0)


@pytest.fixture
def series(make_sky):
    return make_sky(seed=21).observe(Sweep(tuple(Sample(x, "sweep", 10.0) for x in range(9285, 9446, 20))))


def test_a_repeat_tells_how_the_light_changed():
    assert largest_change([frame(10, 100.0), frame(11, 70.0), frame(50, 20.0)]) == pytest.approx(0.30, abs=0.05)
    assert largest_change([frame(10, 100.0), frame(50, 20.0)]) == 0.0
    assert largest_change([frame(10, 100.0, 10.0), frame(10, 70.0, 10.0)]) == 0.0  # within three sigmas
    assert brightening(frame(10, 50.0), frame(10, 100.0)) == 2.0
    assert brightening(frame(10, 50.0), frame(90, 100.0)) == 1.0


def test_a_clear_night_is_steady_and_has_nothing_to_retake(series):
    curves = fit_focus(series, objective="snr")
    assert unsteadiness(curves, series, ()) == ""
    assert clouded(series, curves) == ()


def test_a_frame_far_too_bright_gives_the_cloud_over_the_others_away(series):
    curves = fit_focus(series, objective="snr")
    bright = dataclasses.replace(series[4], nsig=1.6 * series[4].nsig)
    assert "brighter" in unsteadiness(curves, series, (bright,))


def test_a_faint_frame_is_retaken_but_not_one_whose_guiding_is_known_to_be_bad(series):
    curves = fit_focus(series, objective="snr")
    faint = [dataclasses.replace(m, nsig=0.4 * m.nsig) if i == 3 else m for i, m in enumerate(series)]
    assert clouded(faint, curves) == (3,)
    flagged = [dataclasses.replace(m, flags=(Flag.GUIDING_LOST,)) if i == 3 else m for i, m in enumerate(faint)]
    assert clouded(flagged, curves) == ()


def test_a_curve_of_hardly_any_light_is_told_from_the_frames_before(series):
    curves = fit_focus(series, objective="snr")
    before = [dataclasses.replace(series[0], nsig=factor * curves.nsig.value) for factor in (1.0, 15.0, 30.0)]
    assert darkness(curves, [*series, *before[:2]]) == ""
    assert darkness(curves, [*before, *series]).startswith("hardly any is left, 3.")
    spoiled = dataclasses.replace(before[2], flags=(Flag.GUIDING_LOST,))
    assert darkness(curves, [spoiled, *series]) == ""


def test_hardly_any_light_is_not_to_be_called_focus(series):
    curves = fit_focus(series, objective="snr")
    bright = dataclasses.replace(series[0], nsig=30.0 * curves.nsig.value)
    assert judge(curves, series, 3.0, (), series).unsteady == ""
    assert "hardly any is left" in judge(curves, series, 3.0, (), [bright, *series]).unsteady


def test_under_passing_clouds_every_place_is_seen_again_until_its_light_is_true(make_sky, make_task):
    shares = (1.0, 0.8, 0.6, 1.0, 0.7, 1.0, 0.5, 0.9, 1.0, 0.65, 1.0, 1.0)
    sky = make_sky(seed=22, cloud=lambda frame: shares[frame % len(shares)])
    result = sky.run(focus(make_task(9400)))
    assert result.outcome == "focused"
    assert abs(result.best.position - sky.light_focus) <= 5 * result.best.uncertainty


@pytest.mark.parametrize("seed", range(4))
def test_a_cloud_that_clears_slowly_is_never_taken_for_focus(make_sky, make_task, seed):
    """A monotone sweep alone could not tell a cloud that thickens and clears from a curve that is tilted."""
    sky = make_sky(seed=seed, cloud=lambda number: float(np.exp(-1.6 * np.exp(-0.5 * ((number - 5) / 4.0) ** 2))))
    result = sky.run(focus(make_task(9425)))
    if result.outcome == "focused":
        assert abs(result.best.position - sky.light_focus) <= 5 * result.best.uncertainty
    else:
        assert result.reason in {"poor_fit", "not_bracketed", "confirmation_failed"}
