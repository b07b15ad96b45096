"""The width of an arc's lines against analytic truths, and its error against repeats."""

from __future__ import annotations

import numpy as np
import pytest
from arcs import Line, arc, gaussian, slit_image

from autofocus.measure.lines.reduction import measure_lines
from autofocus.measure.lines.slitimage import HIGH, LOW, SIZE, SlitImage
from autofocus.model import Measurement
from autofocus.settings import MeasureSettings


def measured(line: Line, **how: object) -> Measurement:
    return measure_lines(arc(line, **how), MeasureSettings()).measurement


@pytest.mark.parametrize(
    ("line", "light", "percent"),
    [
        (gaussian(1.55), 30000.0, 0.3),  # 1.7 px with the pixel
        (gaussian(2.2), 30000.0, 0.3),
        (gaussian(6.0), 30000.0, 0.3),
        (gaussian(3.0), 900.0, 0.6),
        (slit_image(1.5, 3.0, 0.0), 30000.0, 0.3),
        (slit_image(1.5, 6.0, 0.0), 30000.0, 0.3),
        (slit_image(1.5, 5.0, 3.0), 30000.0, 0.6),
        (slit_image(1.5, 3.0, 10.0), 60000.0, 1.0),
    ],
    ids=["1.7 px", "2.3 px", "6 px", "3 px, faint", "slit 3", "slit 6", "slit 5, a little out", "slit 3, far out"],
)
def test_true_width(line: Line, light: float, percent: float) -> None:
    places = np.linspace(60, 1140, 12) if line.fwhm_px > 10 else None
    frame = measured(line, light=light, places=places)
    assert frame.mode == "lines"
    assert frame.fwhm_px == pytest.approx(line.fwhm_px, rel=percent / 100)
    assert 0 < frame.fwhm_err_px < 0.01 * line.fwhm_px
    assert len(frame.field) >= 12


def test_lines_that_stand_upright_on_the_pixels_are_as_true() -> None:
    """Every row then samples the line at the same phase; other lines have others."""
    line = gaussian(1.55)
    frame = measured(line, light=30000.0, lean=0.0, bow=0.0)
    assert frame.fwhm_px == pytest.approx(line.fwhm_px, rel=0.003)


@pytest.mark.parametrize("light", [30000.0, 1500.0])
def test_errors_are_what_repeats_scatter(light: float) -> None:
    """Each place of the field, over seeds: its scatter about its own mean in units of its error."""
    line = slit_image(1.5, 3.0, 0.0)
    frames = [measured(line, light=light, seed=seed) for seed in range(8)]
    places: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for frame in frames:
        for cell in frame.field:
            places.setdefault((cell.column, cell.row), []).append((cell.fwhm_px, cell.fwhm_err_px))
    pulls = []
    for values in places.values():
        width, error = np.array(values).T
        pulls += list((width - width.mean()) / error * np.sqrt(width.size / (width.size - 1)))
    assert len(pulls) > 100
    assert 0.8 < np.std(pulls) < 1.25


def test_width_grows_with_defocus_throughout() -> None:
    places = np.linspace(60, 1140, 12)
    lines = [slit_image(1.5, 4.0, radius) for radius in (0.0, 2.0, 3.0, 4.0, 6.0, 9.0, 13.0, 18.0)]
    widths = [measured(line, light=60000.0, places=places).fwhm_px for line in lines]
    truths = [line.fwhm_px for line in lines]
    assert widths == pytest.approx(truths, rel=0.015)
    assert np.all(np.diff(widths[1:]) > 0)  # a shadow narrower than the slit leaves its half maxima where they are


def test_a_leaning_line_is_no_wider() -> None:
    line = gaussian(2.5)
    upright, leaning = (measured(line, lean=lean, shape=(240, 800)).fwhm_px for lean in (0.0, 12.0))
    assert leaning == pytest.approx(upright, rel=0.004)


def test_both_directions_of_the_dispersion() -> None:
    line = gaussian(2.5)
    along_x, along_y = (measured(line, vertical=vertical) for vertical in (False, True))
    assert (along_x.dispersion_axis, along_y.dispersion_axis) == ("x", "y")
    assert along_y.fwhm_px == pytest.approx(along_x.fwhm_px, rel=1e-9)
    assert along_y.field == along_x.field
    assert along_x.field_px == along_y.field_px == (1200, 120)


def test_derivatives_of_the_shape() -> None:
    rng = np.random.default_rng(3)
    distance, small = np.linspace(-6.0, 6.0, 25)[None], 1e-6
    for _ in range(5):
        form = np.clip(rng.uniform(-0.5, 0.5, SIZE), LOW + 0.01, HIGH - 0.01)
        made = SlitImage(form).gradient(distance, 1.1)
        by_distance = SlitImage(form).values(distance + small, 1.1) - SlitImage(form).values(distance - small, 1.1)
        assert made[0] == pytest.approx(SlitImage(form).values(distance, 1.1), abs=1e-12)
        assert made[1] == pytest.approx(by_distance / (2 * small), abs=1e-7)
        for index in range(SIZE):
            step = small * np.eye(SIZE)[index]
            change = SlitImage(form + step).values(distance, 1.1) - SlitImage(form - step).values(distance, 1.1)
            assert made[2 + index] == pytest.approx(change / (2 * small), abs=1e-7)
