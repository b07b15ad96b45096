"""Widths and noise of profiles at a signal-to-noise of 3 and 10, drawn where the trace is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting.belief import believed_width
from autofocus.measure.spectrum.fitting.cleaning import _noise
from autofocus.measure.spectrum.fitting.profile import Strip
from autofocus.measure.spectrum.fitting.strip import fit_strip

COLUMNS, READ, REACH = 100, 7.5, 75
SEEDS = 16


def draw(width_px: float, snr: float, rng: np.random.Generator) -> Strip:
    """A Gaussian whose average over the columns has this signal-to-noise, in whole ADU."""
    offsets = np.arange(-REACH, REACH + 1)
    star = np.exp(-4.0 * np.log(2.0) * np.square((offsets - rng.uniform(-0.5, 0.5)) / width_px))
    star *= snr * READ / np.sqrt(COLUMNS * np.sum(star**2))
    values: NDArray[np.float64] = np.rint(300.0 + star[:, None] + rng.normal(0.0, READ, (offsets.size, COLUMNS)))
    columns = np.arange(COLUMNS)
    return Strip(values.astype(np.float32), offsets, np.zeros(COLUMNS), np.full(COLUMNS, 200), columns)


@pytest.mark.parametrize(("width_px", "snr"), [(4.0, 3.0), (12.0, 3.0), (4.0, 10.0)])
def test_width_is_neither_guessed_wide_nor_lost_where_light_is_scarce(width_px: float, snr: float) -> None:
    pulls, noises = [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng([seed, int(width_px), int(snr)])
        followed = width_px * float(np.exp(rng.normal(0.0, 0.4)))
        with np.errstate(all="ignore"):
            found = fit_strip(draw(width_px, snr, rng), followed, ())
        assert found is not None
        width, error = believed_width(found.fit, found.doubt)
        assert 0.0 < error < width
        pulls.append((width - width_px) / error)
        noises.append(np.sqrt(found.cleaned.noise.read_variance))
    allowed = 0.3 + 3.0 * float(np.std(pulls, ddof=1)) / np.sqrt(SEEDS)
    assert abs(np.mean(pulls)) < allowed
    assert np.std(pulls, ddof=1) < 1.0 + 3.0 / np.sqrt(2.0 * SEEDS)
    # The level of each column is taken from its own pixels: one part in their number of the variance goes with it.
    assert np.mean(noises) == pytest.approx(READ, rel=0.02)


def test_noise_of_a_star_that_covers_all_rows_is_not_that_of_rows_without_pixels() -> None:
    rng = np.random.default_rng(5)
    residual = rng.normal(0.0, READ, (40, COLUMNS)).astype(np.float32)
    expected = np.full((40, COLUMNS), 1.0, dtype=np.float32)
    good = np.ones((40, COLUMNS), dtype=bool)
    good[7] = False
    noise = _noise(residual, expected, good, np.zeros(40, dtype=bool), np.zeros(40), quantum=1.0)
    # ten rows of a hundred pixels tell a standard deviation within 1 / sqrt(2 * 1000); their median half as well again
    assert np.sqrt(noise.read_variance) == pytest.approx(READ, rel=4.0 * 1.25 / np.sqrt(2000.0))
