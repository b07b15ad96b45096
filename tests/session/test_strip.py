"""A strip about the trace: when it is read, when it is given up."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from autofocus.model import Flag, Measurement
from autofocus.session.strip import Strip
from autofocus.settings import CameraSettings, FocuserSettings, Settings

SENSOR = (1900, 1000)


@dataclass
class Camera:
    used: list[tuple[int, int, int, int]] = field(default_factory=list)
    facts: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(width_px=SENSOR[0], height_px=SENSOR[1]))

    def use_subframe(self, *part: int) -> None:
        self.used.append(part)


@pytest.fixture
def rig():
    def make(roi="auto", **camera_settings):
        camera, warned = Camera(), []
        settings = Settings(
            camera=CameraSettings(address="h:1", roi=roi, **camera_settings), focuser=FocuserSettings(address="h:1")
        )
        return Strip(camera, settings, SimpleNamespace(warn=warned.append)), camera, warned

    return make


def trace(center, fwhm=5.0, axis="x", **changes):
    return Measurement(center_px=center, fwhm_px=fwhm, slant_px=4.0, dispersion_axis=axis, **changes)


def test_the_strip_holds_the_trace_its_wings_and_background(rig):
    strip, camera, warned = rig()
    strip.adjust([trace(600.0, fwhm=30.0)])
    [(x, y, width, height)] = camera.used
    assert (x, width) == (0, SENSOR[0])
    assert y <= 600 - 6 * 30
    assert y + height >= 600 + 6 * 30
    assert height < 0.5 * SENSOR[1]
    assert warned == []


def test_a_vertical_trace_is_cut_out_of_the_columns(rig):
    strip, camera, _ = rig()
    strip.adjust([trace(1500.0, axis="y")])
    [(x, y, width, height)] = camera.used
    assert (y, height) == (0, SENSOR[1])
    assert x < 1500 < x + width < 1700


def test_binned_pixels_are_meant(rig):
    strip, camera, _ = rig(binning=2)
    strip.adjust([trace(250.0)])
    [(_, y, width, height)] = camera.used
    assert width == SENSOR[0] // 2
    assert y + height <= SENSOR[1] // 2


def test_a_wider_trace_widens_the_strip_and_a_narrower_one_leaves_it(rig):
    strip, camera, _ = rig()
    taken = [trace(600.0, fwhm=20.0)]
    strip.adjust(taken)
    first = camera.used[0]
    taken += [trace(600.0 - first[1], fwhm=5.0)]
    strip.adjust(taken)
    assert camera.used == [first]
    taken += [trace(600.0 - first[1], fwhm=35.0)]
    strip.adjust(taken)
    assert camera.used[-1][3] > first[3]
    assert camera.used[-1][1] + camera.used[-1][3] / 2 == pytest.approx(600.0, abs=2)


@pytest.mark.parametrize(
    "shown", [Measurement(flags=(Flag.NO_TRACE,)), trace(195.0)], ids=["nothing there", "mirrored"]
)
def test_a_strip_without_the_trace_is_given_up_for_good(rig, shown):
    strip, camera, warned = rig()
    taken = [trace(700.0)]
    strip.adjust(taken)
    taken.append(shown)
    strip.adjust(taken)
    assert camera.used[-1] == (0, 0, *SENSOR)
    assert "mirror" in warned[0]
    taken.append(trace(700.0))
    strip.adjust(taken)
    assert len(camera.used) == 2


def test_no_strip_unless_asked_for_or_worth_it(rig):
    strip, camera, _ = rig(roi=None)
    strip.adjust([trace(600.0)])
    assert camera.used == []
    strip, camera, _ = rig()
    strip.adjust([trace(500.0, fwhm=90.0)])
    assert camera.used == []
