"""A focuser with speed, limits and backlash, and the image that moves when it moves.

Times are seconds of the bench. The motor's path is kept as straight pieces, so that an exposure finished long ago can
still be asked where the tube stood while it ran.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from threading import Lock
from typing import Protocol

# From a time to the (time, tube position) of each break up to it, and of the time itself.
TubePath = Callable[[float], list[tuple[float, float]]]


class FocuserMechanics:
    """The motor and the tube it drives through a gear with play.

    The play is taken up so that the tube stands where the motor says after an inward motion, and
    ``backlash_steps`` further in than the motor says after an outward one.
    """

    def __init__(
        self,
        *,
        position: int,
        low: int,
        high: int,
        steps_per_s: float,
        backlash_steps: float = 0.0,
        start_s: float = 0.0,
    ) -> None:
        self.low = low
        self.high = high
        self.steps_per_s = steps_per_s
        self.backlash_steps = backlash_steps
        self._lock = Lock()
        self._times = [start_s]
        self._motor = [float(position)]
        self._tube = [float(position)]

    def position(self, now: float) -> int:
        """What the motor's counter reads."""
        with self._lock:
            return round(_on_path(self._times, self._motor, now))

    def tube(self, now: float) -> float:
        """Where the drawtube stands."""
        with self._lock:
            return _on_path(self._times, self._tube, now)

    def is_moving(self, now: float) -> bool:
        """Whether the motor turns."""
        with self._lock:
            return now < self._times[-1]

    def arrival(self) -> float:
        """When the last motion commanded ends, or ended."""
        with self._lock:
            return self._times[-1]

    def move(self, target: int, now: float) -> None:
        """Start towards a position from wherever the motor is; beyond the limits it stops at the limit."""
        with self._lock:
            self._cut(now)
            self._append(float(min(max(target, self.low), self.high)))

    def halt(self, now: float) -> None:
        """Stop where it is."""
        with self._lock:
            if now < self._times[-1]:
                self._cut(now)

    def break_points(self, until: float) -> list[tuple[float, float]]:
        """(time, tube position) of each break up to a time, and of the time itself."""
        with self._lock:
            known = bisect_right(self._times, until)
            points = list(zip(self._times[:known], self._tube[:known], strict=True))
            points.append((until, _on_path(self._times, self._tube, until)))
            return points

    def _cut(self, now: float) -> None:
        motor, tube = _on_path(self._times, self._motor, now), _on_path(self._times, self._tube, now)
        keep = bisect_right(self._times, now)
        del self._times[keep:], self._motor[keep:], self._tube[keep:]
        self._times.append(now)
        self._motor.append(motor)
        self._tube.append(tube)

    def _append(self, target: float) -> None:
        start, motor, tube = self._times[-1], self._motor[-1], self._tube[-1]
        if target < motor:
            taken_up, end = tube, min(tube, target)
        else:
            taken_up, end = tube + self.backlash_steps, max(tube, target - self.backlash_steps)
        if end != tube:  # the play is used up on the way: from there on the tube follows
            self._times.append(start + abs(taken_up - motor) / self.steps_per_s)
            self._motor.append(taken_up)
            self._tube.append(tube)
        self._times.append(start + abs(target - motor) / self.steps_per_s)
        self._motor.append(target)
        self._tube.append(end)


def _on_path(times: list[float], values: list[float], at: float) -> float:
    """The value of a piecewise straight path, constant before and after it."""
    after = bisect_right(times, at)
    if after == 0:
        return values[0]
    if after == len(times):
        return values[-1]
    start, end = times[after - 1], times[after]
    return values[after - 1] + (values[after] - values[after - 1]) * (at - start) / (end - start)


class Shift(Protocol):
    """Where the star stands on the slit."""

    def at(self, now: float) -> tuple[float, float]:
        """The displacement across and along the slit, pixels."""


class ImageShift:
    """The star's displacement on the slit: each motion of the tube pushes it, a guider pulls it back.

    The displacement d obeys ``d' = push * tube velocity - d / guider_s``, solved piece by piece. With no
    guider it stays.
    """

    def __init__(self, path: TubePath, *, px_per_step: float, angle_rad: float, guider_s: float | None) -> None:
        self._path = path
        self._push = px_per_step
        self._angle_rad = angle_rad
        self._direction = (math.cos(angle_rad), math.sin(angle_rad))
        self._guider_s = guider_s

    def unguided(self) -> ImageShift:
        """The same pushes, and nobody who pulls back."""
        return ImageShift(self._path, px_per_step=self._push, angle_rad=self._angle_rad, guider_s=None)

    def at(self, now: float) -> tuple[float, float]:
        """The displacement across and along the slit, pixels."""
        shift = self._length(now)
        return shift * self._direction[0], shift * self._direction[1]

    def _length(self, now: float) -> float:
        points = self._path(now)
        shift = 0.0
        for (start, before), (end, after) in pairwise(points):
            pushed = self._push * (after - before)
            if self._guider_s is None:
                shift += pushed
            elif end > start:
                lapse = (end - start) / self._guider_s
                shift = shift * math.exp(-lapse) + pushed * -math.expm1(-lapse) / lapse
        return shift
