"""Optional readings."""

from __future__ import annotations

import math
from collections.abc import Callable

from autofocus.errors import DeviceError


def quietly(read: Callable[[], float | None]) -> float | None:
    """A temperature, or None: a sensor that fails is no reason to end a run."""
    try:
        value = read()
    except DeviceError:
        return None
    return value if value is not None and math.isfinite(value) else None
