"""Width and light of a star on backgrounds that are not straight: leaning sky lines, glow, gaps of the slit, stars."""

from dataclasses import replace

import numpy as np
import pytest

from autofocus.measure.spectrum.fitting.bow import bow
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Flag
from autofocus.settings import MeasureSettings
from tests.measure.scenes import Scene

DEFAULT = MeasureSettings()
OFFSETS = np.arange(-75, 76)


def light_of(found) -> tuple[float, float]:
    """All light, e- per column, and its error, of a frame of 10 s and 1.5 e-/ADU."""
    light = 15.0 * found.nsig / found.window_fraction
    return light, light * float(
        np.hypot(found.nsig_err / found.nsig, found.window_fraction_err / found.window_fraction)
    )


def leaning_sky(scene: Scene, per_row: float, count: int = 30) -> Scene:
    """Bright lines of the sky that lean by so many columns per row."""
    for k, place in enumerate(np.random.default_rng(7).uniform(0.0, scene.shape[1], count)):
        d = scene.x[None, :] - place - per_row * (scene.rows - 0.5 * scene.shape[0])
        scene.add((500.0 + 4000.0 * ((k * 7) % 10) / 10) * np.exp(-0.5 * (d / 1.4) ** 2))
    return scene


@pytest.mark.parametrize("per_row", [0.0, 0.02, 0.035])
@pytest.mark.parametrize("flux", [500.0, 5000.0])
def test_sky_lines_that_lean_are_no_cosmic_rays(per_row, flux):
    errors = []
    for seed in (1, 2, 3):
        scene = leaning_sky(Scene(shape=(300, 1400), seed=seed).star(150, flux, 4.0), per_row)
        found = measure_spectrum(scene.frame(), DEFAULT).measurement
        light, error = light_of(found)
        errors.append(error)
        assert found.fwhm_px == pytest.approx(4.0, abs=3.5 * found.fwhm_err_px + 0.04)
        assert light == pytest.approx(flux, abs=3.5 * error + 0.005 * flux)
    # That of the photons of the sky, 40 ADU in the mean; more where its background seems to curve.
    assert np.median(errors) < 25.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_light_above_a_background_that_curves(sign):
    for seed in (1, 2):
        scene = Scene(shape=(300, 1000), seed=seed).star(150, 800.0, 4.5)
        scene.add(60.0 + sign * 40.0 * np.square((scene.rows - 170.0) / 100.0) * np.ones(1000))
        light, error = light_of(measure_spectrum(scene.frame(), DEFAULT).measurement)
        assert light == pytest.approx(800.0, abs=3.5 * error)
        assert error < 120.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_pixels_above_a_background_that_curves_are_told_as_they_were_read(sign):
    scene = Scene(shape=(300, 1000)).star(150, 900000.0, 25.0)
    scene.add(400.0 + sign * 60.0 * np.square((scene.rows - 150.0) / 100.0) * np.ones(1000))
    frame = replace(scene.frame(lambda _, adu: np.minimum(adu, 12000.0)), saturation_adu=12000.0)
    reading = measure_spectrum(frame, DEFAULT)
    found, drawn = reading.measurement, reading.profile
    assert found.saturated_px == np.count_nonzero(frame.raw[:, 450:550] >= 12000) > 1000
    assert found.peak_adu == pytest.approx(12000.0, abs=0.01)
    rows = slice(max(drawn.start_px, 0), drawn.start_px + drawn.values.size)
    seen = drawn.values[rows.start - drawn.start_px :][: 300 - rows.start]
    assert seen == pytest.approx(frame.raw[rows, 450:550].mean(axis=1), abs=1.0)


@pytest.mark.parametrize("height", [300.0, 600.0, -300.0])
def test_a_background_so_steep_that_its_rows_seem_impossible(height):
    """At the ends of the strip it is ten times the noise of a pixel away from a straight line."""
    for flux in (800.0, 8000.0):
        scene = Scene(shape=(300, 1000), seed=1).star(150, flux, 4.5)
        scene.add(max(60.0, 60.0 - 2.5 * height) + height * np.square((scene.rows - 170.0) / 100.0) * np.ones(1000))
        found = measure_spectrum(scene.frame(), DEFAULT).measurement
        light, error = light_of(found)
        assert found.fwhm_px == pytest.approx(4.5, abs=3.5 * found.fwhm_err_px)
        assert light == pytest.approx(flux, abs=3.5 * error + 0.005 * flux)


def test_wings_of_a_star_are_no_bow_and_noise_is_none():
    rng = np.random.default_rng(3)
    wings = 4000.0 * (1.0 + np.square(OFFSETS / 3.0)) ** -2.2
    for star in (0.0 * wings, wings):
        noisy = [300.0 + star + rng.normal(0.0, 0.5, OFFSETS.size) for _ in range(200)]
        curvatures = [bow(OFFSETS, profile, 0.5, (-75, 75), 4.0, 15.0).curvature for profile in noisy]
        assert np.mean(np.array(curvatures) != 0.0) < 0.05
        # Where it is taken for one, that is next to nothing of the light in 61 rows.
        assert 61 * 30.0**2 / 3.0 * np.abs(curvatures).max() < max(1e-3 * star.sum(), 0.5 * 3.0 * np.sqrt(61))


def test_rows_of_a_fixed_pattern_widen_the_error_of_the_light():
    pulls = []
    for seed in range(12):
        scene = Scene(shape=(300, 1000), seed=seed).star(150, 2000.0, 4.5)
        pattern = np.random.default_rng(100 + seed).normal(0.0, 2.0, (300, 1))
        light, error = light_of(measure_spectrum(scene.frame(lambda _, adu, p=pattern: adu + p), DEFAULT).measurement)
        pulls.append((light - 2000.0) / error)
    assert np.sqrt(np.mean(np.square(pulls))) < 1.0 + 3.0 / np.sqrt(24.0)


