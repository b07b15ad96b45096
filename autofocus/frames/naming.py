"""The focuser position that rides in a file's name, by CONTRACT's rule."""

from __future__ import annotations

import re
from collections.abc import Iterable

from autofocus.errors import SettingsError

SUFFIX = re.compile(r"\.(?:fits?|fts)(?:\.(?:gz|fz))?$", re.IGNORECASE)
_POSITION = re.compile(r"^(.*[-_ ])([1-9]\d{2,})$", re.DOTALL)
_COUNT = re.compile(r"^(.*[-_ ])(\d+)$", re.DOTALL)
_DATE = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"
_DAY_FIRST = r"(?:0[1-9]|[12]\d|3[01])[-_ ](?:0[1-9]|1[0-2])[-_ ](?:19|20)\d\d"
_STAMP = re.compile(rf"(?:(?:^|[-_ ])(?:{_DATE}|{_DAY_FIRST})|(?:^|\D){_DATE}[-_ T]?{_TIME}\d{{0,3}})$")
GUID = re.compile(r"^\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$", re.IGNORECASE)


def is_frame_name(name: str) -> bool:
    """Whether a name is a FITS frame's: any case of .fit .fits .fts, also with .gz or .fz; hidden files are not."""
    return not name.startswith(".") and SUFFIX.search(name) is not None


def stem(name: str) -> str:
    """The name without its FITS suffix."""
    return SUFFIX.sub("", name)


def split_name(name: str) -> tuple[str, int] | None:
    """The text before the position and the position, or None where the name holds none.

    A date, a time after a date, and a GUID are no positions although they end in digits.
    """
    text = stem(name)
    found = _POSITION.match(text)
    if found is None or _STAMP.search(text) or GUID.match(text) or len(found[2]) > 9:
        return None
    return found[1], int(found[2])


def position_from_name(name: str) -> float | None:
    """The focuser position that one name holds by CONTRACT's rule, taken by itself; None where it holds none."""
    parts = split_name(name)
    return None if parts is None else float(parts[1])


def positions_from_names(names: Iterable[str], pattern: str | None = None) -> dict[str, float | None]:
    """The positions that a set of names holds: names that merely count up by one hold none."""
    known = NamedPositions(pattern)
    listed = list(names)
    known.learn(listed)
    return {name: known.position(name) for name in listed}


class NamedPositions:
    """Positions from names, aware of the other names of the set, so that frame numbers are not taken for positions.

    Of numbers behind the same text, more than half of the gaps between neighbours being one makes them frame
    numbers (a deleted frame leaves a gap of two). Numbers that the user's own pattern finds are positions always.
    """

    def __init__(self, pattern: str | None = None) -> None:
        try:
            self._pattern = re.compile(pattern) if pattern else None
        except re.error as cause:
            raise SettingsError(f"--position-pattern {pattern!r} is not a regular expression: {cause}") from cause
        self._numbers: dict[str, set[int]] = {}
        self._ones: dict[str, int] = {}

    def learn(self, names: Iterable[str]) -> None:
        """Take further names of the set into account."""
        for name in names:
            found = _COUNT.match(stem(name))  # 098, 099, 100: what counts up may begin with zeros
            if found is None or len(found[2]) > 9:
                continue
            text, number = found[1], int(found[2])
            numbers = self._numbers.setdefault(text, set())
            if number not in numbers:
                self._ones[text] = self._ones.get(text, 0) + (number - 1 in numbers) + (number + 1 in numbers)
                numbers.add(number)

    def counts_up(self, name: str) -> bool:
        """Whether the names like this one merely count up by one."""
        parts = split_name(name)
        if parts is None or parts[0] not in self._numbers:
            return False
        gaps = len(self._numbers[parts[0]]) - 1
        return gaps > 0 and 2 * self._ones[parts[0]] > gaps

    def position(self, name: str) -> float | None:
        """The position that this name holds among those learned, or None."""
        if self._pattern is not None:
            number = self._by_pattern(self._pattern, name)
            if number is not None:
                return number
        return None if self.counts_up(name) else position_from_name(name)

    @staticmethod
    def _by_pattern(pattern: re.Pattern[str], name: str) -> float | None:
        """What the user's pattern finds: its group ``position``, else its first group, else all it matched."""
        found = pattern.search(name)
        if found is None:
            return None
        group: str | int = "position" if "position" in pattern.groupindex else min(1, pattern.groups)
        try:
            return float(found[group] or "")
        except ValueError:
            return None
