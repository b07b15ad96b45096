"""A manual session in a terminal."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from autofocus.companion.degradation import Change
from autofocus.companion.watch import Counsel
from autofocus.model import BestFocus, CurveFit, FocusCurves, Measurement
from autofocus.views.companion import CompanionView, headline, strip
from autofocus.views.curveplot import ASCII

LINE = tuple((float(x), 4.0 + abs(x - 120) / 10) for x in range(100, 141))
CURVES = FocusCurves(
    CurveFit("fwhm", "test", 120.0, 1.5, 4.0, 5, 0.9, line=LINE), None, BestFocus("fwhm", 120.0, 1.5, 110.0, 130.0)
)


def measured(position: float | None, fwhm: float = 5.0, file: str = "a.fits") -> Measurement:
    return Measurement(file, position, fwhm, 0.1, nsig=100.0 / fwhm, nsig_err=1.0)


class Screen:
    """A view on a terminal that remembers what was written, and the keys it heard."""

    def __init__(self, width: int = 100, height: int = 40) -> None:
        self.out, self.keys = io.StringIO(), []
        console = Console(file=self.out, force_terminal=True, width=width, height=height, color_system=None)
        self.view = CompanionView(
            console, "/night", stop=lambda: self.keys.append("stop"), new_series=lambda: self.keys.append("new")
        )

    def shown(self) -> str:
        """What is drawn now."""
        console = Console(file=io.StringIO(), width=100, height=40, color_system=None)
        console.print(self.view._render())
        return console.file.getvalue()  # type: ignore[attr-defined]


def test_lines_scroll_above_and_curves_and_advice_stand_below() -> None:
    screen = Screen()
    with screen.view as view:
        assert "waiting for the first frame  ·  /night" in screen.shown()
        for position in (100, 110, 120, 130, 140):
            view.frame(measured(position, 4.0 + abs(position - 120) / 10))
        view.counsel(Counsel("", CURVES, ("best focus 120 ± 1.5 (narrowest)", "move in about 20 to 120")))
        shown = screen.shown()
    assert screen.out.getvalue().count("a.fits: FWHM = 4.00px") == 1
    assert "5 frames in this series  ·  the last at " in shown
    assert "FWHM, px: best at 120.0 ± 1.5" in shown
    assert shown.count("o") + shown.count("●") >= 10
    assert shown.splitlines()[-2].strip() == "move in about 20 to 120"
    assert shown.splitlines()[-1].strip() == "q ends   n begins a new series"
    assert screen.out.getvalue().rfind("\x1b[?25h") > screen.out.getvalue().rfind("\x1b[?25l") >= 0


def test_without_positions_both_numbers_by_time() -> None:
    screen = Screen()
    for number, width in enumerate((6.0, 5.0, 4.0, 4.5)):
        screen.view.frame(measured(None, width, f"{number}.fits"))
    shown = screen.shown()
    assert "FWHM, px: 4.5, best 4" in shown
    assert "NSIG, ADU/s: 22.22, best 25" in shown


def test_a_strip_passes_over_what_was_not_measured() -> None:
    frames = [measured(None, width) for width in (6.0, math.nan, 4.0)]
    rows = strip(frames, "fwhm", 21, ASCII)
    assert rows[0].startswith("FWHM, px: 4, best 4")
    assert sum(row.count("o") for row in rows[1:]) == 2
    assert strip([measured(None, math.nan)], "fwhm", 21, ASCII)[0].startswith("FWHM: nothing yet")


def test_a_new_series_clears_the_curves() -> None:
    screen = Screen()
    screen.view.frame(measured(100))
    screen.view.counsel(Counsel("", CURVES, ("old advice",)))
    screen.view.press("n")
    assert screen.keys == ["new"]
    assert "a new series begins with the next frame" in screen.shown()
    assert "old advice" not in screen.shown()
    screen.view.began("another star: Vega")
    screen.view.frame(measured(500))
    assert "1 frame in this series" in screen.shown()
    assert "new series: another star: Vega" in screen.out.getvalue()


@pytest.mark.parametrize("key", ["q", "Q", "\x03"])
def test_keys_that_end_it(key: str) -> None:
    screen = Screen()
    screen.view.press(key)
    screen.view.press("x")
    assert screen.keys == ["stop"]


def test_everything_else_is_a_line() -> None:
    screen = Screen()
    screen.view.unreadable("b.fits", "it is empty\x1b[2J")
    screen.view.ended("5 frames of Vega: best focus 120 ± 1.5 (narrowest)")
    screen.view.changed(Change("degraded", "refocus now: FWHM 5.00 -> 7.00"))
    written = screen.out.getvalue()
    assert "b.fits: it is empty\\x1b[2J" in written
    assert "5 frames of Vega: best focus 120" in written
    assert "refocus now: FWHM 5.00 -> 7.00" in screen.shown()


def test_nothing_from_outside_steers_the_terminal() -> None:
    screen = Screen()
    screen.view.frame(replace(measured(None), file="\x1b]0;title\x07[bold].fits"))
    screen.view.counsel(Counsel("", None, ("narrowest so far \x1b[2J[red].fits",)))
    assert "\\x1b]0;title\\x07[bold].fits" in screen.out.getvalue()
    assert "\\x1b[2J[red].fits" in screen.shown()


@pytest.mark.parametrize("height", [10, 24, 50])
def test_a_low_terminal_goes_without_curves(height: int) -> None:
    screen = Screen(height=height)
    screen.view.frame(measured(100))
    assert len(list(screen.view._render().renderables)) == (2 if height == 10 else 3)  # type: ignore[attr-defined]


def test_the_headline_says_one_frame_in_the_singular() -> None:
    assert headline([measured(1)], "21:14:05", "x") == "1 frame in this series  ·  the last at 21:14:05  ·  x"
