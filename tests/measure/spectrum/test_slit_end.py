"""A star on a piece of slit that the sky lights: its ends, sharp or blurred, are neither background nor star."""

import numpy as np
import pytest

from autofocus.measure.spectrum.fitting.slit_end import slit_ends
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Flag
from autofocus.settings import MeasureSettings
from tests.measure.scenes import Scene
from tests.measure.spectrum.test_background import light_of

DEFAULT = MeasureSettings()
OFFSETS = np.arange(-75, 76)
ERROR = 0.5


def lit(low, high, blur):
    """A band of height 1, its ends (10 to 90 %) some 2.2 ``blur`` wide."""
    return 0.25 * (1.0 + np.tanh((OFFSETS - low) / blur)) * (1.0 + np.tanh((high - OFFSETS) / blur))


def wings(width, height):
    return height * (1.0 + np.square(2.0 * OFFSETS / width) * (2.0 ** (1.0 / 3.0) - 1.0)) ** -3.0


def noise(seed):
    return np.random.default_rng(seed).normal(0.0, ERROR, OFFSETS.size)


@pytest.mark.parametrize("blur", [0.5, 2.0, 6.0])
@pytest.mark.parametrize(("low", "high"), [(-40, 35), (-25, 200), (-200, 50), (-30, 45)])
def test_the_ends_of_a_slit_are_found_just_inside_the_fall(low, high, blur):
    for seed in range(20):
        profile = 100.0 * lit(low, high, blur) + wings(4.0, 30.0) + noise(seed)
        first, last = slit_ends(OFFSETS, profile, ERROR, 4.0)
        for found, end in ((-first, -low), (last, high)):
            if end > OFFSETS[-1]:
                assert found == OFFSETS[-1]
            else:
                assert end - 5.0 * blur - 6.0 < found <= end
        rest = profile[(first <= OFFSETS) & (last >= OFFSETS) & (np.abs(OFFSETS) > 12)]
        assert np.all(np.abs(rest - 100.0) < 0.03 * 100.0 + 6.0 * ERROR)


@pytest.mark.parametrize("width", [2.0, 4.0, 10.0, 20.0])
def test_the_wings_of_a_star_a_slope_and_a_curve_are_no_ends(width):
    grounds = (0.0 * OFFSETS, 2.0 * OFFSETS, -0.05 * OFFSETS**2, 0.05 * OFFSETS**2, 40.0 * np.cos(OFFSETS / 40.0))
    for seed, ground in enumerate(grounds):
        profile = wings(width, 5000.0) + ground + noise(seed)
        assert slit_ends(OFFSETS, profile, ERROR, width) == (-75, 75)


def test_the_other_rim_of_a_doughnut_and_a_star_beside_are_no_ends():
    d = np.abs(OFFSETS + 20.0)  # one rim at 0 was followed
    hollow = 100.0 * (d < 28.0) - 60.0 * (d < 12.0)
    beside = wings(4.0, 100.0) + 300.0 * (np.abs(OFFSETS - 40.0) < 10.0)
    for profile, width in ((hollow, 10.0), (beside, 4.0)):
        assert slit_ends(OFFSETS, profile + noise(3), ERROR, width) == (-75, 75)


def test_another_star_or_a_bad_row_does_not_move_the_end():
    profile = 100.0 * lit(-40, 45, 2.0) + wings(4.0, 60.0) + noise(5)
    beside = 30.0 * np.exp(-4.0 * np.log(2.0) * np.square((OFFSETS - 15) / 4.0))
    alone, accompanied = (slit_ends(OFFSETS, one, ERROR, 4.0) for one in (profile, profile + beside))
    assert accompanied == pytest.approx(alone, abs=2)
    assert alone == pytest.approx((-36, 40), abs=5)
    for row, value in ((75, 2000.0), (74, 0.0), (-75, -300.0)):
        flat = 100.0 + wings(4.0, 60.0) + noise(6)
        flat[row == OFFSETS] = value
        assert slit_ends(OFFSETS, flat, ERROR, 4.0) == (-75, 75)


@pytest.mark.parametrize("place", [172.0, 178.0])
@pytest.mark.parametrize("brighter", [False, True])
def test_a_star_beyond_the_rows_that_count_is_no_ghost(place, brighter):
    scene = Scene(shape=(300, 1400), seed=1).sky(150.0, 12, 600.0, (110.0, 195.0), 3.0)
    light_beside, most = (2400.0, 2400.0) if brighter else (1000.0, 1500.0)
    frame = scene.star(150, 1500.0, 4.0, slant=6).star(place, light_beside, 4.0, slant=6).frame()
    found = measure_spectrum(frame, DEFAULT).measurement
    light, error = light_of(found)
    assert light == pytest.approx(most, abs=3.5 * error + 0.03 * most)
    assert error < 60.0


def test_a_dead_row_beside_the_slit_is_not_the_light_that_ends():
    def spoil(_, adu):
        adu = adu.copy()
        adu[205] = 0
        return adu

    scene = Scene(shape=(300, 1400), seed=1, bias=3000.0).sky(150.0, 12, 600.0, (110.0, 195.0), 3.0)
    found = measure_spectrum(scene.star(150, 300.0, 4.0).frame(spoil), DEFAULT).measurement
    assert found.fwhm_px == pytest.approx(4.0, abs=4.0 * found.fwhm_err_px)
    assert found.fwhm_err_px < 0.3


@pytest.mark.parametrize("edge", [1.0, 3.0, 6.0])
@pytest.mark.parametrize(("slit", "width"), [((110.0, 195.0), 4.0), ((90.0, 215.0), 9.0), ((60.0, 190.0), 6.0)])
def test_width_and_light_of_a_star_on_a_short_slit_full_of_sky(slit, width, edge):
    for seed in (1, 2, 3):
        scene = Scene(shape=(300, 1400), seed=seed).sky(150.0, 12, 600.0, slit, edge).star(150, 1500.0, width, slant=6)
        found = measure_spectrum(scene.frame(), DEFAULT).measurement
        light, error = light_of(found)
        assert found.center_px == pytest.approx(150.0, abs=0.5)
        assert found.fwhm_px == pytest.approx(width, abs=3.5 * found.fwhm_err_px + 0.03 * width)
        assert light == pytest.approx(1500.0, abs=3.5 * error + 0.02 * 1500.0)
        assert found.fwhm_err_px < 0.1 * width
        ends_near = min(150.0 - slit[0], slit[1] - 150.0) - 2.0 * edge < 24.0
        assert not ends_near or Flag.TRUNCATED_WINDOW in found.flags
