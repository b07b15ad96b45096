"""What a frame shows where it does not show what was asked for: said beyond doubt, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autofocus.measure.modes import measure_frame
from autofocus.model import Flag, Frame
from autofocus.settings import MeasureSettings
from tests.measure.lines.arcs import arc, gaussian
from tests.measure.scenes import Scene as Slit
from tests.measure.stars.starfields import Image, Scene, scattered


def shown(frame: Frame, mode: str) -> tuple[str | None, str]:
    found = measure_frame(frame, MeasureSettings(mode=mode)).measurement
    assert Flag.NO_TRACE in found.flags
    return found.shows, found.verdict


def stars(radius_px: float = 0.0, count: int = 20) -> Frame:
    return Scene(scattered(count, 3), Image(3.0, beta=3.5, radius_px=radius_px)).frame(3)


FRAMES = {
    "spectrum": lambda: Slit().star(140.0, 3000.0, slant=6.0).frame(),
    "stars": stars,
    "lines": lambda: arc(gaussian(3.0)),
}


@pytest.mark.parametrize("mode", FRAMES)
@pytest.mark.parametrize("on_it", FRAMES)
def test_a_frame_measured_in_the_wrong_mode_names_the_right_one(on_it, mode):
    if mode == on_it:
        found = measure_frame(FRAMES[on_it](), MeasureSettings(mode=mode)).measurement
        assert (found.mode, found.shows, found.verdict) == (mode, None, "")
        return
    shows, verdict = shown(FRAMES[on_it](), mode)
    assert shows == on_it
    assert verdict.endswith(f"(measure.mode: {on_it})")


def test_a_file_that_does_not_say_its_exposure_shows_as_much():
    assert shown(replace(stars(), exposure_s=None), "spectrum")[0] == "stars"
    assert shown(replace(FRAMES["lines"](), exposure_s=None), "spectrum")[0] == "lines"


@pytest.mark.parametrize("mode", FRAMES)
def test_what_shows_nothing_for_certain_is_not_named(mode):
    noise = np.random.default_rng(1).normal(500.0, 5.0, (300, 400)).astype(np.uint16)
    assert shown(Frame(noise, exposure_s=1.0), mode)[0] is None


@pytest.mark.parametrize("seed", [2, 3])
def test_doughnuts_too_large_to_be_measured_are_not_called_a_spectrum(seed):
    field = Scene(scattered(12, seed, (300, 400), 30.0), Image(4.0, beta=3.5, radius_px=90.0), shape=(300, 400))
    found = measure_frame(field.frame(seed), MeasureSettings(mode="stars")).measurement
    assert found.shows is None


def test_the_emission_lines_of_a_star_are_no_field_of_stars():
    row = tuple((x, 200.0 + 0.01 * x, 60000.0) for x in np.linspace(30.0, 470.0, 9))
    assert shown(Scene(row, Image(3.0)).frame(1), "lines")[0] != "stars"
