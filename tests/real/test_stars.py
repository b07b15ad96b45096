"""A real star through a Schmidt-Cassegrain, on both sides of focus: doughnuts, undersampled seeing, many exposures."""

from __future__ import annotations

from pathlib import Path

import pytest

from autofocus.frames.fits import read_frame
from autofocus.measure.modes import measure_frame
from autofocus.model import Flag
from autofocus.session.series import analyze
from autofocus.settings import MeasureSettings, SearchSettings

SWEEP = Path(__file__).parents[3] / "shared" / "data" / "sweeps" / "c8_star"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not SWEEP.is_dir(), reason="the real sweeps of ../shared/data are not here"),
]


@pytest.fixture(scope="module")
def series():
    settings = MeasureSettings(mode="stars")
    return [measure_frame(read_frame(path), settings).measurement for path in sorted(SWEEP.glob("*.FIT"))]


def test_the_star_is_found_on_every_frame(series):
    assert len(series) == 16
    for one in series:
        assert Flag.NO_TRACE not in one.flags
        assert len(one.stars) == 1
        assert 585 < one.stars[0].x < 670
        assert 380 < one.stars[0].y < 402


def test_doughnuts_are_wider_the_further_out(series):
    # The frames near focus last 0.3 s, which is the seeing of a moment.
    inward = sorted((one for one in series if one.position <= 7925), key=lambda one: one.position)
    outward = sorted((one for one in series if one.position >= 8075), key=lambda one: one.position)
    assert len(inward) == 7
    assert len(outward) == 6
    assert [one.fwhm_px for one in inward] == sorted((one.fwhm_px for one in inward), reverse=True)
    assert [one.fwhm_px for one in outward] == sorted(one.fwhm_px for one in outward)
    # another program's half-flux diameter of the outermost frame; a half-maximum width of its rows would be 15 px
    assert inward[0].fwhm_px == pytest.approx(46.3, rel=0.03)
    assert inward[0].half_max_px > inward[0].fwhm_px


def test_a_star_sends_the_same_light_through_every_doughnut(series):
    light = [one.nsig for one in series if one.exposure_s == 3.0]
    assert max(light) / min(light) < 1.03


def test_best_focus_is_where_the_observer_found_it(series):
    result = analyze(series, SearchSettings(objective="fwhm"))
    assert result.outcome == "focused"
    assert result.best is not None
    assert 7975 < result.best.position < 8025
    assert 1.0 < result.best.uncertainty < 15.0
    assert result.curves.nsig is None
    assert result.curves.warnings == ()


def test_an_objective_that_needs_a_slit_is_a_warning(series):
    result = analyze(series, SearchSettings(objective="snr"))
    assert result.objective == "fwhm"
    assert any("without a slit" in warning for warning in result.curves.warnings)
