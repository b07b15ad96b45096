"""The last frame's trace as a thin strip of a terminal's half blocks, where it has the colours for greys."""

from __future__ import annotations

import numpy as np
from rich.text import Text

from autofocus.model import Measurement
from autofocus.ports import FramePicture
from autofocus.views.stretch import apply_levels
from autofocus.views.strips import common_levels, cut_strip

UPPER_HALF = "▀"  # its own colour is the upper pixel, the background's the lower one
STRIP_ROWS = 4


def terminal_strip(measurement: Measurement, picture: FramePicture | None, width: int) -> Text:
    """The strip, at most ``width`` characters wide and `STRIP_ROWS` high; empty without a preview."""
    strip = cut_strip(0, measurement, picture)
    levels = common_levels([strip])
    if strip.pixels is None or levels is None or width < 1:
        return Text()
    greys = apply_levels(_averaged(strip.pixels, 2 * STRIP_ROWS, width), levels)
    text = Text(no_wrap=True, overflow="crop")
    for upper, lower in zip(greys[::2], greys[1::2], strict=True):
        for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
            text.append(UPPER_HALF, f"rgb({above},{above},{above}) on rgb({below},{below},{below})")
        text.append("\n")
    text.right_crop(1)
    return text


def _averaged(pixels: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The means over ``rows`` by ``columns`` nearly equal blocks; no more columns than there are pixels."""
    columns = min(columns, pixels.shape[1])
    filled = pixels if pixels.shape[0] >= rows else np.repeat(pixels, -(-rows // pixels.shape[0]), axis=0)
    parts = np.add.reduceat(filled, _starts(filled.shape[0], rows), axis=0)
    sums = np.add.reduceat(parts, _starts(filled.shape[1], columns), axis=1)
    counts = np.outer(_lengths(filled.shape[0], rows), _lengths(filled.shape[1], columns))
    return np.asarray(sums / counts, dtype="f4")


def _starts(length: int, blocks: int) -> np.ndarray:
    return np.arange(blocks) * length // blocks


def _lengths(length: int, blocks: int) -> np.ndarray:
    return np.diff(np.append(_starts(length, blocks), length))
