"""FITS files written byte by byte, so that broken ones can be made too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

RawFits = Callable[..., Path]


def card(key: str, value: object = None, comment: str = "") -> str:
    if value is None:
        return f"{key:80}"[:80]
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        text = f"'{value:8}'"
    else:
        text = f"{value!r:>20}"
    return f"{key:8}= {text}{f' / {comment}' if comment else ''}"[:80].ljust(80)


def header_bytes(cards: Mapping[str, object] | list[str]) -> bytes:
    lines = cards if isinstance(cards, list) else [card(key, value) for key, value in cards.items()]
    text = "".join(line.ljust(80) for line in lines) + f"{'END':80}"
    return text.encode("latin-1").ljust(-(-len(text) // 2880) * 2880)


def structure(pixels: np.ndarray, **more: object) -> dict[str, object]:
    bits = {"u": 8, "i": 8 * pixels.dtype.itemsize, "f": -8 * pixels.dtype.itemsize}[pixels.dtype.kind]
    axes = {f"NAXIS{at + 1}": length for at, length in enumerate(reversed(pixels.shape))}
    return {"SIMPLE": True, "BITPIX": bits, "NAXIS": pixels.ndim, **axes, **more}


def fits_bytes(pixels: np.ndarray, extra: list[str] | None = None, **cards: object) -> bytes:
    lines = [card(key, value) for key, value in structure(pixels, **cards).items()] + (extra or [])
    data = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    return header_bytes(lines) + data.ljust(-(-len(data) // 2880) * 2880, b"\0")


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(7).integers(100, 20000, (30, 40), dtype=np.int16)


@pytest.fixture
def raw_fits(tmp_path: Path, picture: np.ndarray) -> RawFits:
    """Write a FITS file of given pixels and cards: ``raw_fits(name, pixels=…, extra=[card lines], KEY=value)``."""

    def write(name: str = "star-9430.fits", pixels: np.ndarray | None = None, **cards: object) -> Path:
        path = tmp_path / name
        extra = cards.pop("extra", None)
        path.write_bytes(fits_bytes(picture if pixels is None else pixels, extra, **cards))  # type: ignore[arg-type]
        return path

    return write
