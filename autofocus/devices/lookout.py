"""What the devices of a run know together of their servers: which one does not answer, and who is told of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf

LOOK_EVERY_S = 4.0


class Lookout:
    """Shared by all devices of a run: a server that one of them waited for in vain the others do not wait for again.

    ``inform`` is told what a person should know while there is nothing but waiting. A request without an answer tells
    nothing of a server that another device found since: ``asked`` is when it began.
    """

    def __init__(self) -> None:
        self.inform: Callable[[str], None] = lambda _: None
        self._lock = threading.Lock()
        self._waited_for: set[str] = set()
        self._given_up: dict[str, tuple[float, Exception]] = {}
        self._found: dict[str, float] = {}

    def wait_for(self, server: str, asked: float, words: str) -> None:
        """A server is lost and waited for; whichever device notices first says so."""
        with self._lock:  # held while it is told, so that a return is never told before its loss
            if server in self._waited_for or self._found_since(server, asked):
                return
            self._waited_for.add(server)
            self.inform(words)

    def give_up(self, server: str, asked: float, now: float, cause: Exception) -> bool:
        """It was waited, or looked, for in vain; False where it was found meanwhile."""
        with self._lock:
            if self._found_since(server, asked):
                return False
            self._given_up[server] = (now, cause)
        return True

    def found(self, server: str, now: float, words: str) -> None:
        """It answers."""
        with self._lock:
            self._found[server] = now
            self._given_up.pop(server, None)
            if server in self._waited_for:
                self._waited_for.discard(server)
                self.inform(words)

    def given_up(self, server: str) -> bool:
        """Whether it was waited for in vain: then it is only looked for, for the way out of a run asks many things."""
        return server in self._given_up

    def why(self, server: str, now: float) -> tuple[Exception, bool] | None:
        """What was wrong when it was given up, and whether to look for it again by now; None for one that answers."""
        with self._lock:
            if server not in self._given_up:
                return None
            looked, cause = self._given_up[server]
        return cause, now - looked >= LOOK_EVERY_S

    def _found_since(self, server: str, asked: float) -> bool:
        return self._found.get(server, -inf) >= asked
