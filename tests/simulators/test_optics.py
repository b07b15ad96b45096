import dataclasses

import numpy as np
import pytest
from scipy import stats

from simulators.optics import Beam, slit_image

DEFOCUSED = Beam(semi_x_px=6.0, semi_y_px=9.0, obstruction=0.35, seeing_px=3.5, slit_px=5.0, offset_px=1.2, blur_px=1.8)


def moffat_alpha(fwhm, beta):
    return fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))


@pytest.mark.parametrize("semi", [0.0, 0.4, 3.0, 20.0, 110.0, 400.0])
@pytest.mark.parametrize("obstruction", [0.0, 0.35])
def test_every_photon_that_passes_the_slit_lands_on_a_pixel(semi, obstruction):
    image = slit_image(Beam(semi, 1.3 * semi, obstruction, 3.5, 5.0, blur_px=1.5))
    rows = np.arange(-1500.0, 1500.0) + 0.3
    assert image.pixel(rows).sum() == pytest.approx(image.throughput, rel=2e-4)
    assert image.within(1500.0) == pytest.approx(image.throughput, rel=2e-4)


@pytest.mark.parametrize("semi", [0.0, 5.0, 60.0])
def test_an_open_slit_passes_everything(semi):
    image = slit_image(Beam(semi, semi, 0.3, 3.0, 5000.0))
    assert image.throughput == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("slit", [1.0, 3.0, 6.0, 15.0])
def test_focused_throughput_is_the_integral_of_the_moffat_line(slit):
    # The marginal of a Moffat function of exponent β is a Student t of 2β - 2 degrees of freedom.
    beta, fwhm = 3.5, 4.0
    freedom = 2.0 * beta - 2.0
    edge = 0.5 * slit / moffat_alpha(fwhm, beta) * np.sqrt(freedom)
    expected = 2.0 * stats.t.cdf(edge, freedom) - 1.0
    assert slit_image(Beam(0.0, 0.0, 0.0, fwhm, slit)).throughput == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("obstruction", [0.0, 0.4])
def test_far_from_focus_the_slit_cuts_a_strip_out_of_the_disc(obstruction):
    radius, slit = 80.0, 9.0

    def strip(part):  # area of |x| < slit / 2 of a disc, in units of the whole aperture
        h = 0.5 * slit / (part * radius)
        return part**2 * (2.0 / np.pi) * (np.arcsin(h) + h * np.sqrt(1.0 - h**2))

    expected = (strip(1.0) - (strip(obstruction) if obstruction else 0.0)) / (1.0 - obstruction**2)
    image = slit_image(Beam(radius, radius, obstruction, 1.0, slit))
    assert image.throughput == pytest.approx(expected, rel=2e-3)


def test_focused_width_is_that_of_the_moffat_line():
    beta, fwhm = 3.5, 24.0  # pixels are small against it
    expected = 2.0 * moffat_alpha(fwhm, beta) * np.sqrt(2.0 ** (1.0 / (beta - 0.5)) - 1.0)
    assert slit_image(Beam(0.0, 0.0, 0.0, fwhm, 1000.0)).fwhm_px == pytest.approx(expected, rel=4e-3)


def test_a_blurred_disc_is_as_wide_as_its_disc():
    # The line profile of a uniform disc of radius R is a half circle: half its height lies √3/2 R from the middle.
    image = slit_image(Beam(50.0, 50.0, 0.0, 1.5, 5000.0))
    assert image.fwhm_px == pytest.approx(np.sqrt(3.0) * 50.0, rel=2e-3)


def test_profile_agrees_with_rays_traced_one_by_one():
    rng = np.random.default_rng(5)
    count = 2_000_000
    beam = DEFOCUSED
    radius = np.sqrt(rng.uniform(beam.obstruction**2, 1.0, count))
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    air = moffat_alpha(beam.seeing_px, 3.5) * np.sqrt(rng.random(count) ** (-1.0 / 2.5) - 1.0)
    turn = rng.uniform(0.0, 2.0 * np.pi, count)
    x = beam.semi_x_px * radius * np.cos(angle) + air * np.cos(turn) + beam.offset_px
    y = beam.semi_y_px * radius * np.sin(angle) + air * np.sin(turn) + rng.normal(0.0, beam.blur_px / 2.3548, count)
    passed = y[np.abs(x) < 0.5 * beam.slit_px]
    image = slit_image(beam)
    assert image.throughput == pytest.approx(passed.size / count, abs=3e-3)
    edges = np.arange(-20.5, 21.0)
    counted = np.histogram(passed, edges)[0] / count
    error = np.sqrt(counted / count) + 2e-4  # photon statistics, and the Moffat's far wings that the mixture cuts
    assert np.all(np.abs(counted - image.pixel(edges[:-1] + 0.5)) < 5.0 * error)


def test_blur_after_the_slit_widens_and_costs_no_light():
    sharp = slit_image(DEFOCUSED)
    blurred = slit_image(dataclasses.replace(DEFOCUSED, blur_px=6.0))
    assert blurred.throughput == pytest.approx(sharp.throughput, rel=1e-6)  # both to the quadrature's accuracy
    assert blurred.fwhm_px > sharp.fwhm_px + 1.0


def test_the_slit_does_not_touch_the_image_along_its_length_in_focus_across_it():
    # With the star a line across the slit (semi_x = 0) defocus along it changes the width alone.
    widths = [slit_image(Beam(0.0, semi, 0.0, 2.0, 3.0)) for semi in (0.0, 4.0, 12.0)]
    assert np.ptp([each.throughput for each in widths]) < 1e-9
    assert widths[0].fwhm_px < widths[1].fwhm_px < widths[2].fwhm_px


def test_a_star_beside_a_narrow_slit_has_two_humps_of_throughput():
    semi = np.linspace(-12.0, 12.0, 49)
    light = np.array([slit_image(Beam(s, s, 0.0, 2.0, 3.0, offset_px=4.0)).throughput for s in semi])
    assert light[24] < 0.8 * light.max()
    np.testing.assert_allclose(light, light[::-1], rtol=1e-9)


def test_the_mirror_image_of_a_decentred_star_is_the_same():
    left = slit_image(dataclasses.replace(DEFOCUSED, offset_px=-1.2))
    np.testing.assert_allclose(left.samples, slit_image(DEFOCUSED).samples, atol=1e-12)


def test_wide_blurs_continue_the_narrow_ones():
    narrow, wide = (slit_image(Beam(s, s, 0.3, 3.0, 5.0, blur_px=2.0)) for s in (119.99, 120.01))
    assert wide.throughput == pytest.approx(narrow.throughput, rel=1e-3)
    assert wide.fwhm_px == pytest.approx(narrow.fwhm_px, rel=2e-3)
