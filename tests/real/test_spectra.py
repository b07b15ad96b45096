"""The real frames of ../shared/data: INDEX.md's table is the test."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import LSQUnivariateSpline

from autofocus.frames.fits import read_frame
from autofocus.measure.reading import Reading
from autofocus.measure.spectrum.fitting import model_fit
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Flag
from autofocus.settings import MeasureSettings

SPECTRA = Path(__file__).parents[3] / "shared" / "data" / "spectra"
SWEEPS = SPECTRA.parent / "sweeps"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not SPECTRA.is_dir(), reason=f"the real frames are not here: {SPECTRA}"),
]

EASY = "easyspec/{}.fits.fz"
SPRAT = "lt_sprat/v_{}.fits.gz"

# File, row, FWHM by a Gaussian (px) and slant (px over the frame) as INDEX.md gives them.
TRACES = [
    ("kast_blue/b24.fits.gz", 168.9, 5.13, -6.6),
    ("kast_blue/b27.fits.gz", 175.4, 5.3, -5.6),
    (EASY.format("0069_PKSJ0049-5738_13-05-2023"), 742.7, 4.8, -7.5),
    (EASY.format("0070_PKSJ0049-5738_13-05-2023"), 742.7, 4.7, -7.5),
    (EASY.format("0173_Calibration-Star_28-04-2023"), 456.3, 4.35, -8.2),
    (SPRAT.format("e_20180810_12_1_0_0"), 128.6, 2.79, -1.9),
    (SPRAT.format("e_20180810_12_2_0_0"), 128.7, 2.63, -1.9),
    (SPRAT.format("e_20180810_12_3_0_0"), 128.8, 2.91, -1.9),
    (SPRAT.format("s_20180810_27_1_0_0"), 131.8, 2.47, -2.4),
]

NO_TRACE = [
    "kast_blue/b1.fits.gz",
    "kast_blue/b11.fits.gz",
    "kast_blue/b21.fits.gz",
    EASY.format("0064_PKSJ0049-5738_13-05-2023"),
    EASY.format("0072_PKSJ0049-5738_13-05-2023_comp"),
    SPRAT.format("a_20180810_13_1_0_1"),
    SPRAT.format("a_20180810_28_1_0_1"),
    SPRAT.format("dark_1"),
    SPRAT.format("slit_red_1"),
    "../sweeps/goodman/im_g_SDSS.fits",
    "../sweeps/goodman/sp_400m1.fits",
    "../sweeps/goodman/sp_400m2.fits",
]


@cache
def reading(name: str) -> Reading:
    return measure_spectrum(read_frame(SPECTRA / name), MeasureSettings())


@pytest.mark.parametrize(("name", "row", "gaussian_px", "slant"), TRACES)
def test_a_trace_is_found_and_measured(name, row, gaussian_px, slant):
    found = reading(name).measurement
    assert Flag.NO_TRACE not in found.flags, found.verdict
    assert found.dispersion_axis == "x"
    assert found.center_px == pytest.approx(row, abs=0.5)
    # The table's width is a Gaussian's: wings that no Gaussian has widen it by up to a tenth over the half-maximum.
    assert 0.88 * gaussian_px < found.fwhm_px < 1.04 * gaussian_px
    assert 0 < found.fwhm_err_px < 0.03 * found.fwhm_px
    assert found.slant_px == pytest.approx(slant, abs=1.5)
    assert found.nsig > 20 * found.nsig_err > 0
    assert found.window_fraction > 0.97


@pytest.mark.parametrize("name", NO_TRACE)
def test_lamps_and_darks_are_no_spectra(name):
    found = reading(name)
    assert Flag.NO_TRACE in found.measurement.flags
    assert found.measurement.verdict
    assert found.measurement.fwhm_px != found.measurement.fwhm_px


@pytest.mark.parametrize("name", sorted(path.name for path in SWEEPS.glob("c8_star/*.FIT")))
def test_the_image_of_a_star_is_no_spectrum(name):
    found = reading(f"../sweeps/c8_star/{name}").measurement
    assert Flag.NO_TRACE in found.flags
    assert found.verdict


def test_two_exposures_of_one_star_hold_the_same_light():
    first, second = (reading(name).measurement for name, *_ in TRACES[2:4])
    assert first.nsig == pytest.approx(second.nsig, rel=0.03)
    assert first.nsig / first.window_fraction == pytest.approx(second.nsig / second.window_fraction, rel=0.03)


@pytest.mark.parametrize("name", [TRACES[index][0] for index in (0, 2, 3, 4)])
def test_the_width_is_the_half_maximum_of_the_samples_themselves(name):
    """All columns' pixels at their distances from the trace, and a spline through them: no model of a star."""
    frame, found = read_frame(SPECTRA / name), reading(name)
    assert found.trace is not None
    width = found.measurement.fwhm_px
    first = frame.shape[1] // 2 - found.measurement.columns_used // 2
    columns = np.arange(first, first + found.measurement.columns_used)
    center = found.trace.center(columns)
    rows = np.rint(center).astype(int) + np.arange(-20, 21)[:, None]
    values = frame.pixels[rows, columns].astype(float)
    distance = rows - center
    values -= np.median(values[np.abs(distance[:, 0]) > 3.0 * width], axis=0)
    values /= np.sum(np.where(np.abs(distance) < width, values, 0.0), axis=0)
    order = np.argsort(distance.ravel())
    x, y = distance.ravel()[order], values.ravel()[order]
    keep = np.abs(x) < 14.0
    grid = np.linspace(-12.0, 12.0, 4801)
    widths = []
    for knots in (0.35, 0.5, 0.6, 0.8, 1.0):
        spline = LSQUnivariateSpline(x[keep], y[keep], np.arange(-13.0, 13.1, knots))
        widths.append(np.ptp(grid[spline(grid) > 0.5 * spline(grid).max()]))
    # Both readings of the same pixels have noise of their own, about that of the stated error.
    assert width == pytest.approx(np.median(widths), abs=0.013 * width + 2.0 * found.measurement.fwhm_err_px)


def test_three_exposures_repeat():
    lights = [m.nsig / m.window_fraction for m in (reading(name).measurement for name, *_ in TRACES[5:8])]
    assert max(lights) / min(lights) < 1.02


def test_the_brighter_of_two_traces_is_measured_and_the_other_known():
    found = reading(TRACES[5][0])
    assert found.trace is not None
    assert Flag.BLENDED in found.measurement.flags  # 56 px away: their windows of 2 x 30 px overlap


@pytest.mark.parametrize("name", ["kast_blue/b24.fits.gz", EASY.format("0070_PKSJ0049-5738_13-05-2023")])
def test_the_fit_of_a_bright_star_has_ended(name, monkeypatch):
    """Many more steps change neither width nor light: it was the gain that ended the fit, not a count."""
    bounded = model_fit._least_squares
    monkeypatch.setattr(model_fit, "_least_squares", lambda *known, **more: bounded(*known, **{"steps": 5000, **more}))
    patient, found = (
        measure_spectrum(read_frame(SPECTRA / name), MeasureSettings()).measurement,
        reading(name).measurement,
    )
    assert found.fwhm_px == pytest.approx(patient.fwhm_px, abs=0.05 * patient.fwhm_err_px)
    assert found.nsig == pytest.approx(patient.nsig, abs=0.05 * patient.nsig_err)
