"""When a fault strikes: at which move, exposure or request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_FORMS = re.compile(r"(?P<first>\d+)(?P<dash>-)?(?P<last>\d+)?|/(?P<every>\d+)")


@dataclass(frozen=True, slots=True)
class Occasions:
    """Occasions counted from 1: from ``first`` to ``last`` (None: for ever), every ``every``-th of them."""

    first: int = 1
    last: int | None = None
    every: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``N`` (the N-th), ``N-`` (from it on), ``N-M`` or ``/N`` (every N-th); ValueError when it is none."""
        found = _FORMS.fullmatch(text)
        if found is None or text.startswith("0") or text == "/0":
            raise ValueError(f"{text!r} says no occasions: give 3 (the third), 3- (from it on), 3-5 or /20 (each 20th)")
        if found["every"] is not None:
            return cls(int(found["every"]), None, int(found["every"]))
        first = int(found["first"])
        if not found["dash"]:
            return cls(first, first)
        last = None if found["last"] is None else int(found["last"])
        if last is not None and last < first:
            raise ValueError(f"{text!r} ends before it begins")
        return cls(first, last)

    def include(self, number: int) -> bool:
        """Whether this is one of them."""
        return self.first <= number <= (self.last or number) and (number - self.first) % self.every == 0

    def __str__(self) -> str:
        """The form that `parse` reads."""
        if self.every > 1:
            return f"/{self.every}"
        if self.last is None:
            return f"{self.first}-"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
