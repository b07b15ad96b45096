"""Single keys from a terminal, without Enter, on POSIX and Windows; the terminal is left as it was found."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

CTRL_C = "\x03"
POLL_S = 0.1


@contextlib.contextmanager
def listening(hear: Callable[[str], None], stream: TextIO | None = None) -> Iterator[None]:
    """Call ``hear`` with each key pressed while inside; without a keyboard nothing is heard."""
    source = stream or sys.stdin
    if source is None or source.closed or not source.isatty():
        yield
        return
    done = threading.Event()
    with _single_keys(source) as read:
        thread = threading.Thread(target=_listen, args=(read, hear, done), name="autofocus-keys", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(timeout=5 * POLL_S)


def _listen(read: Callable[[], str | None], hear: Callable[[str], None], done: threading.Event) -> None:
    while not done.is_set():
        try:
            key = read()
        except (OSError, ValueError):
            return  # the terminal is gone; a run goes on without it
        if key == "":
            return
        if key is not None:
            hear(key)


if sys.platform == "win32":
    import msvcrt
    import time

    @contextlib.contextmanager
    def _single_keys(_source: TextIO) -> Iterator[Callable[[], str | None]]:
        def read() -> str | None:
            if msvcrt.kbhit():
                return msvcrt.getwch()
            time.sleep(POLL_S)
            return None

        yield read

else:
    import os
    import select
    import termios
    import tty

    @contextlib.contextmanager
    def _single_keys(source: TextIO) -> Iterator[Callable[[], str | None]]:
        number = source.fileno()
        found = termios.tcgetattr(number)

        def read() -> str | None:
            """One key, None after a moment without one, "" at the end of the input."""
            ready, _, _ = select.select([number], [], [], POLL_S)
            return os.read(number, 1).decode("ascii", "replace") if ready else None

        tty.setcbreak(number)  # keys at once and unseen; Ctrl-C still interrupts
        try:
            yield read
        finally:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(number, termios.TCSANOW, found)
