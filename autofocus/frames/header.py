"""FITS headers as they come: cards read one by one, so that an unparsable one spoils nothing.

Own code rather than astropy's, for three reasons: the watch must know whether a file is whole without
loading it, a header from an unknown program must never raise, and a plain frame is then measured without
the second that importing astropy takes. Compressed images and writing are left to astropy.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import IO

from autofocus.errors import FrameError

BLOCK = 2880
CARD = 80
LONGEST_HEADER = 1000 * BLOCK  # 36 000 cards; a header without END ends here

Value = str | int | float | bool | None

_STRING = re.compile(r"\s*'((?:[^']|'')*)'?\s*(?:/(.*))?$", re.DOTALL)
_PLAIN = re.compile(r"\s*([^/]*?)\s*(?:/(.*))?$", re.DOTALL)
_INTEGER = re.compile(r"[+-]?\d{1,40}$")


@dataclass(slots=True)
class Header:
    """The cards of one HDU: values and comments by keyword, the first of each counting."""

    values: dict[str, Value] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    start: int = 0
    data_start: int = 0

    def integer(self, key: str, default: int = 0) -> int:
        """A structural keyword as an integer; a value that is none raises `FrameError`."""
        value = self.values.get(key, default)
        number = as_number(value)
        if number is None or number != int(number):
            raise FrameError(f"the header's {key} is {value!r} where a whole number is needed")
        return int(number)

    @property
    def axes(self) -> tuple[int, ...]:
        """NAXIS1, NAXIS2, … as written: columns first."""
        count = self.integer("NAXIS")
        if not 0 <= count <= 999:
            raise FrameError(f"the header's NAXIS is {count}")
        axes = tuple(self.integer(f"NAXIS{number + 1}") for number in range(count))
        if any(length < 0 for length in axes):
            raise FrameError(f"the header's axes are {axes[:9]}")
        return axes

    @property
    def compressed(self) -> bool:
        """Whether this table holds a tile-compressed image (``.fz``)."""
        return self.values.get("ZIMAGE") is True

    @property
    def data_bytes(self) -> int:
        """Bytes of data that follow, without padding, by the standard's formula."""
        axes = self.axes
        elements = math.prod(axes) if axes else 0
        extra = max(0, self.integer("PCOUNT"))
        return abs(self.integer("BITPIX", 8)) // 8 * max(1, self.integer("GCOUNT", 1)) * (extra + elements)

    @property
    def next_start(self) -> int:
        """Where the next HDU begins."""
        return self.data_start + -(-self.data_bytes // BLOCK) * BLOCK


def read_header(stream: IO[bytes], start: int) -> Header | None:
    """Read the header at ``start``; None where the HDUs end, `FrameError` where the header is broken or no FITS."""
    header = Header(start=start)
    offset = start
    while offset - start < LONGEST_HEADER:
        block = stream.read(BLOCK)
        if not block and offset == start:
            return None
        if offset == start and not block.startswith(b"SIMPLE  " if start == 0 else b"XTENSION"):
            if start:
                return None  # padding or rubbish behind the last HDU is common and harms nobody
            raise FrameError("it is not a FITS file")
        if len(block) < BLOCK:
            raise FrameError("it ends within its header; was it copied whole?")
        offset += BLOCK
        if _take_cards(block, header):
            header.data_start = offset
            return header
    raise FrameError("its header has no END")


def _take_cards(block: bytes, header: Header) -> bool:
    """Add the cards of one block; True when END was among them."""
    for at in range(0, BLOCK, CARD):
        card = block[at : at + CARD].decode("latin-1")
        keyword = card[:8].rstrip()
        if keyword == "END" and not card[8:].strip():
            return True
        if keyword == "CONTINUE":
            _continue(card, header)
            continue
        if keyword == "HIERARCH" and "=" in card:
            keyword, _, rest = card[9:].partition("=")
            keyword = keyword.strip().upper()
        elif card[8:9] == "=":
            rest = card[9:]
        else:
            continue
        if keyword and keyword not in header.values:
            header.values[keyword], header.comments[keyword] = parse_value(rest)
    return False


def _continue(card: str, header: Header) -> None:
    """Append a CONTINUE card to the string before it."""
    last = next(reversed(header.values), None)
    if last is None:
        return
    text, more = header.values[last], parse_value(card[8:])[0]
    if isinstance(text, str) and isinstance(more, str) and text.endswith("&"):
        header.values[last] = text[:-1] + more


def parse_value(rest: str) -> tuple[Value, str]:
    """Turn the part of a card after ``=`` into its value and comment; what cannot be parsed stays text."""
    quoted = _STRING.match(rest)
    if quoted:
        return quoted[1].replace("''", "'").rstrip(), (quoted[2] or "").strip()
    plain = _PLAIN.match(rest)
    text, comment = (plain[1], (plain[2] or "").strip()) if plain else (rest.strip(), "")
    if text in ("T", "F"):
        return text == "T", comment
    if _INTEGER.match(text):
        return int(text), comment
    number = _real(text)
    return (text or None) if number is None else number, comment


def _real(text: str) -> float | None:
    """A real number as FITS or a careless program writes it (``1.5D3``, ``0,5``), or None."""
    if "_" in text:
        return None
    for form in (text, text.upper().replace("D", "E"), text.replace(",", ".")):
        try:
            return float(form)
        except ValueError:
            continue
    return None


def as_number(value: object) -> float | None:
    """A finite number, also where a program wrote it as a string; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = _real(value.strip())
    if not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
