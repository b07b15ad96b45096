"""One width for a whole arc frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autofocus.arcfield import FieldCell

ROBUST_SIGMAS = 2.5
LEAST_SCATTER = 1e-4


def typical_width(cells: Sequence[FieldCell]) -> tuple[float, float]:
    """Robust mean of the widths of the cells, and its error from theirs.

    Cells count alike, less where their own error exceeds what they scatter, and less the further beyond
    `ROBUST_SIGMAS` they lie (Huber 1964): where the brightest lines stand hardly matters.

    Returns
    -------
    tuple of float
        Width and 1 sigma error, px.
    """
    width = np.array([cell.fwhm_px for cell in cells])
    error = np.array([cell.fwhm_err_px for cell in cells])
    middle = float(np.median(width))
    scatter = 1.4826 * float(np.median(np.abs(width - middle)))
    spread = np.sqrt(error**2 + scatter**2 + (LEAST_SCATTER * middle) ** 2)
    weight = 1.0 / spread**2
    for _ in range(10):
        off = np.abs(width - middle) / spread
        weight = np.minimum(1.0, ROBUST_SIGMAS / np.maximum(off, 1e-9)) / spread**2
        middle = float(weight @ width / weight.sum())
    return middle, float(np.sqrt(np.square(weight) @ np.square(error)) / weight.sum())
