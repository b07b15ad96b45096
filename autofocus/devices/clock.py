"""Time, real and virtual: every wait of a run goes through one of these, so that a stop ends any of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from autofocus.errors import Aborted

SLICE_S = 0.2  # Windows delivers Ctrl-C only between waits, so no single wait is longer


class _Stops:
    """How often a stop was asked for, and how many of them the calling thread still ignores."""

    def __init__(self) -> None:
        # Reentrant: `stop` may run in a signal handler that interrupted this very thread inside `sleep`.
        self._changed = threading.Condition(threading.RLock())
        self._stops = 0
        self._shields = threading.local()

    def stop(self) -> None:
        """Ask the run to end: every sleep raises `Aborted` from now on; safe from a signal handler."""
        with self._changed:
            self._stops += 1
            self._changed.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether a stop was asked for."""
        return self._stops > 0

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """While entered, the calling thread ignores the first stop (asked for before or inside), not a second one."""
        depth = getattr(self._shields, "depth", 0)
        self._shields.depth = depth + 1
        try:
            yield
        finally:
            self._shields.depth = depth

    def _raise_if_stopped(self) -> None:
        ignored = 1 if getattr(self._shields, "depth", 0) else 0
        if self._stops > ignored:
            raise Aborted("The run was stopped by the user.")


class RealClock(_Stops):
    """The machine's own time."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary zero; never jumps."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The wall clock, for names and headers only."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait; raise `Aborted` as soon as a stop was asked for."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                self._raise_if_stopped()
                left = end - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(min(left, SLICE_S))


class VirtualClock(_Stops):
    """Time that passes only when somebody sleeps; for the bench, tests and benchmarks."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        super().__init__()
        self._start = start
        self._now = 0.0

    def monotonic(self) -> float:
        """Seconds slept so far."""
        return self._now

    def utc(self) -> datetime:
        """The start of the virtual night plus the seconds slept."""
        return self._start + timedelta(seconds=self._now)

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once; raise `Aborted` when a stop was asked for."""
        with self._changed:
            self._raise_if_stopped()
            self._now += max(seconds, 0.0)
