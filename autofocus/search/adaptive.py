"""Where further exposures go: out to an open side, again where a cloud passed, and where they tell most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from autofocus.curve.fit import predict
from autofocus.curve.series import light_of
from autofocus.model import FocusCurves, Measurement
from autofocus.search.approach import Direction, in_order, sign
from autofocus.search.sweep import Room, clipped, is_inside
from autofocus.search.task import FocusTask

FAINT = 0.75  # of the predicted light: a cloud, or the star off the slit
MOST_RETAKEN = 2


def beyond(
    positions: Sequence[float], center: float, half_span: float, spacing: float, side: Direction, room: Room
) -> tuple[int, ...]:
    """Positions that carry a sweep on to ``half_span`` past ``center`` on its open side, at least one of them.

    Returns
    -------
    tuple of int
        Going outward from the outermost of ``positions`` (steps) by ``spacing``; empty at the end of the room.
    """
    away = sign(side)
    outermost = max(positions, key=lambda x: x * away)
    missing = (center + away * half_span - outermost) * away
    count = max(math.ceil(missing / spacing - 0.5), 1)
    planned = [outermost + away * spacing * k for k in range(1, count + 1)]
    inside = [round(x) for x in planned if is_inside(x, room)]
    if len(inside) < len(planned):
        last = round(clipped(outermost + away * spacing * count, room))
        nearest = inside[-1] if inside else outermost
        if (last - nearest) * away >= spacing / 3:
            inside.append(last)
    return tuple(inside)


def clouded(measurements: Sequence[Measurement], curves: FocusCurves) -> tuple[int, ...]:
    """Indices of the frames with far less light than the curves predict, the faintest first, at most two.

    A frame whose position the curves do not cover is not judged.
    """
    shares = {}
    for index, measurement in enumerate(measurements):
        if measurement.position is None:
            continue
        expected, (light, _) = predict(curves, measurement.position), light_of(measurement)
        if expected.nsig > 0.0 and light < FAINT * expected.nsig:
            shares[index] = light / expected.nsig
    return tuple(sorted(shares, key=shares.__getitem__)[:MOST_RETAKEN])


def most_telling(task: FocusTask, curves: FocusCurves, frames: Sequence[Measurement]) -> tuple[int, ...]:
    """The next batch of positions, in the order that costs no backlash."""
    best = curves.best
    assert best is not None
    positions = sorted(m.position for m in frames if m.position is not None)
    gaps = sorted(pairwise(positions), key=lambda pair: pair[0] - pair[1])
    chosen = {round((low + high) / 2) for low, high in gaps[:2]}
    return in_order(chosen, task.approach)
