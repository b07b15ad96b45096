"""What a run spends: exposures, moves, and the time of each kind of work."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from autofocus.ports import Clock
from autofocus.session.records import Tally

Work = Literal["exposing_s", "moving_s", "settling_s", "guiding_s", "fetching_s", "measuring_s"]


class Ledger:
    """Counts, and times what is done inside ``with ledger.timed("moving_s"):``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._began = clock.monotonic()
        self.exposures = 0
        self.glances = 0  # short frames that only watched the spectrum settle; no budget counts them
        self.moves = 0

    @contextmanager
    def timed(self, work: Work) -> Iterator[None]:
        """Add the time spent inside to this kind of work, also when it fails."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[work] += self._clock.monotonic() - began

    def tally(self) -> Tally:
        """The sums so far."""
        with self._lock:
            spent = dict(self._seconds)
        return Tally(
            self.exposures + self.glances, self.moves, {**spent, "total_s": self._clock.monotonic() - self._began}
        )
