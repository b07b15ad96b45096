"""The arc lamp of the bench: its lines against plain convolution, its field against the plane it was given."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.instruments import instrument
from simulators.lamp import CameraField, Lamp
from simulators.sensor import Readout
from simulators.spectrum import Window

STEP = 1.0 / 64.0


def convolved_width(slit_px: float, radius_px: float, hole: float, blur_px: float) -> float:
    u = np.arange(-80.0, 80.0 + STEP / 2, STEP)
    profile = np.exp(-4 * np.log(2) * np.square(u / blur_px))
    ring = np.sqrt(np.maximum(radius_px**2 - u**2, 0)) - hole * np.sqrt(
        np.maximum(hole**2 * radius_px**2 - u**2, 0)
    ) / max(hole, 1e-9)
    for box in (np.abs(u) <= 0.5 * slit_px, np.abs(u) <= 0.5, ring):
        profile = np.convolve(profile, box, "same")
    above = np.flatnonzero(profile >= 0.5 * profile.max())
    return float((above[-1] - above[0] + 1) * STEP)


@pytest.mark.parametrize("name", ["starex", "lhires"])
@pytest.mark.parametrize("off", [20.0, 60.0, 150.0])
def test_width_of_a_line(name: str, off: float) -> None:
    own = instrument(name)
    lamp = Lamp(own, 1.0, CameraField())
    radius = float(lamp.radius_px(own.focus_steps + off))
    expected = convolved_width(lamp.slit_px, radius, own.obstruction, own.blur_px)
    assert lamp.fwhm_px(own.focus_steps + off) == pytest.approx(expected, abs=3 * STEP)


def test_light_is_kept_however_far_out_of_focus() -> None:
    own = instrument("starex")
    lamp = Lamp(own, 1.0, CameraField(tilt_along=100.0))
    window = Window(0, 500, own.sensor_px[0], 4)
    sharp, soft = (lamp.picture(own.focus_steps + off, window).sum() for off in (0.0, 90.0))
    assert soft == pytest.approx(sharp, rel=0.01)
    assert sharp == pytest.approx(4 * lamp.light_e_s.sum(), rel=0.01)


def test_focus_lies_on_the_plane_and_the_bowl_that_were_asked_for() -> None:
    field = CameraField(tilt_along=60.0, tilt_across=-24.0, curvature=20.0)
    size = (1200, 500)
    assert field.offset(1.0, 0.0, size) - field.offset(-1.0, 0.0, size) == pytest.approx(60.0)
    assert field.offset(0.0, 1.0, size) - field.offset(0.0, -1.0, size) == pytest.approx(-24.0)
    corners = [float(field.offset(u, v, size)) for u in (-1, 1) for v in (-1, 1)]
    assert np.mean(corners) - float(field.offset(0.0, 0.0, size)) == pytest.approx(20.0)


def test_the_bench_shows_the_lamp_in_place_of_the_star(make_bench, clock) -> None:
    bench = make_bench(lamp=1.0, sensor_px=(600, 300), start_offset_steps=0, still=True)
    assert bench.truth("snr") == bench.truth("fwhm") == bench.instrument.focus_steps
    assert bench.fwhm_px(bench.truth("fwhm")) < bench.fwhm_px(bench.truth("fwhm") + 40)
    begun = bench.start_exposure(2.0)
    clock.sleep(2.0)
    frame = bench.frame(begun, Readout(Window(0, 0, 600, 300))).astype(float) - bench.sensor.bias(50)
    columns = frame.mean(axis=0)
    assert columns.max() > 50 * np.median(columns)  # lines across the whole slit, nothing between them
    rows = frame.mean(axis=1)
    assert rows.std() < 0.1 * rows.mean()
