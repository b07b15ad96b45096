"""Errors keep two digits whatever their size, and their values no digit beyond them."""

from __future__ import annotations

import math

import pytest

from autofocus.digits import number, shown_error, with_error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (0.0043, "0.0043"),
        (0.052, "0.052"),
        (0.0996, "0.10"),
        (0.714, "0.71"),
        (2.84, "2.8"),
        (9.96, "10"),
        (14.2, "14"),
        (132.4, "132"),
        (0.0, "0.0"),
        (math.inf, "?"),
        (math.nan, "?"),
    ],
)
def test_an_error_has_two_significant_digits(error: float, said: str) -> None:
    assert shown_error(error) == said


def test_a_value_ends_where_its_error_ends() -> None:
    assert with_error(9.48951, 0.0043) == "9.4895 ± 0.0043"
    assert with_error(9379.23, 2.84) == "9379.2 ± 2.8"
    assert with_error(9379.23, 14.2) == "9379 ± 14"
    assert with_error(60.04, 2.0, signed=True) == "+60.0 ± 2.0"


def test_what_is_not_known_is_said() -> None:
    assert with_error(math.nan, 0.1) == number(math.nan, 2) == "–"
    assert with_error(4.531, math.nan, 2) == "4.53 ± ?"
    assert with_error(4.531, math.nan, 2, unknown="") == "4.53"
