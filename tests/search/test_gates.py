"""What must hold before a position is called focus."""

import dataclasses

import pytest

from autofocus.curve.fit import fit_focus, predict
from autofocus.model import FocusCurves, Measurement, Sample, Sweep
from autofocus.search.gates import GROWTH, compare, grown, judge, only_fainter


def sweep_of(sky, positions):
    return sky.observe(Sweep(tuple(Sample(x, "sweep", 10.0) for x in positions)))


@pytest.fixture
def series(make_sky):
    return sweep_of(make_sky(seed=11), range(9285, 9446, 20))


@pytest.fixture
def curves(series):
    return fit_focus(series, objective="snr")


def test_a_bracketed_curve_passes(series, curves):
    verdict = judge(curves, series, 3.0)
    assert verdict.passed
    assert min(verdict.contrast) > 3.0


def test_one_slope_is_open_towards_the_focus(make_sky):
    series = sweep_of(make_sky(seed=12), range(9380, 9500, 20))
    verdict = judge(fit_focus(series, objective="snr"), series, 3.0)
    assert "inward" in verdict.open_sides
    assert not verdict.passed


def test_noise_without_a_curve_does_not_pass(make_sky):
    """Positions a step apart: nothing but seeing and photons differs between the frames."""
    for seed in range(8):
        series = sweep_of(make_sky(seed=seed), range(9360, 9369))
        assert not judge(fit_focus(series, objective="snr"), series, 3.0).passed


def test_an_end_counts_only_where_the_trace_has_grown_by_half(curves):
    narrowest = curves.fwhm.value
    for position, width in curves.fwhm.line:
        assert grown(curves, position) == (width >= GROWTH * narrowest)
    assert {grown(curves, position) for position, _ in curves.fwhm.line} == {True, False}
    assert grown(dataclasses.replace(curves, fwhm=None), 9350.0)  # no width, no objection


def test_a_side_without_growth_is_open_however_sharp_the_position(curves, series):
    near = [m for m in series if m.position >= 9345]  # inward the trace has hardly grown
    verdict = judge(fit_focus(near, objective="snr"), near, 3.0)
    assert "inward" in verdict.open_sides


def test_only_fainter_is_what_a_passing_cloud_does(curves):
    expected = predict(curves, curves.best.position)
    frame = dataclasses.replace(
        sweep_frame(curves), fwhm_px=expected.fwhm_px, fwhm_err_px=0.01, nsig=0.5 * expected.nsig, nsig_err=0.5
    )
    assert only_fainter(compare(curves, frame))
    wide = dataclasses.replace(frame, fwhm_px=expected.fwhm_px + 4 * expected.fwhm_err_px)
    assert not only_fainter(compare(curves, wide))


def test_no_curve_is_open_on_both_sides():
    assert judge(FocusCurves(), [], 3.0).open_sides == ("inward", "outward")


def test_the_confirming_frame_is_judged_in_both_metrics(curves):
    expected = predict(curves, curves.best.position)
    frame = dataclasses.replace(
        sweep_frame(curves), fwhm_px=expected.fwhm_px, fwhm_err_px=0.01, nsig=expected.nsig, nsig_err=0.5
    )
    assert compare(curves, frame).agrees
    wide = dataclasses.replace(frame, fwhm_px=expected.fwhm_px + 4 * expected.fwhm_err_px)
    assert not compare(curves, wide).agrees
    assert compare(curves, wide).fwhm_sigmas == pytest.approx(4.0, abs=0.1)
    faint = dataclasses.replace(frame, nsig=expected.nsig - 4 * expected.nsig_err)
    assert not compare(curves, faint).agrees
    narrow = dataclasses.replace(frame, fwhm_px=expected.fwhm_px - 4 * expected.fwhm_err_px)
    assert compare(curves, narrow).agrees  # better than predicted is no reason to doubt the place


def test_a_frame_without_numbers_does_not_agree(curves):
    nothing = dataclasses.replace(sweep_frame(curves), fwhm_px=float("nan"), nsig=float("nan"))
    assert not compare(curves, nothing).agrees


def sweep_frame(curves):
    return Measurement(position=curves.best.position, window_fraction=1.0)


def test_light_that_scatters_decides_nothing_but_the_width_may(make_sky):
    clouds = [1.0, 0.6, 0.9, 0.5, 1.0, 0.7, 0.55, 1.0, 0.6]
    series = sweep_of(make_sky(seed=11, cloud=lambda frame: clouds[frame]), range(9285, 9446, 20))
    verdict = judge(fit_focus(series, objective="snr"), series, 3.0)
    assert "scatters" in verdict.unsteady
    assert not verdict.passed
    assert not judge(fit_focus(series, objective="fwhm"), series, 3.0).unsteady
