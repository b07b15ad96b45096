"""Traces on top of each other: a star on a lit piece of slit, parts of one image, ridges that ended on one trace."""

from __future__ import annotations

from dataclasses import replace

from autofocus.measure.spectrum.finding.candidates import is_continuous
from autofocus.measure.spectrum.finding.image import edge_contrast, louder_on
from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.measure.spectrum.finding.votes import Votes

SEEINGS_ACROSS_LINES = 5.0  # the lines of a nova are a star's, where its image is no wider
MOST_ACROSS = 0.25


def apart(traces: list[Trace]) -> list[Trace]:
    """Brightest first, ridges that ended on the same trace only once."""
    kept: list[Trace] = []
    for trace in sorted(traces, key=lambda t: -t.brightness):
        if not any(_lies_on(trace, other) and trace.width_px >= 0.5 * other.width_px for other in kept):
            kept.append(trace)
    return kept


def without_nested(votes: Votes, traces: list[Trace]) -> list[Trace]:
    """Of a wide trace and far narrower ones on it only the one or the others.

    On an evenly lit piece of slit with sharp edges a narrow trace is a star. On any other image it is a part of it, as
    are two as far from the middle, the rims of a ring.
    """
    kept = list(traces)
    for wide in sorted(traces, key=lambda trace: -trace.width_px):
        inside = [trace for trace in kept if trace.width_px < 0.5 * wide.width_px and _lies_on(trace, wide)]
        if not inside or wide not in kept:
            continue
        inside, chance = _own_light(votes, inside, wide)
        kept = [trace for trace in kept if trace not in chance]
        if not inside:
            continue
        is_ring = len(inside) == 2 and abs(sum(_place(trace) - _place(wide) for trace in inside)) < 0.2 * wide.width_px
        gone = inside if is_ring or edge_contrast(votes, wide, inside) <= SEEINGS_ACROSS_LINES else [wide]
        kept = [trace for trace in kept if trace not in gone]
    return kept


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
    return abs(_place(trace) - _place(wide)) < 0.7 * wide.width_px


def _place(trace: Trace) -> float:
    return float(trace.center((trace.length - 1) / 2))
