"""What a device's value must be: servers send numbers as strings, and not-a-number."""

from __future__ import annotations

import math

from autofocus.devices.replies import plain


def whole(value: object) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{value!r} is no number")
    real = float(value)
    if not math.isfinite(real) or real != round(real):
        raise ValueError(f"{value!r} is not whole")
    return round(real)


def number(value: object) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{value!r} is no number")
    real = float(value)
    if not math.isfinite(real):
        raise ValueError(f"{value!r} is not finite")
    return real


def truth(value: object) -> bool:
    """True or False."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def text(value: object) -> str:
    """A line of text."""
    return plain(value)


def texts(value: object) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return [plain(item) for item in value]
