"""The page in a browser: what is drawn on a frame is named by what the frame shows."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from autofocus.session import events
from autofocus.views.web.board import Board
from autofocus.views.web.commands import Commands
from autofocus.views.web.server import PageServer
from tests.views.conftest import measurement, picture

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("mode", "trace", "drawn", "profile"),
    [
        ("spectrum", True, "extraction window", "spatial profile"),
        ("stars", False, "rings: the stars that counted", "cut through the brightest star"),
        ("lines", False, "rings: the places of the map, each amid the lines measured there", "profile of a line"),
    ],
)
def test_the_legend_names_what_is_drawn(browser, mode: str, trace: bool, drawn: str, profile: str) -> None:
    one = measurement(1, 9400.0, "sweep", mode=mode)
    shown = picture(1, one)
    shown = shown if trace else replace(shown, trace_px=(), window_px=None)
    board = Board()
    board.attach(SimpleNamespace(get=lambda name: shown))
    board(events.SampleMeasured(number=1, target=9400, name="001", measurement=one))
    with PageServer(board, Commands(board), host="127.0.0.1", port=0) as server:
        page = browser.new_page()
        page.goto(server.url)
        page.locator("#picture img[src^=data]").wait_for()
        assert page.locator("#trace-legend").is_visible() is trace
        assert page.locator("#window-legend").inner_text() == drawn
        assert page.locator("#profile-title").inner_text() == profile
        assert page.locator("#profile-window-legend").is_visible() is trace
        page.close()
