"""Recorded series judged: the original's table, and every reason for no focus."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from autofocus.curve.significance import chance_of_noise
from autofocus.model import CurveFit, Flag, Measurement, Mode
from autofocus.session.records import result_object
from autofocus.session.series import analyze
from autofocus.settings import SearchSettings

STAREX = [
    (9430, 8.06, 399.14), (9415, 8.37, 437.16), (9400, 6.34, 527.33), (9385, 5.48, 513.05), (9370, 4.49, 507.35),
    (9355, 3.57, 480.99), (9340, 3.57, 445.71), (9325, 4.60, 417.71), (9310, 5.83, 356.66),
]  # fmt: skip


def starex() -> list[Measurement]:
    return [Measurement("", position, width, nsig=nsig) for position, width, nsig in STAREX]


def valley(best: float, positions: range) -> list[Measurement]:
    return [Measurement("", x, 4.0 * math.hypot(1, (x - best) / 60), 0.05) for x in positions]


def test_the_originals_table() -> None:
    result = analyze(starex())
    fwhm, nsig = result.curves.fwhm, result.curves.nsig
    assert fwhm is not None
    assert nsig is not None
    assert 9345 <= fwhm.position <= 9352
    assert 9372 <= nsig.position <= 9400
    assert 0.5 < fwhm.uncertainty < 8
    assert 0.5 < nsig.uncertainty < 12
    assert (result.outcome, result.reason, result.objective) == ("focused", None, "nsig")
    assert any("signal-to-noise" in warning for warning in result.curves.warnings)
    assert result.warnings[0].startswith("FWHM and NSIG disagree by ")
    made = result_object(result)
    assert made["position"] is None
    assert made["best"]["position"] == pytest.approx(nsig.position)
    assert len(made["samples"]) == 9
    assert {sample["phase"] for sample in made["samples"]} == {"recorded"}


def test_the_objective_asked_for() -> None:
    result = analyze(starex(), SearchSettings(objective="fwhm"))
    assert result.objective == "fwhm"
    assert result.best is not None
    assert 9345 <= result.best.position <= 9352


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([], "too_few_samples"),
        (starex()[:3], "too_few_samples"),
        ([replace(one, position=None) for one in starex()], "too_few_samples"),
        ([Measurement("", p, flags=(Flag.NO_TRACE,)) for p, _, _ in STAREX], "no_spectrum"),
        ([one for one in starex() if one.position is not None and one.position >= 9385], "not_bracketed"),
        (starex()[:5], "not_bracketed"),
        (valley(512.0, range(515, 640, 15)), "not_bracketed"),
    ],
)
def test_no_focus_and_why(frames: list[Measurement], reason: str) -> None:
    result = analyze(frames, SearchSettings(objective="fwhm"))
    assert (result.outcome, result.reason) == ("no_focus", reason)
    assert result.message.endswith(".")


@pytest.mark.parametrize(
    ("mode", "sought"), [("spectrum", "a spectrum"), ("stars", "stars"), ("lines", "the lines of a lamp")]
)
def test_what_was_sought_in_vain_is_named(mode: Mode, sought: str) -> None:
    result = analyze([Measurement("", 9000.0 + i, mode=mode, flags=(Flag.NO_TRACE,)) for i in range(5)])
    assert result.message == f"None of the 5 frames holds {sought}."


@pytest.mark.parametrize("seed", range(16))
def test_noise_is_no_focus(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = [Measurement("", p, 5.0 + 0.8 * rng.standard_normal(), 0.8) for p in range(0, 900, 100)]
    result = analyze(frames, SearchSettings(objective="fwhm"))
    assert result.outcome == "no_focus"
    assert result.reason in ("poor_fit", "not_bracketed")


def test_a_clean_valley_lies_where_it_was_put() -> None:
    best = analyze(valley(512.0, range(400, 640, 30)), SearchSettings(objective="fwhm")).best
    assert best is not None
    assert best.position == pytest.approx(512.0, abs=3.0)


def test_the_chance_of_noise_is_that_of_an_f_test() -> None:
    from scipy.stats import f

    curve = CurveFit("fwhm", "test", 0.0, 1.0, 1.0, 9, 0.8)
    assert chance_of_noise(curve) == pytest.approx(f.sf((0.8 / 2) / (0.2 / 6), 2, 6))
    assert chance_of_noise(replace(curve, r_squared=None)) == 1.0
    assert chance_of_noise(replace(curve, r_squared=-0.3)) == 1.0


def test_a_series_of_what_was_not_asked_for_says_what_it_is() -> None:
    blank = [Measurement("", p, flags=(Flag.NO_TRACE,), shows="stars" if p < 9400 else None) for p, _, _ in STAREX]
    seen = sum(one.shows is not None for one in blank)
    assert 0 < seen < len(blank)
    said = f"None of the {len(blank)} frames holds a spectrum; {seen} of them show stars: set measure.mode: stars."
    assert analyze(blank).message == said
