from __future__ import annotations

import numpy as np
import pytest
from physics import Star, observe
from scipy.optimize import least_squares
from scipy.special import erf

from autofocus.curve.candidates import OPTICAL
from autofocus.curve.hyperbola import hyperbola, hyperbola_starts, skew_hyperbola
from autofocus.curve.optical import optical
from autofocus.curve.throughput import passed, throughput

X = np.linspace(-1.0, 1.0, 9)


def test_hyperbola_has_its_floor_at_the_centre_and_its_slope_far_out() -> None:
    theta = np.array([[0.2, np.log(3.0), np.log(10.0)]])
    assert hyperbola(theta, np.array([0.2]))[0, 0] == pytest.approx(3.0)
    assert hyperbola(theta, np.array([1000.2]))[0, 0] == pytest.approx(10_000.0, rel=1e-6)
    assert hyperbola(theta, np.array([0.2]), 1.1)[0, 0] == pytest.approx(3.3)


def test_seeing_moves_the_width_at_focus_and_not_far_out() -> None:
    theta = np.array([[0.0, 0.0, np.log(10.0)]])
    near, far = (hyperbola(theta, np.array([0.0, 1.0]), 1.1) / hyperbola(theta, np.array([0.0, 1.0])))[0] - 1.0
    assert near == pytest.approx(0.1)
    assert far < 0.002


def test_skewness_moves_the_minimum_towards_the_flatter_branch() -> None:
    fine = np.linspace(-1, 1, 2001)
    theta = np.array([[0.0, 0.0, np.log(5.0), 0.1]])
    curve = skew_hyperbola(theta, fine)[0]
    # f/k * q / sqrt(1 - q²) for a tilt of tanh q
    assert fine[np.argmin(curve)] == pytest.approx(-0.2 * np.tanh(0.1) / np.sqrt(1 - np.tanh(0.1) ** 2), abs=1e-3)


def test_an_exact_hyperbola_starts_at_its_own_parameters() -> None:
    theta = np.array([[0.3, 0.2, 1.0]])
    start = hyperbola_starts(X, hyperbola(theta, X)[0])[0]
    assert start[0] == pytest.approx(0.3, abs=1e-9)
    assert start[2] == pytest.approx(1.0, abs=0.15)


def test_a_wide_slit_passes_everything_over_a_plateau() -> None:
    theta = np.array([[0.0, 0.0, np.log(0.1), np.log(0.3)]])
    curve = throughput(theta, X)[0]
    assert np.ptp(curve[np.abs(X) <= 0.5]) < 1e-6
    assert curve[4] == pytest.approx(1.0)


def test_a_star_beside_the_slit_has_two_humps() -> None:
    theta = np.array([[0.0, 0.0, np.log(0.3), np.log(1.5), 1.6]])
    fine = np.linspace(-1.5, 1.5, 301)
    curve = throughput(theta, fine)[0]
    middle = curve[150]
    assert curve.max() > 1.5 * middle
    assert np.argmax(curve) != 150
    assert curve[np.argmax(curve)] == pytest.approx(curve[300 - np.argmax(curve)])


def test_passed_is_the_error_function_for_a_centred_star() -> None:
    assert passed(np.array([1.0]), 0.0)[0] == pytest.approx(erf(1 / np.sqrt(2)))


@pytest.mark.parametrize("light_focus", [-30.0, 0.0, 25.0])
@pytest.mark.parametrize("slit_px", [2.0, 5.0, 12.0])
@pytest.mark.parametrize("offset_px", [0.0, 1.5])
@pytest.mark.parametrize("obstruction", [0.0, 0.35])
def test_optical_model_follows_brute_force_optics(
    light_focus: float, slit_px: float, offset_px: float, obstruction: float
) -> None:
    # nearly Gaussian seeing: then the model claims to be exact
    optics = {"light_focus": light_focus, "slit_px": slit_px, "offset_px": offset_px, "obstruction": obstruction}
    star = Star(**optics, beta=80.0, brightness=1.0)
    positions = np.arange(-90.0, 91.0, 22.5)
    truth = np.array([observe(star, position) for position in positions])
    sigma = star.seeing_fwhm / 2.3548
    theta = [0.0, np.log(sigma), np.log(star.blur_per_step), light_focus, 0.0, np.log(slit_px / 2)]
    theta += [np.log(star.own_fwhm / star.seeing_fwhm), 0.0, 2 * offset_px / slit_px]
    width, light = optical(np.array([theta + [obstruction] * (obstruction > 0.0)]), positions)
    np.testing.assert_allclose(width[0], truth[:, 0], rtol=0.006)
    np.testing.assert_allclose(light[0], truth[:, 1], rtol=0.02)


@pytest.mark.parametrize("beta", [3.0, 3.5, 4.765])
def test_two_gaussians_stand_in_for_moffat_seeing(beta: float) -> None:
    star = Star(width_focus=-14.0, light_focus=14.0, obstruction=0.3, beta=beta, brightness=1.0)
    positions = np.arange(-90.0, 91.0, 15.0)
    truth = np.array([observe(star, position) for position in positions])
    mean, sd = np.array(OPTICAL).T

    def off(theta: np.ndarray) -> np.ndarray:
        both = np.stack(optical(theta[None], positions / 90.0), axis=-1)[0]
        return np.concatenate([((both / truth - 1.0) / 0.003).ravel(), (theta - mean) / sd])

    start = [-0.15, 0.3, 1.9, 0.15, 0.0, 0.7, -0.7, 0.69, 0.1, 0.3]
    mean[[1, 4, 5]] = start[1], start[4], start[5]  # the priors are for scaled widths
    best = least_squares(off, start).x
    misfit = off(best)[: truth.size] * 0.003
    assert np.sqrt(np.mean(misfit**2)) < 0.004
    assert np.abs(misfit).max() < 0.012


def test_optical_model_does_not_depend_on_its_batch() -> None:
    rng = np.random.default_rng(5)
    theta = rng.normal(size=(6, 10)) * 0.3
    together = optical(theta, X)
    alone = [optical(row[None], X) for row in theta]
    np.testing.assert_allclose(together[0], np.vstack([width for width, _ in alone]), rtol=1e-8)
    np.testing.assert_allclose(together[1], np.vstack([light for _, light in alone]), rtol=1e-12)
