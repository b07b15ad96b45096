"""Stars of known size and place: what is measured, how well it knows it, and what is not taken for a star."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofocus.measure.modes import measure_frame
from autofocus.measure.stars.field import measure_stars
from autofocus.measure.stars.star import APERTURE
from autofocus.model import Flag, Frame
from autofocus.settings import MeasureSettings
from tests.measure.stars.starfields import GAIN, Image, Scene, scattered

STARS = MeasureSettings(mode="stars")
ONE = ((250.3, 200.2, 60000.0),)
ONE_SMALL = ((100.3, 90.2, 60000.0),)
SMALL = (200, 200)


def measured(scene: Scene, seed: int = 1):
    return measure_stars(scene.frame(seed), STARS).measurement


@pytest.mark.parametrize(
    "image",
    [Image(1.6), Image(3.0), Image(6.0), Image(4.0, beta=3.5), Image(4.0, beta=3.5, radius_px=6.0),
     Image(3.0, beta=3.5, radius_px=15.0), Image(4.0, beta=4.0, radius_px=25.0, obstruction=0.2)],
    ids=["sharp", "usual", "blurred", "wings", "disc", "doughnut", "large doughnut"],
)  # fmt: skip
def test_half_flux_radius_of_known_images(image):
    found = measured(Scene(((250.3, 200.2, 400000.0 if image.radius_px else 80000.0),), image))
    # Half of what lies within the aperture. The fitted functions leave 1 % of a ring's sharp edges, the sky beside it a
    # little of the wings.
    assert found.hfr_px == pytest.approx(image.half_flux_px(APERTURE), rel=0.012 if image.beta == 0.0 else 0.025)
    assert found.fwhm_px == 2.0 * found.hfr_px


@pytest.mark.parametrize("seeing", [1.8, 3.0, 5.0])
def test_of_gaussian_stars_it_is_the_width_at_half_maximum(seeing):
    found = measured(Scene(scattered(12, 3), Image(seeing)))
    true = np.sqrt(seeing**2 + 8.0 * np.log(2.0) / 12.0)  # the pixel has a variance of 1/12
    assert found.fwhm_px == pytest.approx(true, rel=0.01)
    assert found.half_max_px == pytest.approx(true, rel=0.02)


def test_the_width_at_half_maximum_knows_the_wings_of_seeing():
    found = measured(Scene(scattered(12, 3), Image(4.0, beta=3.5)))
    assert found.half_max_px == pytest.approx(np.sqrt(16.0 + 8.0 * np.log(2.0) / 12.0), rel=0.03)
    assert found.fwhm_px > 1.1 * found.half_max_px


def test_through_focus_into_doughnuts_the_width_never_shrinks():
    sizes = [measured(Scene(ONE, Image(3.0, beta=3.5, radius_px=radius))) for radius in np.linspace(0.0, 24.0, 17)]
    widths = [one.fwhm_px for one in sizes]
    assert widths == sorted(widths)
    assert [one.half_max_px for one in sizes] == sorted(one.half_max_px for one in sizes)
    assert widths[-1] == pytest.approx(2.0 * 24.0 * np.sqrt(0.5 * (1.0 + 0.35**2)), rel=0.04)  # of the bare ring


@pytest.mark.parametrize(
    ("scene", "aims"),
    [
        (Scene(scattered(8, 3, SMALL), Image(3.0), SMALL), ("hfr", "half_max", "flux")),
        (Scene(scattered(8, 3, SMALL), Image(4.0, beta=3.5), SMALL), ("hfr", "half_max", "flux")),
        (Scene(ONE_SMALL, Image(3.0), SMALL), ("hfr", "half_max", "flux")),
        (Scene(((100.3, 90.2, 5000.0),), Image(4.0), SMALL), ("hfr", "flux")),
        (Scene(ONE_SMALL, Image(4.0, beta=3.5, radius_px=12.0), SMALL), ("hfr", "half_max", "flux")),
    ],
    ids=["field", "field with wings", "one star", "one faint star", "doughnut"],
)
def test_errors_are_those_of_repeats(scene, aims):
    repeats = [measure_stars(frame, STARS).measurement for frame in scene.frames(range(100, 220))]
    pairs = {
        "hfr": [(one.hfr_px, one.hfr_err_px) for one in repeats],
        "half_max": [(one.half_max_px, one.half_max_err_px) for one in repeats],
        "flux": [(one.nsig, one.nsig_err) for one in repeats],
    }
    for aim in aims:
        values, errors = np.array(pairs[aim]).T
        assert 0.8 < np.std(values, ddof=1) / np.mean(errors) < 1.25, aim


def test_flux_is_that_of_the_stars_per_second():
    stars = scattered(10, 4)
    found = measured(Scene(stars, Image(3.0)))
    assert len(found.stars) == len(stars)
    assert found.nsig == pytest.approx(sum(flux for _, _, flux in stars) / GAIN / 2.0, rel=0.01)
    brightest = max(stars, key=lambda star: star[2])
    assert found.stars[0].x == pytest.approx(brightest[0], abs=0.02)
    assert found.stars[0].y == pytest.approx(brightest[1], abs=0.02)
    assert found.center_px == found.stars[0].y


def test_stars_at_the_edge_saturated_or_blended_do_not_count():
    good = ((120.0, 90.0, 40000.0), (300.0, 280.0, 30000.0))
    edge, pair, full = (2.0, 200.0, 90000.0), ((200.0, 150.0, 50000.0), (206.0, 152.0, 45000.0)), (400.0, 90.0, 2e6)
    found = measured(Scene((*good, edge, *pair, full), Image(3.0)))
    places = sorted((round(star.x), round(star.y)) for star in found.stars)
    assert places == sorted((round(x), round(y)) for x, y, _ in good)
    assert found.flags == ()


@pytest.mark.parametrize(
    ("stars", "flag"),
    [
        (((250.3, 200.2, 3e6),), Flag.SATURATED),
        (((3.0, 200.0, 60000.0),), Flag.TRUNCATED_WINDOW),
    ],
)
def test_where_there_is_nothing_better_it_is_measured_and_flagged(stars, flag):
    found = measured(Scene(stars, Image(3.0)))
    assert flag in found.flags
    assert found.fwhm_px > 2.5


def test_a_close_pair_alone_is_measured_as_one_and_said_to_be_long():
    found = measured(Scene(((200.0, 150.0, 50000.0), (206.0, 152.0, 45000.0)), Image(3.0)))
    assert len(found.stars) == 1
    assert "times as long as wide" in found.notes[0]


def test_hot_pixels_and_tracks_are_no_stars():
    clean = measured(Scene(scattered(16, 3), Image(3.0)))
    spoiled = measured(Scene(scattered(16, 3), Image(3.0), hot=400, tracks=25))
    assert spoiled.fwhm_px == pytest.approx(clean.fwhm_px, rel=0.005)


@pytest.mark.parametrize("seed", range(3))
def test_a_frame_without_stars_says_so(seed):
    found = measured(Scene(hot=300), seed)
    assert Flag.NO_TRACE in found.flags
    assert found.verdict.startswith("no stars")
    assert np.isnan(found.fwhm_px)
    assert np.isnan(found.nsig)
    assert found.mode == "stars"


def test_a_crowded_field_has_the_same_size():
    found = measured(Scene(scattered(150, 7, apart=14.0), Image(3.0)))
    assert found.fwhm_px == pytest.approx(np.sqrt(9.0 + 8.0 * np.log(2.0) / 12.0), rel=0.01)


def test_trailed_stars_are_measured_and_said_to_be():
    found = measured(Scene(scattered(12, 3), Image(3.0, trail_px=8.0)))
    assert found.fwhm_px > 4.0
    assert "times as long as wide" in found.notes[0]


def test_a_sloping_sky_does_not_matter():
    flat, sloping = (measured(Scene(scattered(12, 3), Image(3.0), gradient_e=g)) for g in (0.0, 600.0))
    assert sloping.fwhm_px == pytest.approx(flat.fwhm_px, rel=0.01)
    assert sloping.nsig == pytest.approx(flat.nsig, rel=0.02)


def test_of_a_mere_list_of_pixels_nothing_is_assumed():
    frame = Scene(scattered(12, 3), Image(3.0), known={"gain_e_per_adu": None, "exposure_s": None}).frame(1)
    raw = frame.raw.astype("f4")
    raw[100:104, 100:104] = np.nan
    found = measure_stars(dataclasses.replace(frame, raw=raw, saturation_adu=None), STARS).measurement
    assert found.fwhm_px == pytest.approx(3.08, rel=0.01)
    assert Flag.NO_EXPOSURE in found.flags
    assert np.isnan(found.nsig)


@settings(max_examples=20)
@given(seeing=st.floats(1.8, 6.0), x=st.floats(60.0, 140.0), y=st.floats(60.0, 140.0), seed=st.integers(0, 2**31))
def test_where_a_star_stands_in_its_pixel_does_not_change_its_size(seeing, x, y, seed):
    found = measured(Scene(((x, y, 200000.0),), Image(seeing), shape=(200, 200)), seed)
    true = 0.5 * np.sqrt(seeing**2 + 8.0 * np.log(2.0) / 12.0)
    assert abs(found.hfr_px - true) < 5.0 * found.hfr_err_px + 0.01 * true
    assert np.hypot(found.stars[0].x - x, found.stars[0].y - y) < 0.05


@settings(max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    kind=st.sampled_from(["constant", "noise", "nan", "huge", "half"]),
)
def test_no_pixels_raise(shape, kind):
    rng = np.random.default_rng(5)
    raw = {
        "constant": np.full(shape, 7.0),
        "noise": rng.normal(100.0, 5.0, shape),
        "nan": np.full(shape, np.nan),
        "huge": rng.normal(0.0, 1e30, shape),
        "half": np.where(np.arange(shape[1]) % 2, 0.0, 65535.0) * np.ones(shape),
    }[kind].astype("f4")
    assert measure_stars(Frame(raw=raw, exposure_s=1.0), STARS).measurement.mode == "stars"


def test_mode_decides_and_auto_sees_stars():
    frame = Scene(scattered(12, 3), Image(3.0)).frame(1)
    assert measure_frame(frame, STARS).measurement.mode == "stars"
    assert measure_frame(frame, MeasureSettings(mode="auto")).measurement.mode == "stars"
    assert Flag.NO_TRACE in measure_frame(frame, MeasureSettings()).measurement.flags
