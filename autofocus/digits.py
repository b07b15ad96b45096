"""Numbers as people read them: an error to two significant digits, and its value to the same decimals."""

from __future__ import annotations

import math

DASH = "–"
SIGNIFICANT = 2  # digits of an error: one would round 0.14 by a third, three say what no error knows


def number(value: float, digits: int) -> str:
    """The number, or a dash for what could not be measured."""
    return f"{value:.{digits}f}" if math.isfinite(value) else DASH


def shown_error(error: float) -> str:
    """``0.052``, ``2.8``, ``14``, ``132``; ``?`` where it is not known."""
    return f"{error:.{_decimals(error)}f}" if math.isfinite(error) else "?"


def with_error(value: float, error: float, digits: int = 0, *, signed: bool = False, unknown: str = " ± ?") -> str:
    """``9.490 ± 0.052``, or a dash for what could not be measured.

    Where the error is not known the value has this many ``digits``, and ``unknown`` follows; ``signed`` shows a plus.
    """
    if not math.isfinite(value):
        return DASH
    plus = "+" if signed else ""
    if not math.isfinite(error):
        return f"{value:{plus}.{digits}f}{unknown}"
    return f"{value:{plus}.{_decimals(error)}f} ± {shown_error(error)}"


def _decimals(error: float) -> int:
    """How many decimals its significant digits reach; whole digits are never rounded away."""
    exponent = int(f"{error:.{SIGNIFICANT - 1}e}".partition("e")[2])  # as rounded: 0.0996 is 0.10
    return max(SIGNIFICANT - 1 - exponent, 0)