@pytest.mark.parametrize("gap", [8, 20])
def test_a_gap_of_the_slit_is_no_background(gap):
    scene = Scene(shape=(300, 1000)).star(150, 20000.0, 4.5)
    lit = np.abs(scene.rows - 152.0) < 45
    lit |= (np.abs(scene.rows - 152.0) > 45 + gap) & (np.abs(scene.rows - 152.0) < 120)
    scene.add(600.0 * lit * np.ones(1000))
    light, error = light_of(measure_spectrum(scene.frame(), DEFAULT).measurement)
    assert light == pytest.approx(20000.0, abs=3.5 * error + 40.0)
    assert error < 100.0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_bright_star_is_not_left_for_the_one_beside_it(seed):
    scene = Scene(shape=(300, 1300), seed=seed).star(150, 30000.0, 4.5, slant=6).star(132, 9000.0, 4.5, slant=6)
    found = measure_spectrum(scene.frame(), DEFAULT).measurement
    light, _ = light_of(found)
    assert found.center_px == pytest.approx(150.0, abs=0.05)
    assert light == pytest.approx(30000.0, rel=0.01)
    assert Flag.BLENDED in found.flags


def ring(scene: Scene, row: float, flux: float, diameter: float, hole: float, tilt: float) -> Scene:
    """The pupil of a telescope cut by a narrow slit: two flat rims, one brighter."""
    d = scene.rows - row

    def soft(radius):
        return 0.5 * (1 + np.tanh((radius - np.abs(d)) / 1.5))

    bright = 1.0 + tilt * d / diameter
    return scene.add(flux * scene.response * bright * (soft(diameter / 2) - soft(hole * diameter / 2)) / diameter)


@pytest.mark.parametrize(
    ("diameter", "hole", "tilt"), [(28, 0.45, 0.0), (84, 0.2, 0.3), (140, 0.35, 0.25), (150, 0.35, 0.25)]
)
def test_of_a_doughnut_never_one_rim_alone_is_measured(diameter, hole, tilt):
    for seed in (1, 28):
        scene = ring(
            Scene(shape=(6 * diameter + 300, 900), seed=seed), 3 * diameter + 140, 20000.0, diameter, hole, tilt
        )
        found = measure_spectrum(scene.frame(), DEFAULT).measurement
        assert found.fwhm_px == pytest.approx(diameter, rel=0.03)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("high", [20.0, -60.0, 3000.0])
def test_bad_rows_side_by_side_are_no_trace_and_hide_none(count, high):
    def spoil(_, adu):
        adu = adu.copy()
        adu[172 : 172 + count] += high
        return adu

    empty = Scene(shape=(300, 1400), seed=4).frame(spoil)
    star = Scene(shape=(300, 1400), seed=4).star(150, 600.0, 4.5).frame(spoil)
    assert Flag.NO_TRACE in measure_spectrum(empty, DEFAULT).measurement.flags
    if count > 4:  # as wide as the star
        return
    found = measure_spectrum(star, DEFAULT).measurement
    light, error = light_of(found)
    assert found.center_px == pytest.approx(150.0, abs=0.3)
    assert found.fwhm_px == pytest.approx(4.5, abs=3.5 * found.fwhm_err_px)
    assert light == pytest.approx(600.0, abs=3.5 * error)
    assert error < 30.0


def test_a_sharp_straight_star_is_no_group_of_bad_rows():
    for seed in range(4):
        scene = Scene(shape=(300, 1400), seed=seed)
        light = scene.star(150.5, 3000.0, 1.4, kind="gauss", spectrum=1.0 - 0.1 * scene.u**2)
        found = measure_spectrum(light.frame(), DEFAULT).measurement
        assert found.center_px == pytest.approx(150.5, abs=0.05)


@pytest.mark.parametrize("ratio", [0.1, 0.4])
@pytest.mark.parametrize("apart", [2.0, 2.6, 4.0])
def test_two_stars_close_together_are_not_one_image(apart, ratio):
    for flux in (2000.0, 20000.0):
        scene = Scene(shape=(300, 1300), seed=3).star(150, flux, 4.5, slant=6, kind="gauss")
        frame = scene.star(150 + apart * 4.5, ratio * flux, 4.5, slant=6, kind="gauss").frame()
        found = measure_spectrum(frame, DEFAULT).measurement
        light, error = light_of(found)
        assert Flag.BLENDED in found.flags
        assert found.fwhm_px == pytest.approx(4.5, abs=3.5 * found.fwhm_err_px + 0.02)
        assert light == pytest.approx(flux, abs=3.5 * error + 0.01 * flux)


@pytest.mark.parametrize("diameter", [25, 110])
def test_the_rims_of_a_bright_doughnut_are_no_two_stars(diameter):
    scene = ring(Scene(shape=(6 * diameter + 300, 900), seed=11), 3 * diameter + 140, 40000.0, diameter, 0.35, 0.25)
    found = measure_spectrum(scene.frame(), DEFAULT).measurement
    assert found.fwhm_px == pytest.approx(diameter, rel=0.03)
    assert Flag.BLENDED not in found.flags


def test_noise_beside_a_wide_star_does_not_bend_what_is_under_it():
    """A parabola taken from rows far outside grows under the star: one of chance would be as high as the star is."""
    rng = np.random.default_rng(11)
    curved = [bow(OFFSETS, rng.normal(0.0, 0.5, OFFSETS.size), 0.5, (-75, 75), 12.0, 39.0) for _ in range(2000)]
    assert not any(one.curvature for one in curved)
