"""Frames to FITS files, with headers as N.I.N.A. writes them."""

from __future__ import annotations

import errno
import math
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autofocus.model import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_frame(frame: Frame, headers: Mapping[str, Any], path: Path) -> None:
    """Write a frame with its headers: beside, then renamed, so that no reader meets half a file.

    Integer pixels up to 16 bit are written as unsigned 16 bit (BZERO 32768), all others as they are.
    A header value that FITS cannot hold (NaN, infinity) is left out; other letters than ASCII are spelt
    without their accents. An `OSError` (disk full, folder gone) leaves no file behind.
    """
    from astropy.io import fits

    unit = fits.PrimaryHDU(_writable(frame))
    for key, value in headers.items():
        _set_card(unit.header, key, value)
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with beside.open("wb") as stream:
            unit.writeto(stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as fault:
        if fault.errno is not None:
            raise
        # numpy only says how many pixels were written before the disk, or a quota, was full
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from fault
    finally:
        beside.unlink(missing_ok=True)


def _writable(frame: Frame) -> NDArray[Any]:
    """The pixels in the type that goes into the file."""
    import numpy as np

    raw = frame.raw
    if frame.bscale == 1.0 and frame.bzero == 0.0 and raw.dtype != np.uint32:
        small = raw.dtype.kind in "iu" and raw.dtype.itemsize <= 4 and raw.size
        if small and raw.dtype != np.uint16 and int(raw.min()) >= 0 and int(raw.max()) <= 65535:
            return raw.astype(np.uint16)
        return raw
    if frame.bscale == 1.0 and frame.bzero == 32768.0 and raw.dtype.kind == "i" and raw.dtype.itemsize == 2:
        return (raw.astype(np.int32) + 32768).astype(np.uint16)
    return frame.pixels


def _set_card(header: Any, key: str, value: Any) -> None:
    """Set one card, or leave it out where FITS has no form for it."""
    value, comment = value if isinstance(value, tuple) else (value, None)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return
    if isinstance(value, str):
        value = _ascii(value)[:68]
    header[key] = (value, None if comment is None else _ascii(comment)[:40])


def _ascii(text: str) -> str:
    """The text without accents, control characters and other letters than ASCII."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return "".join(letter for letter in plain if letter.isprintable())
