"""Where further exposures go: out to an open side, and where they tell most."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autofocus.curve.design import Design, next_positions
from autofocus.model import BestFocus, Measurement
from autofocus.search.approach import Direction, sign
from autofocus.search.travel import Room, clipped, is_inside
from autofocus.settings import SearchSettings

NEARLY = 1.2  # of the tolerance: one more exposure should do
REACH = 1.8
CANDIDATES = 49


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


def most_telling(
    settings: SearchSettings, frames: Sequence[Measurement], best: BestFocus, half_span: float, room: Room
) -> Design | None:
    """The next exposures, each where it takes most variance off the best focus (`curve.design`).

    One where that should be enough for the tolerance, otherwise two, so that moves overlap downloads.

    Parameters
    ----------
    half_span : float
        Candidates lie up to `REACH` times this far from best focus, steps.
    room : tuple of int or None
        The positions that can be approached the right way.

    Returns
    -------
    Design or None
        None where nothing can be fitted or reached.
    """
    grid = np.linspace(-REACH, REACH, CANDIDATES) * half_span + best.position
    candidates = sorted({round(float(x)) for x in grid if is_inside(float(x), room)})
    nearly = best.uncertainty <= NEARLY * settings.tolerance_steps
    return next_positions(
        frames,
        candidates,
        objective=settings.objective,
        count=1 if nearly else 2,
        science_exposure_s=settings.science_exposure_s,
        min_nsig_fraction=settings.min_nsig_fraction,
    )
