"""The field of stars: round, as wide as its blur says, as bright as it should be, at the same places."""

import dataclasses

import numpy as np
import pytest

from simulators.instruments import GUIDECAM
from simulators.spectrum import Window
from simulators.starfield import FieldTruth, RoundBeam, add_field, star_picture, star_places


def test_a_star_in_focus_has_the_width_of_the_seeing_and_the_pixel():
    # β 60 is nearly a Gaussian: its half-flux diameter is its FWHM, with the pixel's 1/12 added to its variance.
    image = star_picture(RoundBeam(0.0, 0.0, 3.0, 60.0))
    assert 2.0 * image.half_flux_px == pytest.approx(np.sqrt(9.0 + 8.0 * np.log(2.0) / 12.0), rel=0.008)


@pytest.mark.parametrize("obstruction", [0.0, 0.4])
def test_far_out_of_focus_it_is_a_ring_of_known_half_flux_radius(obstruction):
    image = star_picture(RoundBeam(40.0, obstruction, 1.0, 30.0))
    assert image.half_flux_px == pytest.approx(40.0 * np.sqrt(0.5 * (1.0 + obstruction**2)), rel=0.005)


def test_all_its_light_lands_where_it_stands():
    picture = np.zeros((120, 160), dtype=np.float32)
    beam = RoundBeam(9.0, 0.3, 2.5, 3.5)
    add_field(picture, Window(100, 50, 160, 120), np.array([[171.25, 112.5, 0.5]]), 1e6, beam)
    rows, columns = np.indices(picture.shape)
    assert picture.sum() == pytest.approx(5e5, rel=0.01)
    assert (picture * columns).sum() / picture.sum() == pytest.approx(71.25, abs=0.05)
    assert (picture * rows).sum() / picture.sum() == pytest.approx(62.5, abs=0.05)


def test_a_frame_shows_its_brightest_star_where_it_stands(make_bench):
    bench = make_bench("guidecam")
    begun = bench.start_exposure(5.0)
    bench.clock.sleep(5.0)
    whole = bench.frame(begun)
    assert whole.shape == (720, 960)
    place = star_places(bench.instrument, bench.seed)[0]
    row, column = round(place[1]), round(place[0])
    assert whole[row - 3 : row + 4, column - 3 : column + 4].max() > 3000


def test_its_stars_are_smallest_at_the_truth(make_bench):
    bench = make_bench("guidecam", 4)
    best = bench.truth("fwhm")
    assert best == bench.truth("snr") == bench.truth("nsig")
    widths = [bench.fwhm_px(best + step) for step in (-300.0, -60.0, -10.0, 0.0, 10.0, 60.0, 300.0)]
    assert widths[:4] == sorted(widths[:4], reverse=True)
    assert widths[3:] == sorted(widths[3:])
    assert widths[0] == pytest.approx(widths[-1], rel=1e-6)


def test_defocus_is_that_of_its_f_ratio():
    truth = FieldTruth(dataclasses.replace(GUIDECAM, f_ratio=5.0))
    beam = truth.round_beam(GUIDECAM.focus_steps + 100.0)
    assert beam.radius_px == pytest.approx(100.0 * 4.0 / (2.0 * 5.0 * 3.75))
