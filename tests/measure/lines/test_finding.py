"""Which lines are measured: not the saturated, the blended, nor what is no line at all."""

from __future__ import annotations

import numpy as np
import pytest
from arcs import arc, gaussian, slit_image

from autofocus.measure.lines.bands import find_bands
from autofocus.measure.lines.detection import autocorrelation_width, find_lines
from autofocus.measure.lines.reduction import measure_lines
from autofocus.measure.modes import measure_frame
from autofocus.model import Flag, Frame
from autofocus.settings import MeasureSettings

LINE = gaussian(3.0)
EVEN = np.linspace(50.0, 1150.0, 12)


def found(frame: Frame) -> list[float]:
    bands = find_bands(frame, "x")
    lines = None if bands is None else find_lines(bands)
    return [] if lines is None else [float(place) for place in lines.places]


def test_every_line_is_found_once_and_nothing_else() -> None:
    places = found(arc(LINE, places=EVEN, hits=400))
    assert places == pytest.approx(EVEN, abs=2.0)  # leaning by 1.5 px to either side, bowed by 1


def test_a_saturated_line_is_left_out() -> None:
    light = np.full(12, 20000.0)
    light[4] = 400000.0
    measured = measure_lines(arc(LINE, places=EVEN, light=light), MeasureSettings()).measurement
    assert Flag.SATURATED not in measured.flags
    assert measured.peak_adu < 60000
    assert measured.fwhm_px == pytest.approx(LINE.fwhm_px, rel=0.003)


def test_a_line_clipped_below_the_stated_ceiling_is_flatter_than_the_others() -> None:
    light = np.full(12, 20000.0)
    light[4] = 100000.0
    frame = arc(LINE, places=EVEN, light=light, full=15000.0)
    assert len(found(frame)) == 11
    assert measure_lines(frame, MeasureSettings()).measurement.fwhm_px == pytest.approx(LINE.fwhm_px, rel=0.004)


def test_all_saturated_says_so() -> None:
    measured = measure_lines(arc(LINE, places=EVEN, light=500000.0), MeasureSettings()).measurement
    assert Flag.NO_TRACE in measured.flags
    assert "saturated" in measured.verdict


def test_a_blend_is_left_out() -> None:
    places = np.sort(np.append(EVEN, EVEN[[3, 7]] + 2.4))
    measured = measure_lines(arc(LINE, places=places), MeasureSettings()).measurement
    assert measured.fwhm_px == pytest.approx(LINE.fwhm_px, rel=0.004)


def test_a_blend_among_others_of_one_place_is_told_by_its_width() -> None:
    """Two lines an eighth of their width apart: found as one, hardly wider, and faint beside its neighbours' errors."""
    places = np.linspace(40.0, 1160.0, 24)
    doubled = np.sort(np.append(places, places[[5, 11, 17]] + 1.3))
    measured = measure_lines(arc(LINE, places=doubled, light=40000.0), MeasureSettings()).measurement
    assert measured.fwhm_px == pytest.approx(LINE.fwhm_px, rel=0.004)


def test_a_bad_column_is_no_line() -> None:
    extra = np.zeros((120, 1200))
    extra[:, [333, 777]] = 8000.0
    measured = measure_lines(arc(LINE, places=EVEN, extra=extra, lean=6.0), MeasureSettings()).measurement
    assert measured.fwhm_px == pytest.approx(LINE.fwhm_px, rel=0.005)


def test_only_the_lit_part_of_the_slit_counts() -> None:
    frame = arc(LINE, shape=(300, 1200))
    dark = np.array(frame.raw)
    dark[:70], dark[220:] = 340, 340
    dark = (dark + np.random.default_rng(1).normal(0.0, 4.0, dark.shape)).astype(np.uint16)
    measured = measure_lines(Frame(raw=dark, exposure_s=5.0), MeasureSettings()).measurement
    rows = sorted({cell.across_px for cell in measured.field})
    assert 70 <= rows[0] <= rows[-1] <= 220
    assert measured.fwhm_px == pytest.approx(LINE.fwhm_px, rel=0.005)


@pytest.mark.parametrize("kind", ["noise", "flat", "hits", "star field", "constant", "nan", "tiny"])
def test_frames_without_lines_say_so(kind: str) -> None:
    rng = np.random.default_rng(5)
    frame = rng.normal(300.0, 5.0, (200, 600))
    if kind == "flat":
        frame = rng.poisson(np.linspace(2000, 9000, 600), (200, 600)).astype(float)
    elif kind == "hits":
        frame[rng.integers(200, size=900), rng.integers(600, size=900)] += 20000.0
    elif kind == "star field":
        y, x = np.mgrid[:200, :600]
        for _ in range(40):
            frame += 9000.0 * np.exp(-((x - rng.uniform(0, 600)) ** 2 + (y - rng.uniform(0, 200)) ** 2) / 8.0)
    elif kind == "constant":
        frame = np.full((200, 600), 300.0)
    elif kind == "nan":
        frame = np.full((200, 600), np.nan)
    elif kind == "tiny":
        frame = frame[:6, :30]
    measured = measure_lines(Frame(raw=frame.astype("f4"), exposure_s=1.0), MeasureSettings()).measurement
    assert Flag.NO_TRACE in measured.flags
    assert measured.verdict
    assert np.isnan(measured.fwhm_px)


def test_nothing_is_known_of_the_light_and_a_missing_exposure_is_said() -> None:
    measured = measure_lines(arc(LINE, exposure_s=None), MeasureSettings()).measurement
    assert np.isnan(measured.nsig)
    assert measured.flags == (Flag.NO_EXPOSURE,)


def test_auto_takes_an_arc_for_an_arc() -> None:
    measured = measure_frame(arc(slit_image(1.5, 4.0, 0.0)), MeasureSettings(mode="auto")).measurement
    assert measured.mode == "lines"
    assert len(measured.field) == 15


def test_autocorrelation_of_a_gaussian_gives_its_width() -> None:
    x = np.arange(400.0)
    spectrum = sum(np.exp(-4 * np.log(2) * np.square((x - place) / 5.0)) for place in (60.2, 150.7, 333.1))
    width, _ = autocorrelation_width(spectrum, spectrum)
    assert width == pytest.approx(5.0, rel=0.01)
