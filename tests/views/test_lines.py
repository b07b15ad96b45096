"""The human line of a frame, and an analysed series in plain lines."""

from __future__ import annotations

import pytest

from autofocus.model import BestFocus, CurveFit, Flag, FocusCurves, FocusResult, Measurement
from autofocus.views.lines import frame_line, printable, result_lines, unreadable_line


def test_the_originals_form() -> None:
    line = frame_line(Measurement("HD097633-9430.fits", None, 9.4904, fwhm_arcsec=8.4465, nsig=399.141))
    assert line == 'HD097633-9430.fits: FWHM = 9.49px -> 8.45" | NSIG = 399.14'


def test_without_a_plate_scale_there_is_no_arrow() -> None:
    assert frame_line(Measurement("a.fits", None, 9.49, nsig=399.14)) == "a.fits: FWHM = 9.49px | NSIG = 399.14"


def test_further_facts_follow() -> None:
    measurement = Measurement(
        "a.fits", 9430.0, 9.49, nsig=399.14, snr=85.4, flags=(Flag.SATURATED, Flag.BLENDED), notes=("noted",)
    )
    assert frame_line(measurement) == (
        "a.fits: FWHM = 9.49px | NSIG = 399.14 | position 9430 | SNR 85 | saturated blended | noted"
    )


def test_what_was_not_measured_is_said() -> None:
    measurement = Measurement("arc.fits", flags=(Flag.NO_TRACE,), verdict="an arc lamp")
    assert frame_line(measurement) == "arc.fits: FWHM = n/a | NSIG = n/a | an arc lamp | no_trace"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\x1b[31m\x00", r"a\x0ab\x1b[31m\x00"),
        ("Žluťoučký 星.fits", "Žluťoučký 星.fits"),
        ("\u202egnp", r"\u202egnp"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("\x9b2J", r"\x9b2J"),
    ],
)
def test_nothing_reaches_a_terminal_that_it_would_obey(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert frame_line(Measurement(text)).startswith(f"{shown}: FWHM")
    assert unreadable_line("x.fits", text) == f"x.fits: {shown}"


def test_an_unreadable_file_is_named_once() -> None:
    assert unreadable_line("x.fits", "x.fits: it is not whole") == "x.fits: it is not whole"


def test_an_analysed_series() -> None:
    curves = FocusCurves(
        fwhm=CurveFit("fwhm", "hyperbola", 9350.2, 2.56, 3.58, 9, 0.899),
        nsig=CurveFit("nsig", "throughput", 9377.3, 2.6, 519.58, 9, None),
        best=BestFocus("nsig", 9377.3, 2.6, 9364, 9390),
        left_out={0: "a cloud", 1: "a cloud", 2: "no trace"},
        losses=("at the narrowest focus (9350) you would lose 8 % of the light",),
        warnings=("decided by the light",),
    )
    taken = tuple(Measurement(name, 9400.0) for name in ("a.fits", "b.fits", ""))
    result = FocusResult("focused", None, "Best focus.", "nsig", curves, None, taken, ("a gap", "decided by the light"))
    assert result_lines(result) == [
        "Best focus.",
        "  by nsig: 9377.3 ± 2.6",
        "  within 2 % of the best from 9364 to 9390",
        "  FWHM narrowest at 9350.2 ± 2.6: 3.58px (hyperbola, 9 points, R² 0.899)",
        "  NSIG most light at 9377.3 ± 2.6: 519.58 ADU/s (throughput, 9 points)",
        "  at the narrowest focus (9350) you would lose 8 % of the light",
        "  left out: a.fits, b.fits: a cloud",
        "  left out: 9400: no trace",
        "warning: a gap",
        "warning: decided by the light",
    ]


def test_no_focus_claims_none() -> None:
    best = BestFocus("fwhm", 1.0, 2.0, 0.0, 3.0)
    result = FocusResult("no_focus", "not_bracketed", "Not bracketed.", "fwhm", FocusCurves(best=best))
    assert result_lines(result) == ["Not bracketed."]
