"""The companion of a manual session: series, live fit, advice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from autofocus.companion.rough import rough_optimum
from autofocus.companion.watch import Companion, Setup
from autofocus.model import BestFocus, CurveFit, Flag, FocusCurves, Measurement
from autofocus.session.advice import NextFrame, advise, disagreement

STAREX = [
    (9430, 8.06, 399.14),
    (9415, 8.37, 437.16),
    (9400, 6.34, 527.33),
    (9385, 5.48, 513.05),
    (9370, 4.49, 507.35),
    (9355, 3.57, 480.99),
    (9340, 3.57, 445.71),
    (9325, 4.60, 417.71),
    (9310, 5.83, 356.66),
]  # fmt: skip  the original helper's session, ../shared/data/sweeps/HD097633_starex.csv


def measured(position: float | None, fwhm: float, nsig: float, **more: object) -> Measurement:
    file = "frame.fits" if position is None else f"HD097633-{position:g}.fits"
    return replace(Measurement(file, position, fwhm, 0.02 * fwhm, nsig=nsig, nsig_err=0.02 * nsig), **more)


def curves(
    fwhm: tuple[float, float], nsig: tuple[float, float], objective: str = "nsig", *, bracketed: bool = True
) -> FocusCurves:
    made = {
        metric: CurveFit(metric, "test", place, error, 1.0, 9, 0.9)  # type: ignore[arg-type]
        for metric, (place, error) in (("fwhm", fwhm), ("nsig", nsig))
    }
    place, error = nsig if objective == "nsig" else fwhm
    best = BestFocus(objective, place, error, place - 9, place + 9, bracketed)  # type: ignore[arg-type]
    return FocusCurves(made["fwhm"], made["nsig"], best)


def test_the_original_session_told_frame_by_frame() -> None:
    companion = Companion(objective="fwhm")
    told = [companion.feed(Measurement(f"HD097633-{p}.fits", p, w, nsig=s)).lines for p, w, s in STAREX]
    assert told[0] == ("2 more positions until the first estimate",)
    assert told[1] == ("1 more position until the first estimate",)
    assert told[2] == ("focus is not bracketed yet: move in about 46 to 9354 and take a frame",)
    state, *advice = told[-1]
    assert state.startswith("best focus 93")
    assert 9343 <= float(state.split()[2]) <= 9356
    assert advice[0].startswith("move out about ")
    assert any(sentence.startswith("FWHM and NSIG disagree by 2") for sentence in advice)


def test_three_positions_give_a_first_estimate() -> None:
    companion = Companion(objective="fwhm")
    for position, width in ((100, 5.0), (120, 3.0), (140, 5.0)):
        counsel = companion.feed(measured(position, width, 100.0))
    assert counsel.lines[0].startswith("narrowest near 120 ± ")
    assert counsel.lines[1].startswith("move in about 20 to 120")


def test_an_exact_hyperbola_is_found_from_three_widths() -> None:
    frames = [measured(x, 3.0 * math.hypot(1.0, (x - 137.0) / 25.0), math.nan) for x in (100, 130, 160)]
    guess = rough_optimum(frames, "fwhm")
    assert guess is not None
    assert guess.position == pytest.approx(137.0, abs=1e-6)
    assert guess.bracketed
    assert rough_optimum(frames[:2], "fwhm") is None
    assert rough_optimum(frames, "nsig") is None


def test_the_error_of_the_first_estimate_is_that_of_its_scatter() -> None:
    rng = np.random.default_rng(11)
    pulls = []
    for _ in range(300):
        places = np.array([90, 115, 140, 165, 190])
        widths = 3.0 * np.hypot(1.0, (places - 137.0) / 25.0) * (1 + 0.05 * rng.standard_normal(5))
        frames = [replace(measured(x, w, math.nan), fwhm_err_px=0.0) for x, w in zip(places, widths, strict=True)]
        guess = rough_optimum(frames, "fwhm")
        assert guess is not None
        pulls.append((guess.position - 137.0) / guess.uncertainty)
    assert 0.8 < np.std(pulls) < 1.25


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (9365, "move in about 20 to 9345"),
        (9330, "move out about 15 to 9345"),
        (9346, "you are within the error of best: stop"),
    ],
)
def test_advice_in_plain_words(here: float, expected: str) -> None:
    positions = [9300.0, 9320.0, 9340.0, 9360.0, 9380.0, here]
    said = advise(curves((9345, 2.0), (9346, 2.0), "fwhm"), positions, 3.0)
    assert said == (expected,)


@pytest.mark.parametrize(("after", "word"), [(2.9, "settle NSIG"), (4.0, "tell most of NSIG")])
def test_one_more_frame_where_it_tells_most(after: float, word: str) -> None:
    positions = [9310.0, 9325, 9340, 9355, 9370, 9385, 9400]
    said = advise(curves((9350, 1.0), (9398, 6.0)), positions, 3.0, NextFrame(9420.4, after))
    assert said == (
        "you are at best focus as far as the frames can tell",
        f"one more frame near 9420 would {word}",
        "FWHM and NSIG disagree by 48 steps: narrowest 9350, most light 9398",
    )


def test_the_most_telling_place_is_asked_for_while_the_error_is_too_large() -> None:
    asked: list[tuple[float, float, str]] = []

    def design(placed: object, candidates: Sequence[float], objective: str) -> NextFrame:
        asked.append((min(candidates), max(candidates), objective))
        return NextFrame(111.0, 2.0)

    companion = Companion("nsig", fit=lambda _frames, _objective: curves((120, 9), (121, 9)), design=design)
    for position in (100, 110, 120, 130, 140):
        counsel = companion.feed(measured(position, 4, 100))
    assert "one more frame near 111 would settle NSIG" in counsel.lines
    assert asked[-1] == (80, 160, "nsig")
    companion.tolerance_steps = 10.0
    assert not any("one more" in line for line in companion.counsel().lines)


def test_nobody_is_sent_after_a_few_steps_that_gain_nothing() -> None:
    positions = [9300.0, 9320.0, 9340.0, 9360.0, 9380.0, 9352.0]
    said = advise(curves((9345, 2.0), (9346, 2.0), "fwhm"), positions, 3.0)
    assert said == ("you are 7 steps from the best and within 2 % of it: stop",)


def test_far_out_the_widths_say_how_far_to_go() -> None:
    companion = Companion()
    for position in (9600, 9560, 9520):
        counsel = companion.feed(measured(position, 3.0 * math.hypot(1.0, (position - 9200) / 20.0), 100.0))
    # the straight line meets zero just beyond 9200; six tenths of that way are 193
    assert counsel.lines == ("focus is not bracketed yet: move in about 193 to 9327 and take a frame",)


def test_a_cloud_makes_no_focus() -> None:
    companion = Companion()
    for position, width, nsig in ((9430, 12.9, 85), (9415, 15.0, 153), (9400, 17.2, 145)):
        counsel = companion.feed(measured(position, width, nsig))
    assert counsel.lines[0].startswith("focus is not bracketed yet: move out about ")


def test_not_bracketed_names_the_side() -> None:
    positions = [9400.0, 9385.0, 9370.0]
    inward = advise(curves((9372, 5), (9372, 5), bracketed=False), positions, 3.0)
    assert inward == ("focus is not bracketed yet: move in about 15 to 9355 and take a frame",)
    outward = advise(curves((9398, 5), (9398, 5), bracketed=False), positions, 3.0)
    assert outward == ("focus is not bracketed yet: move out about 45 to 9415 and take a frame",)


def test_optima_within_their_errors_agree() -> None:
    assert disagreement(curves((9350, 10), (9365, 5))) == ""
    assert disagreement(FocusCurves()) == ""


def test_without_positions_the_trend_and_the_best_so_far() -> None:
    companion = Companion()
    names = iter("abc")
    frames = [measured(None, w, s, file=f"{next(names)}.fits") for w, s in ((6.0, 100.0), (4.0, 101.0), (5.0, 90.0))]
    assert companion.feed(frames[0]).lines == ()
    assert companion.feed(frames[1]).lines == (
        "FWHM ↓ NSIG → | narrowest so far b.fits (4.00px) | most light so far b.fits (101.00)",
    )
    assert companion.feed(frames[2]).lines == (
        "FWHM ↑ NSIG ↓ | narrowest so far b.fits (4.00px) | most light so far b.fits (101.00)",
    )


def test_of_a_lamp_only_the_width_is_followed() -> None:
    companion = Companion()
    companion.feed(Measurement("a.fits", None, 6.0, 0.01, mode="lines"))
    advice = companion.feed(Measurement("b.fits", None, 4.0, 0.01, mode="lines"))
    assert advice.lines == ("FWHM ↓ | narrowest so far b.fits (4.00px)",)


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        (Setup("Vega", 10.0, 100), "another star: Vega"),
        (Setup("HD097633", 5.0, 100), "another exposure: 5 s"),
        (Setup("HD097633", 10.0, 0), "another gain: 0"),
        (Setup("hd097633", 10.01, 100), ""),
        (Setup("", None, None), ""),
    ],
)
def test_a_new_star_exposure_or_gain_begins_a_new_series(setup: Setup, why: str) -> None:
    companion = Companion()
    for position, width, nsig in STAREX[:3]:
        companion.feed(measured(position, width, nsig), Setup("HD097633", 10.0, 100))
    counsel = companion.feed(measured(9385, 5.48, 513.05), setup)
    assert counsel.began == why
    assert len(companion.series) == (1 if why else 4)


def test_a_lamp_between_two_frames_of_the_star_ends_no_series() -> None:
    companion = Companion()
    star = Setup("HD097633", 10.0, 100)
    for at in (9340.0, 9370.0, 9400.0):
        companion.feed(measured(at, 5.0, 400.0), star)
    lamp = replace(measured(9400.0, math.nan, math.nan), flags=(Flag.NO_TRACE,), exposure_s=1.0)
    assert companion.feed(lamp, Setup("Neon", 1.0, 100)).began == ""
    assert companion.feed(measured(9430.0, 5.0, 400.0), star).began == ""
    assert [one.position for one in companion.series] == [9340.0, 9370.0, 9400.0, 9430.0]


def test_a_gap_begins_a_new_series() -> None:
    companion = Companion()
    companion.feed(measured(1, 5, 1, started_utc="2026-11-22T21:00:00", exposure_s=600.0))
    assert companion.feed(measured(2, 5, 1, started_utc="2026-11-22T21:25:00")).began == ""
    assert companion.feed(measured(3, 5, 1, started_utc="2026-11-22T21:59:00")).began == "34 minutes later"
    companion.new_series()
    companion.feed(measured(1, 5, 1), received_s=0.0)
    assert companion.feed(measured(2, 5, 1), received_s=1000.0).began == ""
    assert companion.feed(measured(2, 5, 1), received_s=2300.0).began == "22 minutes later"


def test_frames_without_a_spectrum_tell_nothing_and_spoil_nothing() -> None:
    companion = Companion(objective="fwhm")
    for position, width, nsig in STAREX:
        before = companion.feed(measured(position, width, nsig))
    blank = Measurement("dark.fits", 9000.0, flags=(Flag.NO_TRACE,), verdict="a dark frame")
    assert companion.feed(blank).lines == ("a dark frame: this frame tells nothing of focus",)
    after = companion.feed(measured(*STAREX[-1]))
    assert before.curves is not None
    assert after.curves is not None
    assert before.curves.best is not None
    assert after.curves.best is not None
    assert after.curves.best.position == pytest.approx(before.curves.best.position, abs=3.0)


def test_frame_numbers_taken_for_positions_are_withdrawn() -> None:
    companion = Companion()
    companion.feed(measured(101, 5, 100))
    companion.withdraw(["HD097633-101.fits"])
    assert companion.series[0].position is None
    assert companion.feed(measured(None, 4, 101)).lines[0].startswith("FWHM ↓")
