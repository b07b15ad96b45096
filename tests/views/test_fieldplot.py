"""Focus over the field in words and pictures."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from autofocus.arcfield import CellFocus, FieldCell, FieldFocus
from autofocus.model import FocusResult, Measurement, Mode
from autofocus.session.fieldtext import field_sentences
from autofocus.views.fieldplot import field_html, surface
from autofocus.views.figures import focus_figure
from autofocus.views.lines import frame_line, result_lines
from autofocus.views.reporttables import frames_table


def field(*, bracketed: bool = True, across: float = -24.0) -> FieldFocus:
    cells = tuple(
        CellFocus(column, row, 120.0 + 240.0 * column, 66.0 + 133.0 * row, 5000.0 + 12.0 * column, 1.5, 3.9, bracketed)
        for column in range(5)
        for row in range(3)
    )
    return FieldFocus(5000.0, 1.2, 60.0, 2.0, across, 3.0, 1.0, 4.0, (1201, 401), cells)


def test_sentences_say_what_cannot_be_told() -> None:
    middle, along, across, curved = field_sentences(field(across=math.nan))
    assert middle == "in the middle of the frame focus is at 5000.0 ± 1.2"
    assert along == "tilt along the dispersion: +60.0 ± 2.0 steps from its first pixel to its last"
    assert "do not reach far enough" in across
    assert "chance" in curved
    assert "15 of 15 places of the field are not bracketed" in field_sentences(field(bracketed=False))[-1]


def test_the_surface_has_the_tilts_between_the_edges() -> None:
    made = field()
    middle = surface(made, 600.0, 200.0)
    assert middle == pytest.approx(5000.0)
    assert surface(made, 1200.0, 200.0) - surface(made, 0.0, 200.0) == pytest.approx(60.0)
    assert surface(made, 600.0, 400.0) - surface(made, 600.0, 0.0) == pytest.approx(-24.0)
    corners = [surface(made, along, across) for along in (0.0, 1200.0) for across in (0.0, 400.0)]
    assert sum(corners) / 4 - middle == pytest.approx(1.0)


def test_the_drawing_is_sound_and_holds_every_place() -> None:
    page = field_html(field(across=math.nan))
    parts = page.split('<svg class="field"')
    assert len(parts) == 3
    the_map, cut = (ET.fromstring('<svg class="field"' + part.split("</svg>")[0] + "</svg>") for part in parts[1:])
    shown = [text.text for text in the_map.iter("text")]
    assert shown.count("0") == 3
    assert shown.count("+48") == 3
    assert len(list(cut.iter("circle"))) == 15
    for point in cut.iter("circle"):
        assert 70 <= float(point.attrib["cx"]) <= 700
        assert 8 <= float(point.attrib["cy"]) <= 198


def test_a_lamp_has_no_light_to_draw_and_says_its_lines() -> None:
    cells = tuple(FieldCell(column, 0, 100.0 * column, 50.0, 4.0, 0.01, 4) for column in range(5))
    one = Measurement("a.fits", 5000.0, 4.0, 0.01, mode="lines", field=cells, field_px=(500, 100), snr=300.0)
    assert frame_line(one) == "a.fits: FWHM = 4.00px | position 5000 | SNR 300 | 20 lines in 5 places"
    figure = focus_figure([one, one], None)
    assert [name for name in figure["layout"] if name.startswith("yaxis")] == ["yaxis"]
    told = result_lines(FocusResult("no_focus", "poor_fit", "No.", "fwhm", measurements=(one,)))
    assert told[0] == "No."


@pytest.mark.parametrize(
    ("mode", "head", "said"),
    [
        ("spectrum", ">trace<", "from left to right"),
        ("lines", ">lines<", "from left to right"),
        ("stars", ">star<", "about the brightest star"),
    ],
)
def test_the_strips_are_called_what_they_show(mode: Mode, head: str, said: str) -> None:
    told = frames_table([], [Measurement("a.fits", 5000.0, 4.0, 0.01, mode=mode)], pictures=True)
    assert head in told
    assert said in told
