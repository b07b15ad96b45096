import numpy as np

from autofocus.model import Frame, Measurement
from autofocus.ports import FramePicture
from autofocus.views.termstrip import STRIP_ROWS, UPPER_HALF, terminal_strip

TRACE = Measurement(center_px=100.0, fwhm_px=5.0, slant_px=0.0)


def picture(rows=200, columns=300):
    """Noise, and a bright trace along row 100."""
    pixels = np.random.default_rng(1).normal(100.0, 2.0, (rows, columns))
    pixels[97:104] += 500.0
    return FramePicture("1", Frame(pixels.astype("f4")), window_px=(70.0, 130.0))


def greys(text):
    """The brightness of each character's upper and lower half, rows by columns."""
    lines = text.split("\n")
    return np.array([[brightness(str(span.style)) for span in line.spans] for line in lines])


def brightness(style):
    """The red of ``rgb(9,9,9) on rgb(7,7,7)``, of both."""
    return [int(part.split("(")[1].split(",")[0]) for part in style.split(" on ")]


def test_the_trace_is_the_brightest_line_in_the_middle():
    text = terminal_strip(TRACE, picture(), 60)
    assert text.plain.split("\n") == [UPPER_HALF * 60] * STRIP_ROWS
    halves = greys(text).transpose(0, 2, 1).reshape(2 * STRIP_ROWS, 60)
    assert halves.mean(axis=1).argmax() in (STRIP_ROWS - 1, STRIP_ROWS)
    assert halves[[0, -1]].mean() < 0.5 * halves.max()


def test_it_is_no_wider_than_the_frame_and_empty_without_one():
    assert len(terminal_strip(TRACE, picture(columns=40), 60).plain.split("\n")[0]) == 40
    assert not terminal_strip(TRACE, None, 60)
    assert not terminal_strip(TRACE, FramePicture("1", None), 60)
