"""Backlash: which motions bring the focuser to a position so that it always arrives from the same side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Direction = Literal["inward", "outward"]
"""Inward is towards smaller positions."""

Room = tuple[int | None, int | None]
"""Lowest and highest position; None where there is no limit."""


def sign(direction: Direction) -> int:
    """-1 for inward, +1 for outward."""
    return -1 if direction == "inward" else 1


def is_inside(position: float, room: Room) -> bool:
    """Does the position lie between the limits?"""
    low, high = room
    return (low is None or position >= low) and (high is None or position <= high)


def clipped(position: float, room: Room) -> float:
    """The position of the room nearest to ``position``."""
    low, high = room
    inside = position if high is None else min(position, high)
    return inside if low is None else max(inside, low)


def in_order(positions: Iterable[int], approach: Direction) -> tuple[int, ...]:
    """Sort positions so that going through them never reverses the approach."""
    return tuple(sorted(positions, reverse=approach == "inward"))


def reachable(approach: Direction, backlash_steps: int, low: int | None, high: int | None) -> Room:
    """The travel in which every position can be reached in the approach direction.

    Arriving inward takes ``backlash_steps`` of room above the target, arriving outward the same below it.

    Returns
    -------
    tuple of int or None
        Lowest and highest such position; None where the travel has no limit. Empty (lowest above
        highest) when the travel is shorter than the backlash.
    """
    if approach == "inward":
        return low, None if high is None else high - backlash_steps
    return None if low is None else low + backlash_steps, high


def waypoints(
    current: int,
    target: int,
    *,
    approach: Direction,
    backlash_steps: int,
    run_up_steps: int = 0,
    last: Direction | None = None,
    low: int | None = None,
    high: int | None = None,
) -> tuple[int, ...]:
    """The motions from ``current`` to ``target`` whose last one runs in the approach direction with the slack taken up.

    Parameters
    ----------
    current, target : int
        Positions, steps.
    approach : {"inward", "outward"}
        Direction of the last motion.
    backlash_steps : int
        How far to overshoot; 0 for a focuser without backlash.
    run_up_steps : int
        Overshoot by so much if that is more, as far as the limits allow.
    last : {"inward", "outward"} or None
        Direction of the motion that ended at ``current``, with its slack taken up; None if unknown.
    low, high : int or None
        Travel limits.

    Returns
    -------
    tuple of int
        Positions to move to, in order; empty when the focuser already stands there and arrived the right way.

    Raises
    ------
    ValueError
        The overshoot does not fit inside the limits: targets are to be planned inside `reachable`.
    """
    travel = (target - current) * sign(approach)
    overshoot = max(backlash_steps, run_up_steps)
    if overshoot == 0 or (travel >= 0 and last == approach):
        return () if travel == 0 else (target,)
    if travel >= overshoot:
        return (target,)  # a motion this long takes up the slack by itself
    turn = target - sign(approach) * backlash_steps
    if not is_inside(turn, (low, high)):
        raise ValueError(f"reaching {target} {approach} needs an overshoot to {turn}, outside the travel {low}..{high}")
    turn = round(clipped(target - sign(approach) * overshoot, (low, high)))
    return (target,) if turn in (current, target) else (turn, target)
