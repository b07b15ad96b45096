"""Where the focus must lie, judged from a few widths: a posterior over its position.

Far from focus the width grows in proportion to the defocus, near it the width has a floor:
``w = f sqrt(1 + ((x - c) / r)^2)``, where ``f`` is the floor in px, ``c`` the vertex and ``r`` the defocus, in
steps, at which the blur equals the floor. One width says how far the focus is but not on which side; a second
one decides. A frame without a trace says that the focus is not near it. Seldom the width grows only so far: the faint
outer light is lost, or a simulator ends there. Frames of one width at places far apart tell that, and then no more
than that the focus is near none of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.model import Measurement

FLOOR_PX = 4.0  # a spectrograph samples its slit image with 2 to 8 px
FLOOR_SCATTER = 0.6  # of ln f
WIDTH_SCATTER = 0.12  # of ln w: seeing, and the difference between a disc and this hyperbola
FAINTEST_WIDTH_PX = 120.0  # about where a trace of ordinary brightness drowns in the background
MISSED = 0.05  # chance that a trace in reach is missed: a cloud, a star off the slit
START_SCATTER = 8.0  # of (c - start) / r: people start near focus, but not always
ENDS_OF_GROWTH = ((math.inf, 0.94), (8.0, 0.02), (5.0, 0.02), (3.0, 0.02))  # in r, and how often that is so
REACH = 100.0  # how far the focus is thought of, in r, where the travel sets no limit

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VertexPrior:
    """What is known before the first frame: the start, ``r`` within a factor, the travel."""

    start: float
    blur_steps: float
    blur_scatter: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class VertexPosterior:
    """Probability ``mass`` on a grid of ``centers`` (steps, rising), and the means of ``r`` and ``f``."""

    centers: Array
    mass: Array
    blur_steps: float
    floor_px: float

    def within(self, low: float, high: float) -> float:
        """The probability that the focus lies in low..high."""
        return float(np.sum(self.mass[(self.centers >= low) & (self.centers <= high)]))

    def densest(self, half_width: float, low: float = -math.inf, high: float = math.inf) -> tuple[float, float]:
        """The window of ± ``half_width`` about a centre in low..high that holds most: its mean, its probability."""
        sums = np.concatenate([[0.0], np.cumsum(self.mass)])
        first = np.searchsorted(self.centers, self.centers - half_width, side="left")
        last = np.searchsorted(self.centers, self.centers + half_width, side="right")
        held = np.where((self.centers >= low) & (self.centers <= high), sums[last] - sums[first], 0.0)
        best = int(np.argmax(held))
        if held[best] <= 0.0:
            return float(np.average(self.centers, weights=self.mass)), 0.0
        inside = slice(int(first[best]), int(last[best]))
        return float(np.average(self.centers[inside], weights=self.mass[inside])), float(held[best])


def locate_vertex(traces: Sequence[Measurement], empty: Sequence[float], prior: VertexPrior) -> VertexPosterior:
    """Combine what the frames say with the prior.

    Parameters
    ----------
    traces : sequence of Measurement
        Frames with a position and a width.
    empty : sequence of float
        Positions of frames without a trace.
    prior : VertexPrior

    Returns
    -------
    VertexPosterior
        On a grid that is dense where the probability is: found on a wide one first.
    """
    coarse = _posterior(_wide_grid(prior), traces, empty, prior)
    shares = np.cumsum(coarse.mass)
    first, last = np.searchsorted(shares, [5e-4, 1.0 - 5e-4])
    low = coarse.centers[max(int(first) - 1, 0)]
    high = coarse.centers[min(int(last) + 1, len(coarse.centers) - 1)]
    return _posterior(np.linspace(low, high, 801), traces, empty, prior)


def _wide_grid(prior: VertexPrior) -> Array:
    """Centres dense near the start, and a little beyond the travel so that a focus outside it shows."""
    beyond = 6.0 * prior.blur_steps
    low = prior.start - REACH * prior.blur_steps if prior.low is None else prior.low - beyond
    high = prior.start + REACH * prior.blur_steps if prior.high is None else prior.high + beyond
    ends = np.arcsinh((np.array([low, high]) - prior.start) / prior.blur_steps)
    grid: Array = prior.start + prior.blur_steps * np.sinh(np.linspace(ends[0], ends[1], 801))
    return grid


def _posterior(
    centers: Array, traces: Sequence[Measurement], empty: Sequence[float], prior: VertexPrior
) -> VertexPosterior:
    """Bayes on the grid ``centers`` × r, with ln f (whose prior and errors are normal) integrated out."""
    blurs = prior.blur_steps * np.exp(prior.blur_scatter * np.linspace(-2.5, 2.5, 31))
    log_prior = -0.5 * np.linspace(-2.5, 2.5, 31)[None, :] ** 2
    log_prior = log_prior - np.log1p(((centers - prior.start) / (START_SCATTER * prior.blur_steps)) ** 2)[:, None]
    positions = np.array([m.position for m in traces], dtype=float)
    logs = np.log([m.fwhm_px for m in traces])
    errors = np.nan_to_num(np.array([m.fwhm_err_px / m.fwhm_px for m in traces]), nan=WIDTH_SCATTER)
    weights = 1.0 / (WIDTH_SCATTER**2 + errors**2)
    unseen_at = np.asarray(empty, dtype=float)
    chances, log_floors = [], []
    for end, share in ENDS_OF_GROWTH:
        floors = logs - _log_growth(positions, centers, blurs, end)  # ln f as each frame alone would have it
        total = np.sum(weights) + FLOOR_SCATTER**-2
        log_floor = (floors @ weights + np.log(FLOOR_PX) * FLOOR_SCATTER**-2) / total
        misfit = ((floors - log_floor[..., None]) ** 2) @ weights
        misfit += ((log_floor - np.log(FLOOR_PX)) / FLOOR_SCATTER) ** 2
        faint = log_floor[..., None] + _log_growth(unseen_at, centers, blurs, end)
        unseen = 1.0 / (1.0 + (FAINTEST_WIDTH_PX / np.exp(faint)) ** 3)
        missed = np.sum(np.log(MISSED + (1.0 - MISSED) * unseen), axis=-1)
        chances.append(math.log(share) + log_prior - 0.5 * misfit + missed)
        log_floors.append(log_floor)
    chance, log_floor = np.stack(chances), np.stack(log_floors)
    joint = np.exp(chance - np.max(chance)) * np.gradient(centers)[None, :, None]
    joint = joint / np.sum(joint)
    return VertexPosterior(
        centers,
        np.sum(joint, axis=(0, 2)),
        float(np.exp(np.sum(joint * np.log(blurs)[None, None, :]))),
        float(np.exp(np.sum(joint * log_floor))),
    )


def _log_growth(positions: Array, centers: Array, blurs: Array, end: float) -> Array:
    """Logarithm of w / f, shape (centers, blurs, positions), where the blur grows no further than to ``end`` floors."""
    defocus = np.abs(positions[None, None, :] - centers[:, None, None]) / blurs[None, :, None]
    growth: Array = 0.5 * np.log1p(np.minimum(defocus, end) ** 2)
    return growth
