"""What the devices of a run know together of their servers: which one does not answer, and who is told of it."""

from __future__ import annotations

import threading
from collections.abc import Callable

LOOK_EVERY_S = 4.0


class Lookout:
    """Shared by all devices of a run: a server that one of them waited for in vain the others do not wait for again.

    ``inform`` is told what a person should know while there is nothing but waiting.
    """

    def __init__(self) -> None:
        self.inform: Callable[[str], None] = lambda _: None
        self._lock = threading.Lock()
        self._waited_for: set[str] = set()
        self._given_up: dict[str, tuple[float, Exception]] = {}

    def wait_for(self, server: str, words: str) -> None:
        """A server is lost and waited for; whichever device notices first says so."""
        with self._lock:
            first = server not in self._waited_for
            self._waited_for.add(server)
        if first:
            self.inform(words)

    def give_up(self, server: str, now: float, cause: Exception) -> None:
        """It was waited, or looked, for in vain."""
        with self._lock:
            self._given_up[server] = (now, cause)

    def found(self, server: str, words: str) -> None:
        """It answers."""
        with self._lock:
            self._given_up.pop(server, None)
            known = server in self._waited_for
            self._waited_for.discard(server)
        if known:
            self.inform(words)

    def given_up(self, server: str) -> bool:
        """Whether it was waited for in vain: then it is only looked for, for the way out of a run asks many things."""
        return server in self._given_up

    def why(self, server: str) -> Exception:
        """What was wrong when it was given up."""
        return self._given_up[server][1]

    def is_due(self, server: str, now: float) -> bool:
        """Whether a server that was given up was not looked for a moment ago."""
        return now - self._given_up[server][0] >= LOOK_EVERY_S
