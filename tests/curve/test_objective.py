from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics import Star, observe, take, truths

from autofocus.curve.fit import fit_focus
from autofocus.model import NAN, FocusCurves, Measurement

STAR = Star(width_focus=-15.0, light_focus=15.0)
POSITIONS = np.arange(-82.0, 83.0, 15.0)


def night(star: Star = STAR, *, noise_adu: float = 8.0, gain: float = 0.5) -> list[Measurement]:
    rng = np.random.default_rng(1)
    calm = {"seeing": 0.0, "transparency": 0.0, "guiding_px": 0.0}
    frames = take(star, POSITIONS, rng, noise_adu=0.1, gain=gain, **calm)
    return [replace(m, background_noise_adu=noise_adu) for m in frames]


def place(curves: FocusCurves) -> float:
    assert curves.best is not None
    return curves.best.position


@pytest.mark.parametrize("brightness", [20.0, 300.0, 20_000.0])
def test_snr_is_maximised_where_brute_force_says(brightness: float) -> None:
    star = replace(STAR, brightness=brightness)
    found = fit_focus(night(star, noise_adu=30.0), objective="snr")
    assert place(found) == pytest.approx(
        truths(star, noise_adu=30.0)["snr"], abs=2.0
    )  # Moffat wings against our Gaussian


def test_bright_stars_lean_to_the_light_and_faint_ones_to_the_width() -> None:
    bright, faint = (
        place(fit_focus(night(replace(STAR, brightness=b), noise_adu=30.0), objective="snr")) for b in (1e5, 5.0)
    )
    light = place(fit_focus(night(), objective="nsig"))
    assert bright == pytest.approx(light, abs=1.0)
    assert faint < bright - 3.0


def test_a_longer_science_exposure_of_a_sky_limited_star_changes_nothing() -> None:
    frames = [replace(m, background_adu=1e6) for m in night(noise_adu=60.0)]
    short = place(fit_focus(frames, objective="snr"))
    long = place(fit_focus(frames, objective="snr", science_exposure_s=1000.0))
    assert long == pytest.approx(short, abs=1e-6)


def test_read_noise_matters_less_in_a_longer_science_exposure() -> None:
    # a background of 1 ADU cannot make 60 ADU of photon noise: the rest is read noise
    frames = [replace(m, background_adu=1.0) for m in night(noise_adu=60.0)]
    short = place(fit_focus(frames, objective="snr"))
    long = place(fit_focus(frames, objective="snr", science_exposure_s=100_000.0))
    assert long > short + 3.0


def test_fwhm_keeps_the_light_asked_for() -> None:
    free = place(fit_focus(night(), objective="fwhm"))
    held = place(fit_focus(night(), objective="fwhm", min_nsig_fraction=0.97))
    peak = observe(STAR, truths(STAR)["nsig"])[1]
    assert observe(STAR, free)[1] < 0.95 * peak
    assert observe(STAR, held)[1] == pytest.approx(0.97 * peak, rel=0.01)
    assert free < held < place(fit_focus(night(), objective="nsig"))


@pytest.mark.parametrize("unknown", [{"gain_e_per_adu": None}, {"background_noise_adu": NAN}, {"exposure_s": None}])
def test_without_photons_the_light_decides_and_says_so(unknown: dict[str, float | None]) -> None:
    curves = fit_focus([replace(m, **unknown) for m in night()], objective="snr")
    assert curves.best is not None
    assert curves.best.objective == "nsig"
    assert any("nsig" in warning for warning in curves.warnings)


@pytest.mark.parametrize(("missing", "left"), [("nsig", "fwhm"), ("fwhm_px", "nsig")])
@pytest.mark.parametrize("asked", ["snr", "nsig", "fwhm"])
def test_one_metric_decides_alone(missing: str, left: str, asked: str) -> None:
    curves = fit_focus([replace(m, **{missing: NAN}) for m in night()], objective=asked)
    assert curves.best is not None
    assert curves.best.objective == left
    assert (curves.fwhm is None) == (left == "nsig")
    assert bool(curves.warnings) == (asked != left)


def test_the_losses_are_told_as_sentences() -> None:
    curves = fit_focus(night(), objective="nsig")
    assert curves.fwhm is not None
    lost = 1.0 - observe(STAR, curves.fwhm.position)[1] / observe(STAR, truths(STAR)["nsig"])[1]
    expected = f"at the narrowest focus ({curves.fwhm.position:.0f}) you would lose {100 * lost:.0f} % of the light"
    assert expected in curves.losses
