"""What the headers of a frame say: exposure, position, gain, saturation, colour; and what is odd about it."""

from __future__ import annotations

import dataclasses
import re

from autofocus.frames.header import Header, Value, as_number
from autofocus.model import Frame

POSITION_KEYS = ("FOCUSPOS", "FOCPOS", "FOCUSPOSITION", "FOCUSER")
EXPOSURE_KEYS = ("EXPTIME", "EXPOSURE")
SATURATION_KEYS = ("SATLEVEL", "SATURATE")

_ELECTRONS = re.compile(r"\be(?:-|lectrons?)?\s*(?:/|per)\s*(?:adu|dn|counts?)", re.IGNORECASE)
_MILLISECONDS = re.compile(r"\[ms\]|\bms\b|\bmilli-?sec", re.IGNORECASE)
_BAYER = {"RGGB", "BGGR", "GRBG", "GBRG"}


class Facts:
    """The facts of one image, from its own header first and the primary one where that is silent."""

    def __init__(self, own: Header, primary: Header) -> None:
        self._own, self._primary = own, primary
        self.headers: dict[str, Value] = {**primary.values, **own.values}
        self.notes: list[str] = []

    def comment(self, key: str) -> str:
        """The comment that belongs to the value in ``headers``."""
        source = self._own if key in self._own.values else self._primary
        return source.comments.get(key, "")

    def text(self, key: str) -> str | None:
        """A string card, stripped; None where there is none."""
        value = self.headers.get(key)
        return value.strip() or None if isinstance(value, str) else None

    def number(self, key: str, default: float) -> float:
        """A numeric card, or the default."""
        number = as_number(self.headers.get(key))
        return default if number is None else number

    def exposure_s(self) -> float | None:
        """EXPTIME, then EXPOSURE, the first that is a positive time; in seconds unless its comment says ms."""
        for key in EXPOSURE_KEYS:
            value = as_number(self.headers.get(key))
            if value is not None and value > 0:
                if not _MILLISECONDS.search(self.comment(key)):
                    return value
                self.notes.append(f"{key} is in ms")
                return value / 1000
        return None

    def position(self, named: float | None) -> float | None:
        """The header's position, else the one that the name holds; a contradiction is noted."""
        for key in POSITION_KEYS:
            value = as_number(self.headers.get(key))
            if value is not None:
                if named is not None and named != value:
                    self.notes.append(f"the header says position {value:g}, the name {named:g}")
                return value
        return named

    def gain_e_per_adu(self) -> float | None:
        """EGAIN; or GAIN where its comment says electrons per ADU (else GAIN is a camera's setting)."""
        for key in ("EGAIN", "GAIN"):
            value = as_number(self.headers.get(key))
            if value is not None and value > 0 and (key == "EGAIN" or _ELECTRONS.search(self.comment(key))):
                return value
        return None

    def saturation_adu(self) -> float | None:
        """The level that the header names, else the largest value that an integer pixel can hold."""
        for key in SATURATION_KEYS:
            value = as_number(self.headers.get(key))
            if value is not None and value > 0:
                return value
        bits = as_number(self.headers.get("ZBITPIX" if self._own.compressed else "BITPIX"))
        if bits not in (8, 16):
            return None
        largest = 255 if bits == 8 else 32767
        return largest * (self.number("BSCALE", 1.0) or 1.0) + self.number("BZERO", 0.0)

    def bayer(self) -> str | None:
        """The Bayer pattern of a colour camera's raw frame, or None."""
        for key in ("BAYERPAT", "COLORTYP"):
            pattern = (self.text(key) or "").upper()
            if pattern in _BAYER:
                return pattern
        return None


def luminance(frame: Frame, facts: Facts) -> Frame:
    """Turn a Bayer mosaic into luminance; a frame without a mosaic stays as it is.

    Each pixel becomes the mean of the 2 x 2 pixels that begin with it (one red, two green, one blue, in
    whichever order), so that no row is darker for its filter and the pixel grid, the plate scale and
    CONTRACT's columns stay those of the sensor. It widens a profile by 1.18 px in quadrature. Where one of
    the four is saturated the mean is set to the saturation level.
    """
    import numpy as np

    pattern = facts.bayer()
    binned = max(facts.number("XBINNING", 1.0), facts.number("YBINNING", 1.0))
    if pattern is None or binned > 1 or min(frame.shape) < 2:
        return dataclasses.replace(frame, notes=tuple(facts.notes))
    pixels = frame.pixels
    cells = np.empty_like(pixels)
    cells[:-1, :-1] = 0.25 * (pixels[:-1, :-1] + pixels[1:, :-1] + pixels[:-1, 1:] + pixels[1:, 1:])
    if frame.saturation_adu is not None:
        full = pixels >= frame.saturation_adu
        any_full = full[:-1, :-1] | full[1:, :-1] | full[:-1, 1:] | full[1:, 1:]
        cells[:-1, :-1][any_full] = frame.saturation_adu
    cells[-1], cells[:, -1] = cells[-2], cells[:, -2]
    facts.notes.append(f"Bayer {pattern}: luminance of 2x2 pixels")
    return dataclasses.replace(frame, raw=cells, bzero=0.0, bscale=1.0, notes=tuple(facts.notes))
