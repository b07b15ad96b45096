"""Cosmic rays and hot pixels on a frame."""

from dataclasses import replace

import numpy as np


def struck(frame, seed, *, along_trace=False):
    """The frame with a ray on one pixel in a thousand, and tracks of seven pixels along its rows among them.

    ``along_trace``: three tracks, all on the rows of a trace in the middle; else one to every ten rays, anywhere.
    """
    rng = np.random.default_rng(seed)
    raw = frame.raw.astype(np.float64)
    rows, columns = raw.shape
    count = raw.size // 1000
    raw[rng.integers(0, rows, count), rng.integers(0, columns, count)] += rng.uniform(60, 20000, count)
    low, high, tracks = (rows // 2 - 3, rows // 2 + 4, 3) if along_trace else (0, rows, count // 10)
    for row, column in zip(rng.integers(low, high, tracks), rng.integers(0, columns - 7, tracks), strict=True):
        raw[row, column : column + 7] += 3000.0
    return replace(frame, raw=raw.astype(np.float32))
