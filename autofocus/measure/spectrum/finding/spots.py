"""Stars of a field: compact light that stands beside a line in one part of the frame and not in the next.

Some of many stars will always lie so that they, and their wings, seem to make a trace along the whole frame.
"""

from __future__ import annotations

import numpy as np

from autofocus.measure.spectrum.finding.sampling import BLOCKS, Doubles
from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.measure.spectrum.finding.votes import Votes

LEAST_SPOTS = 4  # parts that hold one; a nebula has bright lines in a few
SURE = 8.0
FAR_BRIGHTER = 2.0  # a second star is fainter than the trace, which is the brightest
BESIDE_WIDTHS = 3.0
FINER = 4  # bins in a width, at least


def is_among_stars(votes: Votes, trace: Trace) -> bool:
    """Whether many parts of the frame hold, at ever other rows, spots far brighter than the trace, as wide as it."""
    size = 1
    while 2 * FINER * size <= trace.width_px:
        size *= 2
    wide = max(1, round(trace.width_px / size))
    rows = votes.binned(size)
    places = (np.arange(rows.shape[1] - 5 * wide + 1) + 2.5 * wide) * size - 0.5
    if places.size == 0:
        return False
    total = np.concatenate([np.zeros((BLOCKS, 1)), np.cumsum(rows, axis=1, dtype=np.float64)], axis=1)
    means = (total[:, wide:] - total[:, :-wide]) / wide
    before, there, after = (means[:, first : first + places.size] for first in (0, 2 * wide, 4 * wide))
    contrast = there - np.maximum(before, after)
    aside = np.abs(places - trace.center(votes.x)[:, None]) > BESIDE_WIDTHS * trace.width_px
    contrast[~aside] = 0.0
    brightest = contrast.argmax(axis=1)
    height = contrast[np.arange(BLOCKS), brightest]
    noise = votes.noise * np.sqrt(1.5 / (size * wide))
    spots = (height > SURE * noise) & (height * wide * size > FAR_BRIGHTER * trace.brightness)
    return int(np.count_nonzero(spots)) >= LEAST_SPOTS and _are_scattered(places[brightest[spots]], trace.width_px)


def _are_scattered(places: Doubles, width_px: float) -> bool:
    """Whether they lie at different rows, as the knots that all lines of a nebula show do not."""
    return bool(np.median(np.abs(places - np.median(places))) > width_px)
