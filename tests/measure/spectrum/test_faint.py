"""Faint traces, wide ones, and those that cosmic rays strike: found where the light of all columns shows them."""

import numpy as np
import pytest

from autofocus.measure.spectrum.finding.verdict import find_trace
from autofocus.model import Frame
from benchmarks.measure_accuracy import profile, render


def faint(kind, width, snr, seed):
    """A frame of 600 columns, of which a hundred averaged show the profile at this signal-to-noise, and its width."""
    truth = profile(kind, width)
    return render(truth, snr, np.random.default_rng([seed, 7]), shape=(0, 600))[0], truth.fwhm_px


def struck(frame, seed):
    """The frame with a ray on one pixel in a thousand, and three tracks of seven pixels along the trace."""
    rng = np.random.default_rng(seed)
    raw = frame.raw.astype(np.float32)
    rows, columns = raw.shape
    count = raw.size // 1000
    raw[rng.integers(0, rows, count), rng.integers(0, columns, count)] += rng.uniform(60, 20000, count)
    for row, column in zip(rows // 2 + rng.integers(-3, 4, 3), rng.integers(0, columns - 7, 3), strict=True):
        raw[row, column : column + 7] += 3000.0
    return Frame(raw=raw)


def assert_found(frame, width):
    trace = find_trace(frame, "auto").trace
    assert trace is not None
    rows, columns = frame.shape
    assert trace.axis == "x"
    assert float(trace.center((columns - 1) / 2)) == pytest.approx(rows / 2, abs=1.0 + 0.3 * width)


@pytest.mark.parametrize("width", [1.6, 2.5, 4.0, 15.0])
def test_rays_do_not_hide_a_trace(width):
    for seed in range(8):
        frame, fwhm = faint("moffat", width, 30.0, seed)
        assert_found(struck(frame, seed), fwhm)


@pytest.mark.parametrize(("kind", "width"), [("gauss", 1.6), ("moffat", 25.0), ("doughnut", 10.0), ("doughnut", 25.0)])
def test_what_a_few_columns_show_badly_is_sought_in_all(kind, width):
    for seed in range(8):
        assert_found(*faint(kind, width, 10.0, seed))
