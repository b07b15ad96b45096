"""A moment as people give it: a time of the clock, a date, or how long ago."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from autofocus.errors import SettingsError

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(min|m|h|d)", re.IGNORECASE)
_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime, option: str = "--since") -> datetime:
    """``21:30`` (the last time the clock said so), ``2026-11-22T21:30`` (local unless it says otherwise), ``90m``."""
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2].lower()]: float(ago[1])})
        if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", text.strip()):
            clock = time.fromisoformat(text.strip().zfill(5 if text.count(":") == 1 else 8))
            today = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
            return today if today <= now else today - timedelta(days=1)
        given = datetime.fromisoformat(text.strip())
        return given if given.tzinfo else given.replace(tzinfo=now.tzinfo)
    except (ValueError, OverflowError) as cause:
        raise SettingsError(f"{option} {text!r}: give 21:30, 2026-11-22T21:30, or how long ago: 90m, 2h, 1d") from cause
