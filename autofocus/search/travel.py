"""The travel that a focuser may be sent to."""

from __future__ import annotations

Room = tuple[int | None, int | None]
"""Lowest and highest position; None where there is no limit."""


def is_inside(position: float, room: Room) -> bool:
    """Does the position lie between the limits?"""
    low, high = room
    return (low is None or position >= low) and (high is None or position <= high)


def clipped(position: float, room: Room) -> float:
    """The position of the room nearest to ``position``."""
    low, high = room
    inside = position if high is None else min(position, high)
    return inside if low is None else max(inside, low)
