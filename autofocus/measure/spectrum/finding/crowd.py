"""What the parts of a frame show beside the line that was followed: the stars of a field, the orders of an echelle.

Some of many stars will always lie so that they, and their wings, seem to make a trace along the whole frame; and of
orders that are bent, straight lines find but a few.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.candidates import SEEN, SHORTEST_SPECTRUM
from autofocus.measure.spectrum.finding.sampling import BLOCKS, Doubles
from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.measure.spectrum.finding.votes import Votes

LEAST_SPOTS = 4  # parts that hold one; a nebula has bright lines in a few
SURE = 8.0
FAR_BRIGHTER = 2.0  # a second star is fainter than the trace, which is the brightest
BESIDE_WIDTHS = 3.0
ALIKE = 0.1  # of the brightest peak of a part
NARROWEST_PX = 1.5
WIDEST = 0.02  # of the frame: of many orders
ALIKE_COUNT = 0.4  # of the lines of a typical part, by how many others may differ
FINER = 4  # bins in a width, at least


@dataclass(frozen=True, slots=True, eq=False)
class _Peaks:
    """How far light of one width stands above both its sides, ADU, and its noise, at ``places`` of each part."""

    contrast: Doubles
    noise: Doubles
    places: Doubles
    width_px: float


def is_among_stars(votes: Votes, trace: Trace) -> bool:
    """Whether several parts of the frame hold, at other rows each, spots far brighter than the trace, as wide as it."""
    peaks = _peaks(votes, trace.width_px)
    if peaks is None:
        return False
    aside = np.abs(peaks.places - trace.center(votes.x)[:, None]) > BESIDE_WIDTHS * trace.width_px
    contrast = np.where(aside, peaks.contrast, 0.0)
    brightest = contrast.argmax(axis=1)
    height = contrast[np.arange(BLOCKS), brightest]
    spots = (height > SURE * peaks.noise) & (height * peaks.width_px > FAR_BRIGHTER * _light(trace))
    return int(np.count_nonzero(spots)) >= LEAST_SPOTS and _are_scattered(
        peaks.places[brightest[spots]], trace.width_px
    )


def _light(trace: Trace) -> float:
    """Typical light of a trace, ADU per column, where it is seen without a gap for a quarter of the length at least."""
    lit = np.pad(trace.flux > SEEN * trace.flux_err, 1).astype(int)
    begins, ends = np.flatnonzero(np.diff(lit) == 1), np.flatnonzero(np.diff(lit) == -1)
    longest = int(np.argmax(ends - begins)) if begins.size else 0
    if begins.size == 0 or ends[longest] - begins[longest] < SHORTEST_SPECTRUM:
        return trace.brightness
    return float(np.median(trace.flux[begins[longest] : ends[longest]]))


def _are_scattered(places: Doubles, width_px: float) -> bool:
    """Whether they lie at different rows, as the knots that all lines of a nebula show do not."""
    return bool(np.median(np.abs(places - np.median(places))) > width_px)


def lines_across(votes: Votes, width_px: float) -> int:
    """How many lines a typical part shows that are nearly as bright as its brightest, straight or bent.

    At this width, or a half of it, and so on, whichever shows most.
    """
    return max((int(np.median(counts)) for counts in _counts(votes, width_px)), default=0)


def orders(votes: Votes) -> int:
    """How many lines nearly all parts show alike, however bent; 0 where it differs, as among the stars of a field."""
    found = [np.quantile(counts, (0.1, 0.5, 0.9)) for counts in _counts(votes, WIDEST * votes.across)]
    alike = [int(middle) for least, middle, most in found if most - least < ALIKE_COUNT * middle]
    return max(alike, default=0)


def _counts(votes: Votes, width_px: float) -> Iterator[NDArray[np.intp]]:
    """The number of lines in each part, for each width."""
    while width_px >= NARROWEST_PX:
        peaks = _peaks(votes, width_px)
        if peaks is not None:
            least = np.maximum(SURE * peaks.noise, ALIKE * peaks.contrast.max(axis=1))
            lit = np.pad(peaks.contrast > least[:, None], ((0, 0), (1, 0)))
            yield np.count_nonzero(lit[:, 1:] & ~lit[:, :-1], axis=1)
        width_px /= 2.0


def _peaks(votes: Votes, width_px: float) -> _Peaks | None:
    """Means over a width, less the higher of its two sides, a width off; None where the frame is too narrow."""
    size = 1
    while 2 * FINER * size <= width_px:
        size *= 2
    wide = max(1, round(width_px / size))
    rows = votes.binned(size)
    places = (np.arange(rows.shape[1] - 5 * wide + 1) + 2.5 * wide) * size - 0.5
    if places.size == 0:
        return None
    total = np.concatenate([np.zeros((BLOCKS, 1)), np.cumsum(rows, axis=1, dtype=np.float64)], axis=1)
    means = (total[:, wide:] - total[:, :-wide]) / wide
    before, there, after = (means[:, first : first + places.size] for first in (0, 2 * wide, 4 * wide))
    noise = votes.noise * np.sqrt(1.5 / (size * wide))
    return _Peaks(there - np.maximum(before, after), noise, places, float(size * wide))
