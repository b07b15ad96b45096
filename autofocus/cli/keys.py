"""Single keys while a command works: from a terminal at once, from a pipe as they come; the end of stdin is no key."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

POLL_S = 0.1


@contextlib.contextmanager
def keys(press: Callable[[str], None]) -> Iterator[None]:
    """While inside, call ``press`` with each key, from a thread of its own; leave the terminal as it was."""
    if sys.stdin is None or sys.stdin.closed:
        yield
        return
    over = threading.Event()
    with _single_keys() as wait:
        threading.Thread(target=_listen, args=(press, wait, over), name="keys", daemon=True).start()
        try:
            yield
        finally:
            over.set()


def _listen(press: Callable[[str], None], wait: Callable[[], str | None], over: threading.Event) -> None:
    while not over.is_set():
        key = wait()
        if key is None:
            return
        if key and not over.is_set():
            press(key)


def _from_pipe() -> str | None:
    """The next key; None at the end. Read past Python's buffer, whose lock would hold up the end of the process."""
    try:
        byte = os.read(sys.stdin.fileno(), 1)
    except OSError:
        return None
    return byte.decode("ascii", "ignore") if byte else None


if sys.platform == "win32":
    import msvcrt
    import time

    @contextlib.contextmanager
    def _single_keys() -> Iterator[Callable[[], str | None]]:
        yield _from_console if sys.stdin.isatty() else _from_pipe

    def _from_console() -> str:
        if not msvcrt.kbhit():
            time.sleep(POLL_S)
            return ""
        return msvcrt.getwch()

else:
    import select
    import termios
    import tty

    @contextlib.contextmanager
    def _single_keys() -> Iterator[Callable[[], str | None]]:
        if not sys.stdin.isatty():
            yield _from_pipe
            return
        terminal = sys.stdin.fileno()
        if os.tcgetpgrp(terminal) != os.getpgrp():
            yield lambda: None  # in the background a look at the terminal would stop the process
            return
        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal)
        try:
            yield _from_terminal
        finally:
            with contextlib.suppress(termios.error):  # the terminal may have been closed
                termios.tcsetattr(terminal, termios.TCSADRAIN, before)

    def _from_terminal() -> str | None:
        ready, _, _ = select.select([sys.stdin], [], [], POLL_S)
        return _from_pipe() if ready else ""
