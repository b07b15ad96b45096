"""How often a strip is cleaned and fitted: once where that settles it, again where it does not."""

import numpy as np
import pytest

from autofocus.measure.spectrum.fitting import strip
from autofocus.measure.spectrum.fitting.cleaning import clean
from autofocus.measure.spectrum.fitting.profile import Strip
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.settings import MeasureSettings
from tests.measure.rays import struck
from tests.measure.spectrum.test_width import analytic, frame_of

DEFAULT = MeasureSettings()


def measured(frame, monkeypatch, *, again=False):
    """What is measured, and how often the strip was cleaned with a model; ``again``: a second time whatever came."""
    calls = []
    clean_with = strip._clean_with
    with monkeypatch.context() as patch:
        patch.setattr(strip, "_clean_with", lambda *known: calls.append(1) or clean_with(*known))
        if again:
            patch.setattr(strip, "_is_settled", lambda *known: False)
        return measure_spectrum(frame, DEFAULT).measurement, len(calls)


@pytest.mark.parametrize("rays", [False, True])
@pytest.mark.parametrize("slant", [0.0, 12.0])
@pytest.mark.parametrize(("width", "wing"), [(1.6, 0.0), (2.5, 0.3), (6.0, 0.3), (20.0, 0.2)])
def test_where_one_pass_settles_it_a_second_changes_nothing(width, wing, slant, rays, monkeypatch):
    """The errors too: a star of the wrong shape in the cleaning would pass for noise of its light."""
    frame, _ = analytic(width, wing, 300.0, slant, 21)
    frame = struck(frame, 22) if rays else frame
    once, passes = measured(frame, monkeypatch)
    twice, more = measured(frame, monkeypatch, again=True)
    assert more > passes >= 1 or (width == 20.0 and slant)  # its strip ends off the frame: two passes anyhow
    for value, error in (("fwhm_px", "fwhm_err_px"), ("nsig", "nsig_err")):
        known = getattr(twice, error)
        assert getattr(once, value) == pytest.approx(getattr(twice, value), abs=0.1 * known)
        assert getattr(once, error) == pytest.approx(known, rel=0.05)
    assert once.flags == twice.flags


def test_a_plain_star_takes_one_pass_and_a_doughnut_more(monkeypatch):
    plain, _ = analytic(4.0, 0.2, 100.0, 6.0, 3)
    hollow, _ = frame_of("starex", 200, 100.0)
    assert measured(plain, monkeypatch)[1] == 1
    assert measured(hollow, monkeypatch)[1] > 1


def test_missing_pixels_are_replaced_by_the_model_that_is_found(monkeypatch):
    """A slanted trace at the edge of the frame: its outer rows are half off it, and what stands there weighs."""
    frame, _ = analytic(12.0, 0.2, 100.0, 20.0, 4)
    cut = type(frame)(raw=np.ascontiguousarray(frame.raw[frame.raw.shape[0] // 2 - 24 :]), exposure_s=10.0)
    once, _ = measured(cut, monkeypatch)
    twice, _ = measured(cut, monkeypatch, again=True)
    assert once.nsig == pytest.approx(twice.nsig, abs=0.1 * twice.nsig_err)


def test_a_model_far_from_what_was_followed_leaves_numbers():
    """Its light at the trace may underflow: no column's light can be told by that."""
    offsets = np.arange(-100, 101)
    values = np.random.default_rng(2).normal(50.0, 3.0, (offsets.size, 120)).astype(np.float32)
    pixels = Strip(values, offsets, np.zeros(120), np.full(120, 100), np.arange(120))
    for faintest in (1e-44, 1e-30, 1e-5):
        star = np.full(values.shape, faintest, np.float32)
        star[:20] = 100.0
        cleaned = clean(pixels, 10.0, star)
        assert cleaned.noise.read_variance == pytest.approx(9.0, rel=0.1)
        assert np.all(cleaned.flux == 1.0)
