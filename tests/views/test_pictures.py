"""The pictures that Pillow draws: what they mark is where it should be."""

import io

import numpy as np
import pytest
from PIL import Image

from autofocus.arcfield import FieldCell
from autofocus.model import FocusCurves, Frame, Measurement
from autofocus.ports import FramePicture
from autofocus.views.curvepicture import LEFT, RIGHT, TOP, colour_of, figure_png, ticks
from autofocus.views.figures import COLOURS, focus_figure
from autofocus.views.framepicture import TRACE_COLOUR, WINDOW_COLOUR, broken, dashes, framepicture_png
from autofocus.views.strips import cut_strip, profile_points
from tests.views.conftest import BEST_AT, CURVES, SERIES, measurement, picture


def drawn(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def like(pixels, colour, tolerance=40):
    return np.abs(pixels - np.array(colour[:3])).max(axis=-1) <= tolerance


@pytest.mark.parametrize("axis", ["x", "y"])
def test_trace_and_window_lie_where_they_were_found(axis):
    shape, along = ((300, 900), np.linspace(0, 899, 10))
    trace = [(float(x), 140.0) for x in along]
    one = Measurement("f.fits", 9400.0, 5.0, center_px=140.0, dispersion_axis=axis)
    raw = np.full(shape, 500, dtype="u2")
    if axis == "y":
        raw, trace = raw.T, [(y, x) for x, y in trace]
    pixels = drawn(framepicture_png(FramePicture("f", Frame(raw=raw), trace_px=trace, window_px=(110.0, 170.0)), one))
    seen = pixels[: raw.shape[0], : raw.shape[1]]
    seen = seen if axis == "x" else seen.transpose(1, 0, 2)
    assert np.flatnonzero(like(seen, WINDOW_COLOUR).mean(axis=1) > 0.95).tolist() == [110, 170]
    # 5 px of every 14 are marked, so that the trace shows between the marks
    marked = like(seen, TRACE_COLOUR).mean(axis=1)
    assert marked.argmax() == 140
    assert 0.25 < marked[140] < 0.6
    assert pixels.shape[0] > raw.shape[0]  # the numbers stand below the picture, not on it


def test_a_frame_without_a_trace_and_a_hostile_name_still_have_a_picture():
    frame = Frame(raw=np.full((30, 40), 7, dtype="u2"))
    png = framepicture_png(FramePicture("x", frame), Measurement("\x1b[2J" + "very long name " * 40))
    assert drawn(png).shape[1] == 640  # a small frame is enlarged
    assert framepicture_png(FramePicture("x", None), Measurement()) is None


def test_dashes_are_as_long_as_they_should_be_across_corners():
    cut = list(dashes([(0.0, 0.0), (3.0, 0.0), (3.0, 25.0)]))
    lengths = [abs(x1 - x0) + abs(y1 - y0) for (x0, y0), (x1, y1) in cut]
    assert sum(lengths) == pytest.approx(10.0)  # 28 px: two periods of 5 + 9
    assert cut[0] == ((0.0, 0.0), (3.0, 0.0))
    assert cut[1][1] == pytest.approx((3.0, 2.0))


def test_the_curve_picture_marks_best_focus_and_both_curves():
    pixels = drawn(figure_png(focus_figure(SERIES, CURVES)))
    assert pixels.shape == (900, 1200, 3)
    dark = like(pixels, (17, 17, 17), 60)[TOP + 5 : 400]
    column = dark.sum(axis=0)[LEFT + 5 : -RIGHT - 5].argmax() + LEFT + 5
    low, high = 9300.0 - 0.06 * 120, 9420.0 + 0.06 * 120
    expected = LEFT + (BEST_AT - low) / (high - low) * (1200 - LEFT - RIGHT)
    assert column == pytest.approx(expected, abs=1.5)
    for name in ("fwhm", "nsig"):
        colour = colour_of(getattr(COLOURS["light"], name))
        rows = np.flatnonzero(like(pixels, colour, 20)[:, LEFT + 5 : -RIGHT].sum(axis=1) > 3)
        panel = (TOP, 440) if name == "fwhm" else (440, 850)
        assert rows.size > 100
        assert panel[0] <= np.median(rows) <= panel[1]


@pytest.mark.parametrize("series", [[], [Measurement()], SERIES[:1]])
def test_a_curve_picture_of_next_to_nothing_is_no_fault(series):
    assert drawn(figure_png(focus_figure(series, FocusCurves()))).shape == (900, 1200, 3)


def test_ticks_are_round_and_inside():
    assert ticks(9292.8, 9427.2) == pytest.approx([9300.0, 9350.0, 9400.0])
    assert ticks(3.7, 10.2) == pytest.approx([4.0, 6.0, 8.0, 10.0])
    assert ticks(-0.1, 0.11) == pytest.approx([-0.1, -0.05, 0.0, 0.05, 0.1])


def test_a_strip_holds_the_trace_whichever_way_the_spectrum_runs():
    one = SERIES[3]
    lying = cut_strip(0, one, picture(4, one))
    shown = picture(4, one)
    upright = FramePicture(shown.name, Frame(raw=shown.frame.raw.T), window_px=shown.window_px)
    standing = cut_strip(0, measurement(4, 9330.0, "sweep", dispersion_axis="y"), upright)
    np.testing.assert_allclose(lying.pixels, standing.pixels)
    rows = lying.pixels.shape[0]
    assert lying.pixels.mean(axis=1).argmax() == pytest.approx(rows / 2, abs=1)
    # 900 px make squares of 2; the window of ± 30 px and some sky are 41 rows of them and a little more
    assert lying.pixels.shape == (pytest.approx(42, abs=2), 450)


def test_a_frame_without_trace_or_preview_has_what_can_be_had():
    blind = measurement(1, 9300.0, "sweep", center_px=float("nan"), slant_px=float("nan"))
    assert cut_strip(0, blind, picture(1, SERIES[0])).pixels.shape[1] == 450
    nothing = cut_strip(0, blind, None)
    assert nothing.pixels is None
    assert profile_points(nothing) == ("", "")


@pytest.mark.parametrize("axis", ["x", "y"])
def test_the_places_where_an_arcs_lines_were_measured_are_ringed(axis):
    cells = (FieldCell(0, 0, 200.0, 60.0, 8.0, 0.1, 3), FieldCell(1, 0, 700.0, 240.0, 2.0, 0.1, 3))
    arc = Measurement("f.fits", 9400.0, 5.0, mode="lines", field=cells, field_px=(900, 300), dispersion_axis=axis)
    frame = Frame(np.full((300, 900) if axis == "x" else (900, 300), 500, np.uint16))
    marked = like(drawn(framepicture_png(FramePicture("f", frame=frame), arc)), WINDOW_COLOUR)
    marked = (marked if axis == "x" else marked.T)[:300, :900]
    for cell, radius in ((cells[0], 10.0), (cells[1], 6.0)):
        rows, columns = np.nonzero(marked[:, slice(0, 450) if cell.column == 0 else slice(450, 900)])
        distance = np.hypot(rows - cell.across_px, columns + 450 * cell.column - cell.along_px)
        assert distance.size > 4 * radius
        assert np.abs(distance - radius).max() < 2.0


def test_a_caption_is_broken_between_its_parts_and_a_long_part_between_its_words() -> None:
    text = "a.fits: FWHM = 4.96px | NSIG = 51.67 | SNR 16"
    assert broken(text, 30, len) == ["a.fits: FWHM = 4.96px", "NSIG = 51.67 | SNR 16"]
    verdict = "field.fits: FWHM = n/a | light in places but no continuous trace: the frame shows stars | no_trace"
    lines = broken(verdict, 40, len)
    assert max(map(len, lines)) <= 40
    assert " ".join(lines).replace(" | ", " ").split() == verdict.replace(" | ", " ").split()
    assert broken("unbreakable-and-long", 5, len) == ["unbreakable-and-long"]
