"""Whether a focuser's count can be believed.

A controller that restarts by itself may count anew from 0; a move by such a count could run to the stop.
"""

from __future__ import annotations

from autofocus.devices.pace import Pace


class Count:
    """Where an absolute focuser rested, where it was sent, how fast it is, and where it was seen on the way."""

    def __init__(self, tolerance: int) -> None:
        self._tolerance = tolerance
        self._rested_at: int | None = None
        self._target: int | None = None
        self._passed: list[int] = []
        self.pace = Pace()

    @property
    def rested_at(self) -> int | None:
        """Where it was last found at rest."""
        return self._rested_at

    def rest_at(self, position: int) -> None:
        """It rests here: what it reports from now on is compared with this."""
        self._rested_at = self._target = position
        self._passed = []

    def send_to(self, target: int) -> None:
        """It is ordered there."""
        self._target = target

    def pass_by(self, position: int) -> None:
        """It was seen there while it moved."""
        self._passed = [*self._passed[-1:], position]

    def strayed(self, here: int) -> bool:
        """Whether it stands neither where it rested, nor where it was sent, nor between the two."""
        if self._rested_at is None or self._target is None:
            return False
        low, high = sorted((self._rested_at, self._target))
        return not low - self._tolerance <= here <= high + self._tolerance

    def was_reset(self, here: int, seconds: float) -> bool:
        """Whether it must have begun to count anew, so long after it rested.

        It reports a place farther off than its pace allows; or 0, where counts begin, and was not seen going there.
        """
        if self._rested_at is None or not self.strayed(here):
            return False
        if here == 0:
            return not any(self.strayed(place) and place != here for place in self._passed)
        return self.pace.too_far(here - self._rested_at, seconds)
