"""The bound against brute force: maximum likelihood on drawn frames, and optima found anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from autofocus.devices.clock import VirtualClock
from autofocus.model import Measurement
from benchmarks.bound import PARAMETERS, bound_steps, covariance, logs, optimum_gradient, wander_correlation
from simulators.bench import Bench
from simulators.options import BenchOptions
from simulators.sky import Sky
from simulators.truth import Truth

DRAWS = 300


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench("starex", 3, clock=VirtualClock(), options=BenchOptions(sensor_px=(320, 260)))


@pytest.fixture(scope="module")
def frames(bench: Bench) -> list[Measurement]:
    middle = bench.truth("snr")
    return [
        Measurement(position=middle + at, fwhm_px=1.0, fwhm_err_px=0.004, nsig=1.0, nsig_err=0.01, elapsed_s=16.0 * k)
        for k, at in enumerate((60.0, 30.0, 0.0, -30.0, -60.0), 1)
    ]


def test_maximum_likelihood_with_known_curves_scatters_by_the_bound(bench: Bench, frames: list[Measurement]) -> None:
    own, rng = bench.truths.instrument, np.random.default_rng(5)
    places = np.array([one.position for one in frames], dtype=float)
    fine = np.arange(-4.0, 4.01, 0.5)
    table = np.array([[logs(own, x + shift) for x in places] for shift in fine])  # (shifts, frames, 2)
    noise = np.linalg.cholesky(covariance(bench, frames))
    truth = table[fine == 0.0][0]

    def estimate(seen: np.ndarray) -> float:
        def off(theta: np.ndarray) -> np.ndarray:
            # a star in focus further out looks as if every frame had been taken further in
            shifted = [[np.interp(-theta[0], fine, table[:, k, c]) for c in (0, 1)] for k in range(len(places))]
            return np.linalg.solve(noise, (seen - np.array(shifted) - [0.0, theta[1]]).ravel())

        return float(least_squares(off, [0.0, 0.0]).x[0])

    found = [estimate(truth + (noise @ rng.normal(size=truth.size)).reshape(truth.shape)) for _ in range(DRAWS)]
    # a standard deviation from 300 draws is known to 4 %
    assert np.std(found) == pytest.approx(bound_steps(bench, frames, "fwhm", "curves"), rel=0.15)
    assert abs(np.mean(found)) < 0.3 * np.std(found)


def test_the_wander_is_correlated_as_the_nights_of_the_bench_are() -> None:
    lapses = np.array([0.0, 12.0, 60.0, 240.0, 700.0])
    nights = [Sky(seed=seed, transparency_wander=1.0) for seed in range(3000)]
    light = np.log([[night.transparency(1000.0 + lapse) for lapse in lapses] for night in nights])
    seen = np.mean(light[:, :1] * light, axis=0)
    # the product of two standard normal values scatters by less than √2 over the nights
    assert np.abs(seen - wander_correlation(lapses)).max() < 4.0 * np.sqrt(2.0 / len(nights))
    assert wander_correlation(lapses)[0] == pytest.approx(1.0, abs=1e-6)


def test_who_knows_less_is_bounded_by_more(bench: Bench, frames: list[Measurement]) -> None:
    curves, shapes, laws = (bound_steps(bench, frames, "snr", known) for known in ("curves", "shapes", "laws"))
    assert curves < shapes < laws
    again = [replace(one, elapsed_s=one.elapsed_s + 1e6) for one in frames]
    assert bound_steps(bench, frames + again, "snr", "laws") < 0.8 * laws


def test_the_gradient_of_the_optimum_is_how_it_moves(bench: Bench) -> None:
    gradient = dict(zip([each.field for each in PARAMETERS], optimum_gradient(bench, "snr"), strict=True))
    own = bench.truths.instrument
    assert gradient["focus_steps"] == pytest.approx(1.0, abs=0.02)
    further = replace(own, collimator_offset_steps=own.collimator_offset_steps + 6.0)
    moved = Truth(further).optimum("snr") - Truth(own).optimum("snr")
    assert moved == pytest.approx(6.0 * gradient["collimator_offset_steps"], abs=0.3)
    assert 0.0 < gradient["collimator_offset_steps"] < 0.5  # the light weighs more than the width


def test_without_frames_there_is_no_bound(bench: Bench) -> None:
    assert np.isnan(bound_steps(bench, []))
