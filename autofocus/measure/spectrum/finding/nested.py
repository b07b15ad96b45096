"""Traces on top of each other: a star on a lit piece of slit, parts of one image, ridges that ended on one trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autofocus.measure.spectrum.finding.candidates import is_continuous, look_along
from autofocus.measure.spectrum.finding.image import edge_contrast, is_slope, louder_on
from autofocus.measure.spectrum.finding.trace import Trace, follow
from autofocus.measure.spectrum.finding.votes import Votes, middle, neighbour_noise

SEEINGS_ACROSS_LINES = 5.0  # the lines of a nova are a star's, where its image is no wider
MOST_ACROSS = 0.25
NARROW = 0.5  # of a lit piece of slit, what is no piece of it
EDGES = 1.0  # widths of its ends, which are left out
LEAST_ROWS = 16
MOST_FOLLOWED = 7  # more traces than that are an echelle or a lamp
STEADY = 0.35  # of its sigma: a typical part of a trace lies no further off


def apart(traces: list[Trace]) -> list[Trace]:
    """Brightest first, ridges that ended on the same trace only once."""
    kept: list[Trace] = []
    for trace in sorted(traces, key=lambda t: -t.brightness):
        if not any(_lies_on(trace, other) and trace.width_px >= NARROW * other.width_px for other in kept):
            kept.append(trace)
    return kept


def without_nested(votes: Votes, traces: list[Trace]) -> list[Trace]:
    """Of a wide trace and far narrower ones on it only the one or the others.

    On an evenly lit piece of slit with sharp edges a narrow trace is a star. On any other image it is a part of it, as
    are two as far from the middle, the rims of a ring.
    """
    kept = list(traces)
    for wide in sorted(traces, key=lambda trace: -trace.width_px):
        inside = [trace for trace in kept if trace.width_px < NARROW * wide.width_px and _lies_on(trace, wide)]
        if not inside or wide not in kept:
            continue
        inside, chance = _own_light(votes, inside, wide)
        kept = [trace for trace in kept if trace not in chance]
        if not inside:
            continue
        is_ring = len(inside) == 2 and abs(sum(trace.place - wide.place for trace in inside)) < 0.2 * wide.width_px
        gone = inside if is_ring or edge_contrast(votes, wide, inside) <= SEEINGS_ACROSS_LINES else [wide]
        kept = [trace for trace in kept if trace not in gone]
    return kept


def stars_upon(votes: Votes, traces: Sequence[Trace]) -> list[Trace]:
    """Narrow ridges upon the lit pieces of slit among these, to be seen only where nothing but the piece is looked at.

    The ends of a slit make more of the frame than a star does that is fainter than the sky.
    """
    found: list[Trace] = []
    for wide in traces:
        alone = not any(other.width_px < NARROW * wide.width_px and _lies_on(other, wide) for other in traces)
        contrast = edge_contrast(votes, wide) if alone else 0.0
        if contrast > SEEINGS_ACROSS_LINES:
            reach = 0.5 * wide.width_px - EDGES * wide.width_px / contrast - 2.0
            first, last = max(int(wide.place - reach), 0), min(int(wide.place + reach) + 1, votes.across)
            found += [
                trace for trace in _followed_within(votes, first, last) if trace.width_px < NARROW * wide.width_px
            ]
    return found


def _followed_within(votes: Votes, first: int, last: int) -> list[Trace]:
    """The ridges of these rows alone, followed."""
    if last - first < LEAST_ROWS:
        return []
    residuals = votes.residuals[:, first:last]
    level = middle(residuals)
    residuals = residuals - level[:, None]
    within = replace(
        votes,
        residuals=residuals,
        level=votes.level + level,
        noise=np.maximum(neighbour_noise(residuals), votes.noise),
        coarser={},
    )
    followed = (follow(within, ridge) for _, ridge in look_along(within).candidates[:MOST_FOLLOWED])
    return [
        replace(trace, across=votes.across, coefficients=(trace.coefficients[0] + first, *trace.coefficients[1:]))
        for trace in followed
        if is_sound(within, trace)
    ]


def is_sound(votes: Votes, trace: Trace) -> bool:
    """Whether what was followed goes on along the frame, straight enough, and is no border."""
    return not trace.is_steep and is_continuous(trace) and trace.scatter < STEADY and not is_slope(votes, trace)


def _own_light(votes: Votes, inside: list[Trace], wide: Trace) -> tuple[list[Trace], list[Trace]]:
    """Traces that stand on a wide one, and lines that chance draws on it.

    The wide light brings photon noise of its own; and as every place of a slit runs parallel to its ends, a line across
    the light, from edge to edge or from rim to rim, is no star.
    """
    louder = louder_on(votes, wide)
    own = [
        trace
        for trace in inside
        if abs(trace.slant_px - wide.slant_px) < MOST_ACROSS * wide.width_px
        and is_continuous(replace(trace, flux_err=louder * trace.flux_err))
    ]
    return own, [trace for trace in inside if trace not in own]


def _lies_on(trace: Trace, wide: Trace) -> bool:
    """Whether a trace runs within the light of a wider one, at mid-frame."""
    return abs(trace.place - wide.place) < 0.7 * wide.width_px
