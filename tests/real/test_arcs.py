"""The two real arcs of ../shared/data against the method of IRAF's specfocus, written here anew."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from autofocus.frames.fits import read_frame
from autofocus.measure.lines import reduction
from autofocus.measure.lines.slitimage import SlitImage
from autofocus.model import Flag
from autofocus.settings import MeasureSettings

ARCS = Path(__file__).parents[3] / "shared" / "data" / "sweeps" / "goodman"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not ARCS.is_dir(), reason=f"the real arcs are not here: {ARCS}"),
]


@cache
def cells(name: str) -> list[reduction.Cell]:
    """The places of the field, with their fits and the pixels of their lines."""
    found: list[reduction.Cell] = []
    own = reduction._cell  # to see the pixels of the very lines that were measured

    def keep(*asked: object) -> reduction.Cell | None:
        cell = own(*asked)  # type: ignore[arg-type]
        found.extend([] if cell is None else [cell])
        return cell

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduction, "_cell", keep)
        measured = reduction.measure_lines(read_frame(ARCS / f"{name}.fits"), MeasureSettings()).measurement
    assert measured.dispersion_axis == "x"
    assert not measured.flags
    return found


def specfocus(spectrum: np.ndarray) -> float:
    """Valdes' recipe: continuum off, cosine taper, autocorrelation, spline, width at half of its peak over √2."""
    x = np.arange(spectrum.size)
    low = spectrum <= np.percentile(spectrum, 40)
    left = spectrum - np.polyval(np.polyfit(x[low], spectrum[low], 1), x)
    end = max(spectrum.size // 20, 8)
    ramp = 0.5 * (1.0 - np.cos(np.pi * (np.arange(end) + 0.5) / end))
    taper = np.concatenate([ramp, np.ones(spectrum.size - 2 * end), ramp[::-1]])
    correlation = np.correlate(left * taper, left * taper, "full")[spectrum.size - 1 :][:40]
    lags = np.linspace(0.0, 39.0, 39001)
    fine = CubicSpline(np.arange(40), correlation / correlation[0])(lags)
    return float(2.0 * lags[np.flatnonzero(fine < 0.5)[0]] / np.sqrt(2.0))


def specfocus_of(shape: SlitImage) -> float:
    """What that recipe would say of the shape that we fitted."""
    step = 0.02
    profile = shape.values(np.arange(-40.0, 40.0, step))
    correlation = np.correlate(profile, profile, "same")
    above = np.flatnonzero(correlation >= 0.5 * correlation.max())
    return float((above[-1] - above[0]) * step / np.sqrt(2.0))


def of_the_pixels(cell: reduction.Cell) -> float:
    """Of the brightest line: in a faint one the recipe sees the spike of its noise."""
    brightest = max(cell.pieces, key=lambda piece: float(np.ptp(np.median(piece.values, axis=0)))).line
    lines = [np.median(piece.values, axis=0) for piece in cell.pieces if piece.line == brightest]
    return float(np.median([specfocus(np.pad(line, 40, mode="edge")) for line in lines]))


@pytest.mark.parametrize("name", ["sp_400m1", "sp_400m2"])
def test_widths_agree_with_specfocus(name: str) -> None:
    """Like is compared with like: the autocorrelation width of our shape with that of the pixels, place by place."""
    bright = [cell for cell in cells(name) if cell.field.lines >= 3 and cell.field.fwhm_err_px < 0.05]
    assert len(bright) >= 5
    ratios = np.array([specfocus_of(cell.fit.shape) / of_the_pixels(cell) for cell in bright])
    assert np.median(ratios) == pytest.approx(1.0, abs=0.015)
    assert np.all(np.abs(ratios - 1.0) < 0.04)


@pytest.mark.parametrize("name", ["sp_400m1", "sp_400m2"])
def test_a_half_maximum_is_a_little_wider_than_specfocus_for_the_image_of_a_slit(name: str) -> None:
    """An autocorrelation over √2 is a Gaussian's width; a flat image of a slit it makes narrower, at most by √2."""
    for cell in cells(name):
        assert 0.97 < cell.field.fwhm_px / specfocus_of(cell.fit.shape) < np.sqrt(2.0)


def test_both_arcs_show_the_same_field_from_one_part_of_the_slit_to_the_next() -> None:
    """The slit is sharp from end to end: neighbours along it differ by a few per cent, along the dispersion by more."""
    width = {(cell.field.column, cell.field.row): cell.field.fwhm_px for cell in cells("sp_400m1")}
    for column in {column for column, _ in width}:
        along_slit = [value for (c, _), value in width.items() if c == column]
        assert np.ptp(along_slit) < 0.1 * np.mean(along_slit)
    assert width[4, 1] > 1.4 * width[1, 1]


def test_the_slit_image_without_a_disperser_is_no_arc() -> None:
    measured = reduction.measure_lines(read_frame(ARCS / "im_g_SDSS.fits"), MeasureSettings()).measurement
    assert Flag.NO_TRACE in measured.flags
