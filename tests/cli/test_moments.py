"""Moments as people give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from autofocus.cli.moments import moment
from autofocus.errors import SettingsError

HERE = timezone(timedelta(hours=2))
NOW = datetime(2026, 11, 22, 1, 30, 15, tzinfo=HERE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", datetime(2026, 11, 22, 0, 0, 15, tzinfo=HERE)),
        ("2 h", datetime(2026, 11, 21, 23, 30, 15, tzinfo=HERE)),
        ("1.5d", datetime(2026, 11, 20, 13, 30, 15, tzinfo=HERE)),
        ("1:00", datetime(2026, 11, 22, 1, 0, tzinfo=HERE)),
        ("21:30", datetime(2026, 11, 21, 21, 30, tzinfo=HERE)),  # yesterday evening, not tonight
        ("21:30:05", datetime(2026, 11, 21, 21, 30, 5, tzinfo=HERE)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=HERE)),
        ("2026-11-20T21:30", datetime(2026, 11, 20, 21, 30, tzinfo=HERE)),
        ("2026-11-20T21:30Z", datetime(2026, 11, 20, 21, 30, tzinfo=UTC)),
    ],
)
def test_a_moment(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "25:00", "2026-13-01", "5", "99999999999d", "-1h"])
def test_what_is_no_moment_is_said(text: str) -> None:
    with pytest.raises(SettingsError, match="--since"):
        moment(text, NOW)
