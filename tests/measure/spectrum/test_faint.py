"""Faint traces, wide ones, and those that cosmic rays strike: found where the light of all columns shows them."""

import numpy as np
import pytest

from autofocus.measure.spectrum.finding.faint import all_columns, limit
from autofocus.measure.spectrum.finding.image import is_step
from autofocus.measure.spectrum.finding.sampling import clipped_mean
from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.measure.spectrum.finding.verdict import find_trace
from autofocus.measure.spectrum.finding.votes import collect_votes
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Flag, Frame
from autofocus.settings import MeasureSettings
from benchmarks.measure_accuracy import profile, render
from tests.measure.rays import struck


def faint(kind, width, snr, seed):
    """A frame of 600 columns, of which a hundred averaged show the profile at this signal-to-noise, and its width."""
    truth = profile(kind, width)
    return render(truth, snr, np.random.default_rng([seed, 7]), shape=(0, 600))[0], truth.fwhm_px


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
        assert_found(struck(frame, seed, along_trace=True), fwhm)


@pytest.mark.parametrize(("kind", "width"), [("gauss", 1.6), ("moffat", 25.0), ("doughnut", 10.0), ("doughnut", 25.0)])
def test_what_a_few_columns_show_badly_is_sought_in_all(kind, width):
    for seed in range(8):
        assert_found(*faint(kind, width, 10.0, seed))


@pytest.mark.parametrize(("kind", "width"), [("gauss", 60.0), ("moffat", 60.0), ("disc", 60.0)])
def test_a_wide_faint_trace_needs_no_more_light_where_nothing_else_shows(kind, width):
    """24 sigma in all columns, but an eighth of the noise of a pixel high."""
    missed = sum(find_trace(faint(kind, width, 10.0, seed)[0], "auto").trace is None for seed in range(8))
    assert missed <= 1


def test_light_far_below_the_noise_of_a_column_is_found_and_said_to_be_faint():
    """SNR 3 in a sixth of the columns is 7.3 in all, of which 6.5 remain; the limit is 5.6: four of five are found."""
    found = 0
    for width in (1.6, 4.0):
        for seed in range(12):
            frame, fwhm = faint("gauss", width, 3.0, seed)
            if find_trace(frame, "auto").trace is None:
                continue
            found += 1
            assert_found(frame, fwhm)
            assert {Flag.LOW_SNR, Flag.NO_TRACE} & set(measure_spectrum(frame, MeasureSettings()).measurement.flags)
    assert found >= 14  # of 24; 1 % for fewer


def test_three_thousand_columns_show_what_is_half_the_noise_of_one():
    """0.25 sigma in a column, by the best filter, is 13.7 in 3000."""
    truth = profile("gauss", 4.0)
    for seed in range(4):
        frame, _ = render(truth, 2.5, np.random.default_rng([seed, 9]), shape=(200, 3000))
        assert_found(frame, 4.0)


def dull(seed):
    """Noise of any size of frame, with what detectors add to it: a step, a slope, hot pixels, cosmic rays."""
    rng = np.random.default_rng([31, seed])
    rows, columns = (int(n) for n in np.exp(rng.uniform(np.log(70), np.log(800), 2)))
    noise = rng.uniform(1.0, 15.0)
    raw = rng.normal(300.0, noise, (rows, columns))
    if rng.random() < 0.3:
        raw[rows // 2 :] += rng.uniform(-10, 10) * noise
    if rng.random() < 0.3:
        raw[:, columns // 3 :] += rng.uniform(-10, 10) * noise
    if rng.random() < 0.3:
        raw += rng.uniform(-2, 2) * noise * np.linspace(-1, 1, rows)[:, None]
        raw += rng.uniform(-2, 2) * noise * np.linspace(-1, 1, columns)
    if rng.random() < 0.4:
        hot = int(raw.size * 10 ** rng.uniform(-5, -2.5))
        raw[rng.integers(0, rows, hot), rng.integers(0, columns, hot)] += noise * 10 ** rng.uniform(0.5, 4, hot)
    for _ in range(int(rng.integers(0, 2) * raw.size * 1e-5) + 1):
        at, angle = rng.uniform(0, 1, 2) * raw.shape, rng.uniform(0, 2 * np.pi)
        track = at[:, None] + np.outer((np.sin(angle), np.cos(angle)), np.arange(rng.integers(1, 14)))
        row, column = (np.clip(place, 0, size - 1).astype(int) for place, size in zip(track, raw.shape, strict=True))
        raw[row, column] += noise * 10 ** rng.uniform(0.5, 3.5)
    return Frame(raw=np.rint(raw).clip(0, 65535).astype(np.uint16))


def test_no_dull_frame_shows_a_trace():
    """One in a thousand may: 0.3 of these."""
    traced = [seed for seed in range(300) if find_trace(dull(seed), "auto").trace is not None]
    assert not traced


def test_the_limit_grows_with_the_lines_tried():
    rng = np.random.default_rng(2)
    small, large = (
        limit(collect_votes(Frame(raw=rng.normal(300, 5, shape).astype(np.float32)), "x", None))
        for shape in ((100, 300), (1000, 3000))
    )
    assert 5.0 < small < large - 0.5 < 6.0


@pytest.mark.parametrize("axis", ["x", "y"])
def test_all_columns_are_as_good_as_their_mean_and_no_ray_weighs_much(axis):
    rng = np.random.default_rng(4)
    raw = rng.normal(300.0, 5.0, (640, 640)).astype(np.float32)
    typical = np.full((32, 640), 300.0, np.float32)
    reach = np.full(32, 15.0, np.float32)
    clean = clipped_mean(Frame(raw=raw), axis, typical, reach)
    assert clean.std() == pytest.approx(5.0 / np.sqrt(20), rel=0.02)
    raw[rng.integers(0, 640, 400), rng.integers(0, 640, 400)] += 1e4
    raw[5, 5] = np.nan
    struck_mean = clipped_mean(Frame(raw=raw), axis, typical, reach)
    assert np.abs(struck_mean - clean).max() <= 4 * 30.0 / 20  # four rays in one part of a row, each 2 x 15 at most
    assert struck_mean.std() < 1.2 * clean.std()


def test_slopes_are_taken_off_all_columns():
    rng = np.random.default_rng(4)
    slope = np.linspace(-20.0, 20.0, 300)[:, None]
    frame = Frame(raw=(rng.normal(300.0, 5.0, (300, 640)) + slope).astype(np.float32))
    votes = all_columns(frame, collect_votes(frame, "x", None))
    assert np.std(votes.residuals) == pytest.approx(5.0 / np.sqrt(20), rel=0.05)


def test_the_corner_of_a_step_is_no_star_and_a_star_is_no_step():
    rng = np.random.default_rng(6)
    rows = np.arange(200.0)[:, None]
    noise = rng.normal(300.0, 5.0, (200, 640))
    corner = Trace("x", 640, 200, (106.0, 0.0, 0.0, 0.0), 14.0, 12.0, np.ones(32), np.ones(32))
    step = np.where(rows < 100, -60.0, 30.0 - 0.5 * (rows - 100))
    star = 40.0 * np.exp(-4 * np.log(2) * np.square((rows - 106.0) / 14.0))
    assert is_step(collect_votes(Frame(raw=(noise + step).astype(np.float32)), "x", None), corner)
    assert not is_step(collect_votes(Frame(raw=(noise + star).astype(np.float32)), "x", None), corner)
