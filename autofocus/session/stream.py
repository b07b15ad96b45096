"""The one stream of events: the journal hears each first, then the views; a view that fails never ends a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from autofocus.errors import JournalError
from autofocus.ports import Clock
from autofocus.session.events import Event, SessionEnded, Warned

Listener = Callable[[Event], None]


class Stream:
    """Passes events on, one at a time, from whichever thread they come, and remembers the warnings.

    A journal that cannot be written raises `JournalError` once and is left alone from then on, so that the
    way home (halt, return, restore) is not cut short by the same full disk again.
    """

    def __init__(self, clock: Clock, journal: Listener, listeners: Sequence[Listener] = ()) -> None:
        self._clock = clock
        self._journal: Listener | None = journal
        self._listeners = list(listeners)
        self._lock = threading.RLock()
        self._began = clock.monotonic()
        self.warnings: list[str] = []

    @property
    def elapsed_s(self) -> float:
        """Seconds since the session began."""
        return self._clock.monotonic() - self._began

    def tell(self, event: Event) -> None:
        """Journal the event, then show it."""
        with self._lock:
            try:
                if self._journal is not None:
                    self._journal(event)
            except JournalError:
                self._journal = None
                raise
            finally:
                self._show(event)

    def warn(self, message: str) -> None:
        """Tell a person something once; the run goes on."""
        if message not in self.warnings:
            self.warnings.append(message)
            self.tell(Warned(elapsed_s=self.elapsed_s, message=message))

    def _show(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as fault:  # noqa: BLE001  a broken view must not leave the telescope defocused
                self._listeners.remove(listener)
                if not isinstance(event, SessionEnded):
                    self.warn(f"a view failed and was left out: {type(fault).__name__}: {fault}")
