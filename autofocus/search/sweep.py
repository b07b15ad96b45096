"""A symmetric set of positions about an estimate, inside the travel, in the order that costs no backlash."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autofocus.search.approach import Direction, Room, clipped, in_order, is_inside, sign

STANDS_IN = 0.5  # of the spacing: a frame this near to a planned position stands in for it
STANDS_IN_BEYOND = 1.0  # of the spacing, for a frame beyond an end of the sweep, which brackets all the better


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """Where a sweep goes, and what had to give for it to fit.

    ``shift_steps`` is how far the whole set was moved to stay inside the travel; ``fits`` is False when even
    the shifted set had to be cut short.
    """

    positions: tuple[int, ...]
    shift_steps: int = 0
    fits: bool = True


def symmetric_sweep(
    center: float, spacing: float, each_side: int, *, room: Room, approach: Direction, taken: Sequence[float] = ()
) -> SweepPlan:
    """Plan ``2 each_side + 1`` positions about ``center``, without those that earlier frames stand for.

    Parameters
    ----------
    center : float
        Estimate of best focus, steps.
    spacing : float
        Steps between neighbours; at least 1.
    each_side : int
        Positions on each side of the centre.
    room : tuple of int or None
        Lowest and highest position that can be approached the right way (`approach.reachable`).
    approach : {"inward", "outward"}
        Gives the order.
    taken : sequence of float
        Positions of usable frames; each stands in for the planned position next to it, if that is near enough.

    Returns
    -------
    SweepPlan
        Near a limit the whole set is shifted rather than cut; where the travel is shorter than the set, the
        positions outside are dropped and ``fits`` is False.
    """
    spacing = max(spacing, 1.0)
    offset = _shift_into(center - each_side * spacing, center + each_side * spacing, room)
    nodes = [round(center + offset + k * spacing) for k in range(-each_side, each_side + 1)]
    inside = [node for node in nodes if is_inside(node, room)]
    free = _without_taken(inside, taken, spacing)
    return SweepPlan(in_order(free, approach), round(offset), len(inside) == len(nodes))


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


def _without_taken(nodes: list[int], taken: Sequence[float], spacing: float) -> list[int]:
    """The nodes that no frame stands in for; each frame stands in for one."""
    free = list(nodes)
    for x in sorted(taken):
        if not free:
            break
        nearest = min(free, key=lambda node: abs(node - x))
        beyond = x < min(nodes) or x > max(nodes)
        if abs(nearest - x) < (STANDS_IN_BEYOND if beyond else STANDS_IN) * spacing:
            free.remove(nearest)
    return free


def _shift_into(first: float, last: float, room: Room) -> float:
    """The smallest shift that brings first..last inside the room, 0 where it cannot be brought in whole."""
    low = -math.inf if room[0] is None else room[0]
    high = math.inf if room[1] is None else room[1]
    if last - first > high - low:
        middle = (low + high) / 2 - (first + last) / 2
        return middle if math.isfinite(middle) else 0.0
    return max(low - first, 0.0) + min(high - last, 0.0)
