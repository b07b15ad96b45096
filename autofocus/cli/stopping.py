"""How a person or a system ends a command that is at work."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

PATIENCE = 2  # the first stop is orderly, the second cuts short, the third ends the process where it stands
CONSOLE_CLOSES = frozenset({2, 5, 6})  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT
CLOSING_S = 30.0  # Windows itself waits 5 s for a console, up to 20 s at a shutdown


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
    ended = threading.Event()
    with ExitStack() as inside:
        inside.enter_context(_hearing_console(console_handler(stop, ended)))
        try:
            yield
        finally:
            ended.set()
            for number, handler in before.items():
                signal.signal(number, handler)


def console_handler(stop: Callable[[], None], ended: threading.Event) -> Callable[[int], bool]:
    """What a Windows console calls, in a thread of its own: at its return from a closing one the process is killed."""

    def hear(event: int) -> bool:
        if event not in CONSOLE_CLOSES:
            return False  # Ctrl-C and Ctrl-Break come as signals
        stop()
        ended.wait(CLOSING_S)
        return True

    return hear


if sys.platform == "win32":
    import ctypes

    @contextmanager
    def _hearing_console(hear: Callable[[int], bool]) -> Iterator[None]:
        handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(hear)
        ctypes.windll.kernel32.SetConsoleCtrlHandler(handler, True)
        try:
            yield
        finally:
            ctypes.windll.kernel32.SetConsoleCtrlHandler(handler, False)

else:

    @contextmanager
    def _hearing_console(_hear: Callable[[int], bool]) -> Iterator[None]:
        yield  # a closed terminal comes as SIGHUP
