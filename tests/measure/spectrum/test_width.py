"""Widths on the bench's optics from focus to far out: true, never folding back; rays and hot pixels change nothing."""

import numpy as np
import pytest

from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Frame
from autofocus.settings import MeasureSettings
from simulators.instruments import INSTRUMENTS
from simulators.optics import slit_image
from simulators.truth import Truth

DEFAULT = MeasureSettings()
NOISE = 5.0


def frame_of(instrument, steps, light, seed=1):
    """A frame of the bench's profile so far from focus, and the profile's true FWHM."""
    image = Truth(INSTRUMENTS[instrument]).beam(INSTRUMENTS[instrument].focus_steps + steps)
    shape = slit_image(image)
    rows = int(max(300, 8 * shape.fwhm_px))
    profile = shape.pixel(np.abs(np.arange(rows) - rows / 2 - 0.3))
    signal = np.repeat((light * profile / profile.sum())[:, None], 400, axis=1)
    rng = np.random.default_rng(seed)
    pixels = 300.0 + signal + rng.normal(0, 1, signal.shape) * np.sqrt(NOISE**2 + signal / 1.5)
    return Frame(raw=pixels.astype(np.float32), exposure_s=1.0), shape.fwhm_px


@pytest.mark.parametrize("instrument", ["starex", "lhires", "longslit"])
def test_the_width_grows_with_defocus_and_is_the_true_one(instrument):
    for side in (-1, 1):
        widths = []
        for steps in (50, 120, 200, 300):
            frame, truth = frame_of(instrument, side * steps, 20000.0)
            found = measure_spectrum(frame, DEFAULT).measurement
            assert found.fwhm_px == pytest.approx(truth, rel=0.01, abs=4 * found.fwhm_err_px)
            widths.append(found.fwhm_px)
        assert widths == sorted(widths)


@pytest.mark.parametrize("width", [1.6, 12.0])
def test_rays_and_hot_pixels_change_nothing(draw, width):
    rng = np.random.default_rng(8)
    hits = np.zeros((200, 800))
    hits[rng.integers(0, 200, 300), rng.integers(0, 800, 300)] = rng.uniform(200, 20000, 300)
    stars = ((100.3, 5000.0, width),)
    clean, dirty = (measure_spectrum(draw(stars=stars, extra=extra), DEFAULT).measurement for extra in (None, hits))
    assert dirty.fwhm_px == pytest.approx(clean.fwhm_px, abs=1.5 * clean.fwhm_err_px)
    assert dirty.nsig == pytest.approx(clean.nsig, abs=1.5 * clean.nsig_err)
