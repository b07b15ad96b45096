"""The named deadline of every wait on a device; tests put in shorter ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds each wait may take, and how often a request is repeated.

    ``http_s`` is one request; a failed one is repeated up to ``repeats`` times within ``repeat_within_s``, after
    ``pause_s`` and then twice that each time. ``connect_s`` is the device behind the server, ``reconnect_s`` a
    server that was lost, ``lost_s`` one request to it once it was waited for in vain. ``motion_start_s`` is how late
    IsMoving may turn true after a Move, ``position_refresh_s`` how stale a position may be after the motion ended.
    ``stall_s`` is the longest pause within an image that has begun to come, ``discovery_s`` how long a lost server's
    machine is given to name another port. ``poll_s`` is the longest pause between two looks.
    """

    http_s: float = 5.0
    repeats: int = 4
    repeat_within_s: float = 10.0
    pause_s: float = 0.1
    connect_s: float = 30.0
    reconnect_s: float = 30.0
    reconnects: int = 3
    lost_s: float = 2.0
    motion_start_s: float = 1.0
    position_refresh_s: float = 3.0
    stall_s: float = 15.0
    discovery_s: float = 0.5
    poll_s: float = 0.1
