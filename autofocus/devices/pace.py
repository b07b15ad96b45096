"""How fast a focuser moves, and so whether it can have gone as far as its count says."""

from __future__ import annotations

_SURE = 0.5  # of the time a motion takes: allows for a pace learned from short motions


class Pace:
    """The quickest motion seen so far, in seconds per step."""

    def __init__(self) -> None:
        self._seconds_per_step: float | None = None

    @property
    def known(self) -> bool:
        """Whether any motion was seen to its end."""
        return self._seconds_per_step is not None

    def learn(self, steps: int, seconds: float) -> None:
        """Remember a motion that was seen to begin and to end."""
        if steps != 0:
            pace = seconds / abs(steps)
            self._seconds_per_step = pace if self._seconds_per_step is None else min(pace, self._seconds_per_step)

    def too_far(self, steps: int, seconds: float) -> bool:
        """Whether it certainly cannot have gone so many steps in this time."""
        return self._seconds_per_step is not None and seconds < _SURE * self._seconds_per_step * abs(steps)
