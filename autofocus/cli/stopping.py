"""How a person or a system ends a command that is at work."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

PATIENCE = 2  # the first stop is orderly, the second cuts short, the third ends the process where it stands


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """While inside, Ctrl-C, SIGTERM, a closed terminal and a closed Windows console call ``stop``."""
    heard = 0

    def hear(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        if heard > PATIENCE:
            os._exit(130)
        stop()

    before: dict[int, Any] = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        # nohup sets SIGHUP to be ignored: then the terminal may close
        if number is not None and not (name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN):
            before[number] = signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
