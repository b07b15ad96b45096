"""Widths of known profiles, analytic and the bench's: true within their errors, never folding back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofocus.measure.spectrum import reduction
from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.measure.spectrum.finding.verdict import Verdict
from autofocus.measure.spectrum.fitting.model_fit import fit_model, with_ripples
from autofocus.measure.spectrum.fitting.profile import Noise, Samples
from autofocus.measure.spectrum.fitting.star_model import StarModel
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Flag, Frame
from autofocus.settings import MeasureSettings
from simulators.instruments import INSTRUMENTS
from simulators.optics import slit_image
from simulators.truth import Truth
from tests.measure.rays import struck

DEFAULT = MeasureSettings()
NOISE = 5.0
GAIN = 1.5
COLUMNS = 100


def light_for(snr, profile):
    """Light per column, ADU, at which a profile of unit light averaged over the columns used has this SNR."""
    light = snr * NOISE / np.sqrt(COLUMNS * np.sum(profile**2))
    for _ in range(40):
        light = snr / np.sqrt(COLUMNS * np.sum(profile**2 / (NOISE**2 + light * profile / GAIN)))
    return light


def frame_of(instrument, steps, snr, seed=1):
    """A frame of the bench's profile so far from focus, and the profile's true FWHM."""
    image = Truth(INSTRUMENTS[instrument]).beam(INSTRUMENTS[instrument].focus_steps + steps)
    shape = slit_image(image)
    rows = int(max(300, 8 * shape.fwhm_px))
    profile = shape.pixel(np.abs(np.arange(rows) - rows / 2 - 0.3))
    profile = profile / profile.sum()
    return noisy(np.repeat((light_for(snr, profile) * profile)[:, None], 600, axis=1), seed), shape.fwhm_px


def noisy(signal, seed):
    rng = np.random.default_rng(seed)
    pixels = 300.0 + signal + rng.normal(0, 1, signal.shape) * np.sqrt(NOISE**2 + signal / GAIN)
    return Frame(raw=pixels.astype(np.float32), exposure_s=1.0)


@pytest.mark.parametrize("instrument", ["starex", "lhires", "longslit"])
def test_the_width_grows_with_defocus_and_is_the_true_one(instrument):
    for side in (-1, 1):
        widths = []
        for steps in (60, 160, 300):
            frame, truth = frame_of(instrument, side * steps, 3000.0)
            found = measure_spectrum(frame, DEFAULT).measurement
            assert found.fwhm_px == pytest.approx(truth, rel=0.01, abs=4 * found.fwhm_err_px)
            widths.append(found.fwhm_px)
        assert widths == sorted(widths)


@pytest.mark.parametrize("instrument", sorted(INSTRUMENTS))
def test_a_faint_doughnut_grows_with_defocus_too(instrument):
    for side in (-1, 1):
        widths = []
        for steps in (80, 140, 200):
            frame, truth = frame_of(instrument, side * steps, 30.0)
            found = measure_spectrum(frame, DEFAULT).measurement
            assert found.fwhm_px == pytest.approx(truth, abs=4 * found.fwhm_err_px)
            assert found.fwhm_err_px < 0.12 * truth
            widths.append(found.fwhm_px)
        assert widths == sorted(widths)


def moffat(distance, width, wing):
    """A Gaussian (no wing) or a Moffat with beta = 1 / wing."""
    square = np.square(2.0 * distance / width)
    return np.exp(-np.log(2) * square) if wing < 0.02 else (1.0 + (2.0**wing - 1.0) * square) ** (-1.0 / wing)


def analytic(width, wing, snr, slant, seed):
    """A slanted frame of an analytic profile and the FWHM of that profile averaged over a pixel."""
    fine = np.arange(-20 * 300, 20 * 300 + 1) / 20.0
    profile = np.convolve(moffat(fine, width, wing), np.ones(20) / 20.0, mode="same")
    distance = fine + 0.025  # twenty samples lie half of one to the left
    profile /= profile.sum() / 20.0
    above = profile > 0.5 * profile.max()
    truth = np.ptp(distance[above]) + 1 / 20.0
    rows, columns = int(max(160, 10 * width)), 600
    center = rows / 2 + 0.2 + slant * np.linspace(-0.5, 0.5, columns)
    light = light_for(snr, np.interp(np.arange(rows) - rows / 2, distance, profile))
    signal = light * np.interp(np.arange(rows)[:, None] - center, distance, profile)
    return noisy(signal, seed), truth


@settings(max_examples=25, derandomize=True)
@given(
    st.floats(1.6, 40.0),
    st.sampled_from([0.0, 0.2, 0.3, 0.4]),
    st.sampled_from([30.0, 100.0, 300.0]),
    st.floats(-12.0, 12.0),
    st.integers(0, 10**6),
)
def test_any_seeing_is_measured_within_its_error(width, wing, snr, slant, seed):
    frame, truth = analytic(width, wing, snr, slant, seed)
    found = measure_spectrum(frame, DEFAULT).measurement
    assert found.fwhm_px == pytest.approx(truth, abs=4.5 * found.fwhm_err_px + 0.05)
    # A free wing costs a third more than the least that photons allow; neighbours by chance a little more.
    assert found.fwhm_err_px < 4.0 * truth / snr + 0.01 * truth


@pytest.mark.parametrize("slant", [0.0, 12.0])
@pytest.mark.parametrize(("width", "wing"), [(1.6, 0.0), (1.6, 0.3), (4.0, 0.0), (15.0, 0.3)])
@pytest.mark.parametrize("snr", [100.0, 1000.0])
def test_rays_and_hot_pixels_change_nothing(width, wing, snr, slant):
    frame, _ = analytic(width, wing, snr, slant, 11)
    clean, dirty = (measure_spectrum(one, DEFAULT).measurement for one in (frame, struck(frame, 12)))
    assert dirty.fwhm_px == pytest.approx(clean.fwhm_px, abs=clean.fwhm_err_px)
    assert dirty.nsig == pytest.approx(clean.nsig, abs=clean.nsig_err)


def test_rays_do_not_make_a_rim_a_star():
    for steps in (200, -200):
        frame, truth = frame_of("starex", steps, 100.0)
        found = measure_spectrum(struck(frame, 3), DEFAULT).measurement
        assert found.fwhm_px == pytest.approx(truth, abs=4 * found.fwhm_err_px)
        assert Flag.BLENDED not in found.flags


@pytest.mark.parametrize("slant", [0.0, 3.0, 20.0])
@pytest.mark.parametrize("width", [1.6, 4.0])
def test_a_clean_frame_stays_as_it_is(width, slant, monkeypatch):
    frame, _ = analytic(width, 0.3, 2000.0, slant, 5)
    cleaned = measure_spectrum(frame, DEFAULT).measurement
    monkeypatch.setattr("autofocus.measure.spectrum.fitting.cleaning.REJECT_SIGMAS", 1e9)
    untouched = measure_spectrum(frame, DEFAULT).measurement
    assert cleaned.fwhm_px == pytest.approx(untouched.fwhm_px, abs=0.1 * untouched.fwhm_err_px)
    assert cleaned.nsig == pytest.approx(untouched.nsig, abs=0.1 * untouched.nsig_err)


def doughnut(width, snr, seed):
    """A frame of two uneven rims about a dark middle, and where half of each rim is: ``width`` from edge to edge."""
    rows, columns = int(9 * width), 600
    x = np.arange(-5 * rows, 5 * rows + 1) / 10.0
    ring = ((np.abs(x) < width / 2) & (np.abs(x) > 0.175 * width)).astype(float)
    sigma = 0.05 * width
    blur = np.exp(-0.5 * np.square(np.arange(-40 * sigma, 40 * sigma + 1) / 10.0 / sigma))
    profile = np.convolve(ring, blur / blur.sum(), mode="same")
    profile /= profile.sum() / 10.0
    pixels = np.interp(np.arange(rows) - rows / 2, x, profile)
    return noisy(np.repeat((light_for(snr, pixels) * pixels)[:, None], columns, axis=1), seed)


def told(offset, width):
    """A finder that has followed something this far from the middle of the frame."""

    def find(frame, axis):
        rows, columns = frame.shape
        return Verdict(Trace("x", columns, rows, (rows / 2 + offset,), width, 10.0, np.ones(32), np.ones(32)))

    return find


@pytest.mark.parametrize("width", [25.0, 60.0])
def test_of_a_faint_doughnut_one_rim_is_no_star(width, monkeypatch):
    """One rim was followed; the other may hide in the noise, and the error says so where it does."""
    monkeypatch.setattr(reduction, "find_trace", told(-0.34 * width, 0.25 * width))
    pulls = []
    for seed in range(12):
        found = measure_spectrum(doughnut(width, 12.0, seed), DEFAULT).measurement
        pulls.append((found.fwhm_px - width) / found.fwhm_err_px)
    # For 12 values chi-squared is beyond 33 once in a thousand times; a rim taken for the star costs 50 or more.
    assert np.sum(np.square(pulls)) < 33.0


def test_a_wide_star_on_a_short_frame_keeps_its_background(monkeypatch):
    """No row of the frame is three widths away from the star, though rows of the strip would be."""
    monkeypatch.setattr(reduction, "find_trace", told(0.0, 26.0))
    frame, truth = analytic(33.0, 0.0, 60.0, 0.0, 4)
    frame = Frame(raw=frame.raw[65:-65], exposure_s=1.0)
    found = measure_spectrum(frame, DEFAULT).measurement
    assert found.fwhm_px == pytest.approx(truth, abs=4 * found.fwhm_err_px)
    assert found.background_noise_adu == pytest.approx(NOISE, rel=0.2)


def test_a_fit_whose_own_rows_are_all_left_out_is_given_no_ripples():
    distance = np.concatenate([np.arange(-40.0, -20.0), np.arange(20.0, 40.0)])
    flat = np.ones_like(distance)
    value = np.random.default_rng(1).normal(100.0, NOISE, distance.size)
    samples, noise = Samples(distance, value, flat, flat, flat), Noise(NOISE**2, 1.0 / GAIN)
    fit = fit_model(StarModel("moffat", 0), np.array([0.0, np.log(3.0), 0.1]), samples, noise)
    off = fit.parameters.copy()
    off[fit.model.linear : fit.model.linear + 2] = 0.0, np.log(3.0)
    fit = replace(fit, parameters=off)
    assert with_ripples(fit, samples, noise) is fit
