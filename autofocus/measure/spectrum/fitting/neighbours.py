"""What else lies near the trace: other stars on the slit, known or found in what the fit leaves, and bad rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.measure.spectrum.finding.votes import MOST_BAD_ROWS
from autofocus.measure.spectrum.fitting.background import median
from autofocus.measure.spectrum.fitting.model_fit import ProfileFit
from autofocus.measure.spectrum.fitting.profile import Noise, Samples

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

STAR_SIGMAS = 5.5
FAINTEST = 0.01  # of our star's peak
ROW_SIGMAS = 8.0
NARROWER = 0.75  # widths: a star has more than the next beside so few rows
BESIDE = 0.3  # of what stands on them, what may be beside them
AS_WIDE = 1.2  # widths: as many rows as a star covers
BESIDE_WIDE = 0.1  # beside so many rows a star has a quarter of what is on the outermost
PEAK_WIDTHS = 5.0  # further away a star is found in what the fit leaves
OFF_CENTRE = 0.15  # widths
VALLEY = 0.15  # of a peak, the least that parts it from the other
LEAST_LEFT = 25.0  # in chi-squared: neither a star nor a row leaves less


def places_beside(trace: Trace, others: Sequence[Trace], x: float, reach: float) -> tuple[float, ...]:
    """Where other traces run within ``reach`` of the trace, px from it, at the column ``x``."""
    here = float(trace.center(x))
    offsets = (float(other.center(x)) - here for other in others)
    return tuple(offset for offset in offsets if abs(offset) <= reach)


def peak_beside(offsets: NDArray[np.intp], profile: Doubles, noise: float, width_px: float) -> tuple[float, ...]:
    """Where a second peak stands beside that of the trace, px; empty for none.

    Told beforehand, as one wide image may explain both stars so far that nothing is left where the other stands.
    """
    near = np.isfinite(profile) & (np.abs(offsets) < PEAK_WIDTHS * width_px + 2.0)
    place, light = offsets[near], profile[near] - median(profile[np.isfinite(profile)])
    if place.size < 8:
        return ()
    top = int(np.argmax(light))
    if abs(place[top]) > OFF_CENTRE * width_px + 1.0:  # the rims of a doughnut about whose middle the trace runs
        return ()
    best = FAINTEST * float(light[top])
    found: tuple[float, ...] = ()
    for at in (np.flatnonzero((light[1:-1] >= light[:-2]) & (light[1:-1] > light[2:])) + 1).tolist():
        between = light[min(at, top) : max(at, top) + 1].min()
        clear = light[at] - between > max(STAR_SIGMAS * np.sqrt(2.0) * noise, VALLEY * light[at])
        if at != top and clear and light[at] > best:
            best, found = float(light[at]), (float(place[at]),)
    return found


def unexplained(
    samples: Samples, fit: ProfileFit, noise: Noise, faintest: float = FAINTEST
) -> tuple[float | None, Mask]:
    """What the fit leaves beside the star: the place of another, ``faintest`` of its peak or more, and the bad rows."""
    left = samples.value - fit.value_of(samples)
    error = noise.of(samples, fit.light_of(samples))
    if np.sum(np.square(left / error)) < left.size + LEAST_LEFT:
        return None, np.zeros(left.size, dtype=bool)
    inside = fit.radius + 1.5 * fit.blur_width
    bad = bad_rows(samples.distance, left / error, fit.rough_width) & (np.abs(samples.distance - fit.center) > inside)
    place = unexplained_star(samples.distance[~bad], left[~bad], error[~bad], fit, faintest)
    if place is not None and fit.radius > 0.0 and abs(place - fit.center) < inside:
        place = None  # what a disc leaves within itself is its own
    return place, bad


def unexplained_star(
    distance: Doubles, left: Doubles, error: Doubles, fit: ProfileFit, faintest: float
) -> float | None:
    """Place of the strongest star-like peak in what is ``left``, px from the trace; None where it is noise.

    The residuals are averaged over a star's width and compared with their surroundings (a running median over six
    widths), so that a badly fitted halo is no star.
    """
    order = np.argsort(distance)
    distance, left, error = distance[order], left[order], error[order]
    width = max(fit.rough_width, 1.5)
    grid = np.arange(distance[0] + width, distance[-1] - width, width / 2)
    if grid.size < 12:
        return None
    low, high = np.searchsorted(distance, grid - width / 2), np.searchsorted(distance, grid + width / 2)
    count = np.maximum(high - low, 1)
    total = np.concatenate([[0.0], np.cumsum(left)])
    squares = np.concatenate([[0.0], np.cumsum(error**2)])
    mean = (total[high] - total[low]) / count
    noise = np.sqrt(squares[high] - squares[low]) / count + 1e-30
    padded = np.pad(mean, 6, mode="edge")
    around = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 13), axis=1)[:, 6]  # the median
    height = mean - around
    height[(np.abs(grid - fit.center) < 1.5 * width) | (high - low < 2)] = 0.0
    best = int(np.argmax(height / noise))
    peak = float(fit.star(np.array([fit.center]))[0])
    if height[best] > max(STAR_SIGMAS * float(noise[best]), faintest * peak):
        return float(grid[best])
    return None


def bad_rows(distance: Doubles, sigmas: Doubles, width_px: float) -> Mask:
    """Samples that stand out from what the fit leaves within fewer rows than a star of this width: hot or dead rows.

    Along an unslanted trace one may, or a few side by side; what rises and falls from one to the next is no star.
    """
    order = np.argsort(distance, kind="stable")
    size, ordered = np.abs(sigmas[order]), np.zeros(sigmas.size, dtype=bool)
    for count in range(1, max(1, min(int(AS_WIDE * width_px), MOST_BAD_ROWS)) + 1):
        sharp = BESIDE if count <= max(NARROWER * width_px, 1.0) else BESIDE_WIDE
        if size.size < count + 2:
            break
        inner = np.lib.stride_tricks.sliding_window_view(size[1:-1], count).min(axis=1)
        beside = np.maximum(size[: -count - 1], size[count + 1 :])
        for first in np.flatnonzero((inner > ROW_SIGMAS) & (beside < sharp * inner)):
            ordered[first + 1 : first + 1 + count] = True
    alone = np.zeros(sigmas.size, dtype=bool)
    alone[order] = ordered
    return alone
