"""What a person may ask of the program through the page, at this moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from autofocus.views.web.board import Board

Act = Callable[[Mapping[str, Any]], None]


class Commands:
    """Offers commands and performs those that are asked for; when one is taken, none is offered until others are."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._lock = threading.Lock()
        self._acts: dict[str, Act] = {}
        self._lasting = False

    def offer(self, acts: Mapping[str, Act], *, lasting: bool = False) -> None:
        """Offer these from now on, and no others; those that last may be asked for again and again."""
        with self._lock:
            self._acts, self._lasting = dict(acts), lasting
            self._board.offer(tuple(self._acts))

    def perform(self, name: str, asked: Mapping[str, Any]) -> bool:
        """Perform a command; False where it is not offered. `ValueError`: what was asked makes no sense."""
        with self._lock:
            act = self._acts.get(name)
            if act is None:
                return False
            act(asked)
            if not self._lasting:
                self._acts = {}
                self._board.offer(())
            return True
