"""One frame to its numbers: what is found, how true it is, and what no frame may do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autofocus.measure.spectrum import reduction
from autofocus.measure.spectrum.reduction import columns_used, measure_spectrum
from autofocus.measure.spectrum.signal import auto_half_window
from autofocus.model import Flag, Frame
from autofocus.settings import MeasureSettings
from tests.measure.stars.starfields import Image, Scene, scattered

DEFAULT = MeasureSettings()


def pixel_fwhm(width):
    """FWHM of a Gaussian averaged over a pixel, by brute force."""
    x = np.linspace(-5 * width, 5 * width, 200001)
    step = x[1] - x[0]
    box = round(1 / step)
    y = np.convolve(np.exp(-4 * np.log(2) * (x / width) ** 2), np.ones(box) / box, mode="same")
    return float(np.ptp(x[y > 0.5 * y.max()]))


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("width", [1.6, 4.0, 12.0])
def test_width_light_and_place_of_a_known_star(draw, width, vertical):
    found = measure_spectrum(draw(stars=((100.3, 5000.0, width),), vertical=vertical), DEFAULT).measurement
    assert found.dispersion_axis == ("y" if vertical else "x")
    assert found.fwhm_px == pytest.approx(pixel_fwhm(width), abs=4 * found.fwhm_err_px)
    assert found.fwhm_px == pytest.approx(pixel_fwhm(width), rel=0.02)
    assert found.nsig == pytest.approx(500.0, abs=4 * found.nsig_err)
    assert found.center_px == pytest.approx(100.3, abs=0.05)
    assert found.background_adu == pytest.approx(350.0, abs=1.0)
    assert found.background_noise_adu == pytest.approx(np.sqrt(16 + 50 / 1.5), rel=0.1)
    assert found.columns_used == 100
    assert found.flags == ()


@pytest.mark.parametrize(("slant", "bend"), [(8.0, 0.0), (-40.0, 0.0), (5.0, 12.0)])
def test_a_slanted_or_bent_trace_keeps_its_width(draw, slant, bend):
    found = measure_spectrum(draw(slant=slant, bend=bend, stars=((100.0, 8000.0, 3.0),)), DEFAULT).measurement
    assert found.fwhm_px == pytest.approx(pixel_fwhm(3.0), rel=0.02)
    assert found.slant_px == pytest.approx(slant, abs=1.0)


def test_equal_light_counts_equal_whatever_the_seeing(draw):
    lights = []
    for width in (2.0, 6.0, 20.0, 45.0):
        frame = draw(stars=((150.0, 20000.0, width),), shape=(300, 800), kind="moffat")
        found = measure_spectrum(frame, DEFAULT).measurement
        lights.append(found.nsig / found.window_fraction)
        assert lights[-1] == pytest.approx(2000.0, rel=0.02)
    assert max(lights) / min(lights) < 1.03


def test_cosmic_rays_change_nothing(draw):
    rng = np.random.default_rng(5)
    hits = np.zeros((200, 800))
    hits[rng.integers(0, 200, 400), rng.integers(0, 800, 400)] = rng.uniform(200, 20000, 400)
    stars = ((100.3, 5000.0, 1.8),)
    clean, dirty = (measure_spectrum(draw(stars=stars, extra=x), DEFAULT).measurement for x in (None, hits))
    assert dirty.fwhm_px == pytest.approx(clean.fwhm_px, abs=1.5 * clean.fwhm_err_px)
    assert dirty.nsig == pytest.approx(clean.nsig, abs=1.5 * clean.nsig_err)


def test_sky_lines_brighter_than_the_trace_and_an_amplifier_step(draw):
    extra = np.zeros((200, 800))
    extra[:, 400:] += 300.0
    for column in range(20, 800, 60):
        extra[:, column - 2 : column + 3] += 2000.0
    found = measure_spectrum(draw(extra=extra), DEFAULT).measurement
    assert found.dispersion_axis == "x"
    assert found.fwhm_px == pytest.approx(pixel_fwhm(4.0), abs=4 * found.fwhm_err_px)
    assert found.nsig == pytest.approx(500.0, abs=4 * found.nsig_err)


def test_a_faint_trace_is_found_with_less_than_one_sigma_a_column(draw):
    frame = draw(stars=((120.0, 12.0, 4.0),), shape=(200, 3000), sky=30.0)
    found = measure_spectrum(frame, DEFAULT).measurement
    assert Flag.NO_TRACE not in found.flags
    assert found.snr < 1.0
    assert found.center_px == pytest.approx(120.0, abs=1.5)


def test_the_brighter_star_wins_and_its_neighbour_stays_out(draw):
    found = measure_spectrum(draw(stars=((90.0, 5000.0, 4.0), (110.0, 2000.0, 4.0))), DEFAULT).measurement
    assert found.center_px == pytest.approx(90.0, abs=0.1)
    assert Flag.BLENDED in found.flags
    assert found.nsig == pytest.approx(500.0, rel=0.02)
    far = measure_spectrum(draw(stars=((50.0, 5000.0, 4.0), (150.0, 4000.0, 4.0))), DEFAULT).measurement
    assert Flag.BLENDED not in far.flags


def test_near_the_edge_the_window_is_cut_and_the_rest_holds(draw):
    found = measure_spectrum(draw(stars=((12.0, 5000.0, 4.0),)), DEFAULT).measurement
    assert Flag.TRUNCATED_WINDOW in found.flags
    assert found.fwhm_px == pytest.approx(pixel_fwhm(4.0), abs=4 * found.fwhm_err_px)
    assert found.nsig / found.window_fraction == pytest.approx(500.0, rel=0.02)


def test_saturated_pixels_are_counted(draw):
    found = measure_spectrum(draw(saturation_adu=1000.0), DEFAULT).measurement
    assert Flag.SATURATED in found.flags
    assert found.saturated_px >= 100


def test_a_model_without_light_is_no_sure_one(draw, monkeypatch):
    whole = reduction.window_light
    lightless = {"window_fraction": np.nan, "window_fraction_err": np.nan}
    monkeypatch.setattr(reduction, "window_light", lambda *seen: replace(whole(*seen), **lightless))
    assert Flag.LOW_SNR in measure_spectrum(draw(), DEFAULT).measurement.flags


def test_settings_are_heeded(draw):
    frame = draw(exposure_s=None)
    asked = MeasureSettings(columns=(100, 250), half_window_px="auto", plate_scale_arcsec_per_px=0.5)
    found = measure_spectrum(frame, asked).measurement
    assert found.columns_used == 150
    assert found.fwhm_arcsec == pytest.approx(0.5 * found.fwhm_px)
    assert measure_spectrum(frame, asked).half_window_px == 30
    assert Flag.NO_EXPOSURE in found.flags
    assert np.isnan(found.nsig)
    forced = measure_spectrum(frame, MeasureSettings(dispersion_axis="y")).measurement
    assert Flag.NO_TRACE in forced.flags


def test_columns_and_window():
    assert columns_used(2000, None) == (900, 1100)
    assert columns_used(400, None) == (150, 250)
    assert columns_used(400, (350, 900)) == (350, 400)
    assert columns_used(400, (500, 900)) is None
    assert auto_half_window(4.0) == 30
    assert auto_half_window(40.0) == 80
    assert auto_half_window(float("nan")) == 30


@pytest.mark.parametrize(
    "raw",
    [
        np.zeros((200, 300), np.uint16),
        np.full((200, 300), 65535, np.uint16),
        np.full((50, 50), np.nan, np.float32),
        np.zeros((3, 3), np.uint16),
        np.random.default_rng(1).normal(100, 3, (300, 900)).astype(np.float32),
    ],
)
def test_nothing_is_said_to_be_nothing(raw):
    found = measure_spectrum(Frame(raw=raw, exposure_s=1.0), DEFAULT).measurement
    assert Flag.NO_TRACE in found.flags
    assert found.verdict
    assert np.isnan(found.fwhm_px)


@settings(max_examples=25)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 80), st.integers(1, 160)),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
    )
)
def test_no_pixels_raise(raw):
    measure_spectrum(Frame(raw=raw), DEFAULT)


def test_a_frame_without_rows_beside_the_trace_is_measured():
    """A narrow subframe about a defocused star: no row of the strip is free of light."""
    rows = np.arange(40)[:, None]
    light = 100 + 400 * np.exp(-4 * np.log(2) * ((rows - 20) / 12) ** 2) * np.ones((1, 300))
    raw = np.random.default_rng(1).poisson(light).astype(np.uint16)
    measured = measure_spectrum(Frame(raw=raw, exposure_s=10.0, gain_e_per_adu=1.0), MeasureSettings()).measurement
    assert 11.0 < measured.fwhm_px < 15.0
    assert Flag.TRUNCATED_WINDOW in measured.flags


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_line_through_doughnuts_that_has_no_width_of_its_own_is_no_trace(seed):
    field = Scene(scattered(12, seed, (300, 400), 30.0), Image(4.0, beta=3.5, radius_px=40.0), shape=(300, 400))
    found = measure_spectrum(field.frame(seed), DEFAULT).measurement
    assert (Flag.NO_TRACE in found.flags) or found.fwhm_err_px < found.fwhm_px
    assert (Flag.NO_TRACE in found.flags) == bool(found.verdict)


LARGE, LARGER, HOLLOW = Image(7.0, beta=3.0), Image(10.0, beta=3.0), Image(3.0, beta=3.5, radius_px=8.0)


@pytest.mark.parametrize(
    ("seed", "count", "apart", "image"),
    [
        (11, 40, 12.0, LARGE),
        (5, 25, 20.0, LARGER),
        (10, 25, 20.0, LARGER),
        (8, 40, 15.0, HOLLOW),
        (9, 40, 15.0, HOLLOW),
    ],
)
def test_a_line_through_the_stars_of_a_field_is_no_trace(seed, count, apart, image):
    field = Scene(scattered(count, seed, (360, 480), apart), image, shape=(360, 480))
    found = measure_spectrum(field.frame(seed), DEFAULT).measurement
    assert Flag.NO_TRACE in found.flags
    assert "star field" in found.verdict


def test_a_faint_star_with_the_bright_knots_of_a_nebula_beside_it_is_a_trace():
    """In a few lines only, and all lines show the same knot: the stars of a field are in many places."""
    knots = tuple((150.0, x, 4.0) for x in (100, 210, 400, 610, 700))
    y, x = np.indices((200, 800))
    light = 100.0 + sum(3000.0 * np.exp(-((y - row) ** 2 + (x - at) ** 2) / (2.0 * w**2)) for row, at, w in knots)
    light += 20.0 * np.exp(-((y - 80.0) ** 2) / (2.0 * 2.0**2))
    raw = np.random.default_rng(4).poisson(light).astype(np.uint16)
    found = measure_spectrum(Frame(raw=raw, exposure_s=10.0), DEFAULT).measurement
    assert found.center_px == pytest.approx(80.0, abs=0.5)
    assert found.fwhm_px == pytest.approx(2.355 * 2.0, abs=4.0 * found.fwhm_err_px)
