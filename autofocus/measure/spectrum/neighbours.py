"""What else lies near the trace: other stars on the slit, known or found in what the fit leaves, and bad rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.model_fit import ProfileFit
from autofocus.measure.spectrum.profile import Samples
from autofocus.measure.spectrum.trace import Trace

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

STAR_SIGMAS = 8.0
FAINTEST = 0.01
ROW_SIGMAS = 8.0


def places_beside(trace: Trace, others: Sequence[Trace], x: float, reach: float) -> tuple[float, ...]:
    """Where other traces run within ``reach`` of the trace, px from it, at the column ``x``."""
    here = float(trace.center(x))
    offsets = (float(other.center(x)) - here for other in others)
    return tuple(offset for offset in offsets if abs(offset) <= reach)


def unexplained_star(samples: Samples, fit: ProfileFit, error: Doubles) -> float | None:
    """Place of the strongest star-like peak that the fit leaves, px from the trace; None where only noise is left.

    The residuals are averaged over a star's width and compared with their surroundings (a running median over six
    widths), so that a badly fitted halo is no star.
    """
    order = np.argsort(samples.distance)
    distance = samples.distance[order]
    left = (samples.value - fit.sky(samples.distance) - fit.neighbours(samples.distance))[order]
    left = left - samples.scale[order] * fit.star(distance)
    width = max(fit.blur_width, 1.5)
    grid = np.arange(distance[0] + width, distance[-1] - width, width / 2)
    if grid.size < 12:
        return None
    low, high = np.searchsorted(distance, grid - width / 2), np.searchsorted(distance, grid + width / 2)
    count = np.maximum(high - low, 1)
    total = np.concatenate([[0.0], np.cumsum(left)])
    squares = np.concatenate([[0.0], np.cumsum(error[order] ** 2)])
    mean = (total[high] - total[low]) / count
    noise = np.sqrt(squares[high] - squares[low]) / count + 1e-30
    padded = np.pad(mean, 6, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 13), axis=1)
    height = mean - around
    height[(np.abs(grid - fit.center) < 1.5 * width) | (high - low < 2)] = 0.0
    best = int(np.argmax(height / noise))
    peak = float(fit.star(np.array([fit.center]))[0])
    if height[best] > max(STAR_SIGMAS * float(noise[best]), FAINTEST * peak):
        return float(grid[best])
    return None


def bad_rows(samples: Samples, fit: ProfileFit, error: Doubles) -> Mask:
    """Samples that stand out alone from what the fit leaves: a hot or dead row along an unslanted trace."""
    left = samples.value - fit.sky(samples.distance) - fit.neighbours(samples.distance)
    left = (left - samples.scale * fit.star(samples.distance)) / error
    alone = np.zeros(left.size, dtype=bool)
    beside = np.maximum(np.abs(left[:-2]), np.abs(left[2:]))
    alone[1:-1] = (np.abs(left[1:-1]) > ROW_SIGMAS) & (beside < 0.3 * np.abs(left[1:-1]))
    return alone & (np.abs(samples.distance - fit.center) > 1.5 * fit.blur_width)
