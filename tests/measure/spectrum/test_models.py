"""Which model a profile is given, and how far beliefs alone pull its width."""

import numpy as np
import pytest
from scipy.special import erf

from autofocus.measure.spectrum.fitting.belief import believed_width
from autofocus.measure.spectrum.fitting.profile import Noise, Samples, Strip
from autofocus.measure.spectrum.fitting.strip import fit_strip
from autofocus.measure.spectrum.fitting.width import fit_profile

NOISE, GAIN, COLUMNS, SNR = 8.0, 1.5, 100, 30.0
SEEDS = (*range(8), 62, 146, 328, 360)  # told of a second peak alone, the last four end on one


def blurred_box(distance, width):
    """A disc behind a narrow slit: a box under a Gaussian, both edges far sharper than it is wide."""
    sigma = max(0.12 * width, 2.0) / 2.3548
    fine = np.arange(-0.45, 0.5, 0.1)
    at = (distance[:, None] + fine) / (np.sqrt(2.0) * sigma)
    edge = 0.5 * width / (np.sqrt(2.0) * sigma)
    return np.mean(0.5 * (erf(at + edge) - erf(at - edge)), axis=1)


def doughnut(distance, width):
    return blurred_box(distance, width) - 0.9 * blurred_box(distance, 0.35 * width)


def at_snr(shape, center=0.1):
    """The mean of all frames that show the profile at that signal-to-noise, with the errors of one of them."""
    distance = np.arange(-80.0, 81.0)
    light = shape(distance - center)
    height = 1.0
    for _ in range(30):
        variance = (NOISE**2 + height * light / GAIN) / COLUMNS
        height = SNR / np.sqrt(np.sum(light**2 / variance))
    one = np.ones_like(distance)
    return Samples(distance, 100.0 + height * light, COLUMNS * one, one, one), Noise(NOISE**2, 1.0 / GAIN)


@pytest.mark.parametrize("width", [10.0, 25.0])
def test_no_belief_makes_a_flat_top_narrow(width):
    """Neither a star with a rounded top nor rims that noise may hide draw the width by a seventh of its error."""
    samples, noise = at_snr(lambda distance: blurred_box(distance, width))
    fit, doubt = fit_profile(samples, noise, width)
    believed, error = believed_width(fit, doubt)
    assert fit.model.kind == "disc"
    assert 0.05 * width / SNR < error < 3.0 * width / SNR
    assert believed == pytest.approx(width, abs=0.14 * error)


def test_a_hole_that_is_seen_is_not_doubted():
    samples, noise = at_snr(lambda distance: doughnut(distance, 25.0))
    fit, doubt = fit_profile(samples, noise, 25.0)
    believed, error = believed_width(fit, doubt)
    assert fit.model.kind == "doughnut"
    assert doubt.larger == pytest.approx(1.0, abs=0.01)
    assert believed == pytest.approx(25.0, abs=0.14 * error)


def test_two_flat_rims_are_no_two_stars():
    """Rims look like stars with flat tops: that two of them should be equal and alone is the less likely."""
    samples, noise = at_snr(lambda distance: doughnut(distance, 60.0))
    rim = samples.distance[np.argmax(samples.value)]
    off = Samples(samples.distance - rim, samples.value, samples.count, samples.scale, samples.box)
    fit, _ = fit_profile(off, noise, 12.0, (-2.0 * rim,))
    assert fit.model.kind == "doughnut"
    assert fit.places == ()
    assert fit.rough_width == pytest.approx(60.0, rel=0.05)


def a_strip(shape, seed):
    """The pixels of 100 columns, their trace in the middle of the shape, averaged at that signal-to-noise."""
    rng = np.random.default_rng(seed)
    samples, _ = at_snr(shape, rng.uniform(-0.5, 0.5))
    light = samples.value - 100.0
    sigma = np.sqrt(NOISE**2 + light / GAIN)[:, None]
    values = 100.0 + light[:, None] + sigma * rng.normal(size=(light.size, COLUMNS))
    columns = np.arange(COLUMNS)
    offsets = samples.distance.astype(np.intp)
    return Strip(values.astype(np.float32), offsets, np.zeros(COLUMNS), np.full(COLUMNS, 200), columns)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_second_rim_of_a_faint_doughnut_is_no_star(seed):
    with np.errstate(all="ignore"):
        found = fit_strip(a_strip(lambda distance: doughnut(distance, 10.0), seed), 11.0, ())
    width, error = believed_width(found.fit, found.doubt)
    assert found.fit.places == ()
    assert width == pytest.approx(10.13, abs=4.0 * error)
