"""One run at a time on a focuser: a lock of the operating system, which a crash of its holder frees."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import platformdirs

from autofocus.errors import FocuserBusy, JournalError

LOCKED_BYTE = 1 << 20  # far behind the text, so that others can read who holds it while it is held (Windows)


class Hold:
    """A focuser held by this process."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def note(self, session: Path | None) -> None:
        """Write down who holds it, for whoever is refused."""
        said = {"pid": os.getpid(), "session": None if session is None else str(session.resolve())}
        with contextlib.suppress(OSError):  # the note is a courtesy; the lock itself does not need the disk
            self._stream.seek(0)
            self._stream.truncate()
            self._stream.write(json.dumps(said).encode())
            self._stream.flush()


@contextlib.contextmanager
def hold(focuser_key: str, directory: Path | None = None) -> Iterator[Hold]:
    """Hold the focuser while inside; raise `FocuserBusy` with the holder's pid and session if another run does."""
    with _opened(_file_name(focuser_key), directory) as stream:
        if not _try_lock(stream):
            raise FocuserBusy(_refusal(stream), device=focuser_key, operation="open")
        held = Hold(stream)
        held.note(None)
        try:
            yield held
        finally:
            _unlock(stream)


def _opened(name: str, directory: Path | None) -> BinaryIO:
    """The lock file; never in a folder that others may write, where its name could be made to point elsewhere."""
    folder = directory or Path(platformdirs.user_state_dir("autofocus", appauthor=False)) / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / name).open("a+b")  # made if missing, never emptied: its holder may have written there
    except OSError as fault:
        why = fault.strerror or str(fault)
        raise JournalError(f"the lock {folder / name} cannot be opened: {why}. Make the folder writable") from fault


def _file_name(focuser_key: str) -> str:
    """A readable name that no two focusers share."""
    readable = re.sub(r"[^\w.-]+", "_", focuser_key)[:60]
    return f"{readable}-{sha256(focuser_key.encode()).hexdigest()[:12]}.lock"


def _refusal(stream: BinaryIO) -> str:
    who = ""
    try:
        stream.seek(0)
        said = json.loads(stream.read(4096))
        who = f" (process {int(said['pid'])}, session {said['session'] or 'just beginning'})"
    except (OSError, ValueError, KeyError, TypeError):
        pass  # it holds the lock and has not written its name yet
    return f"another autofocus run holds this focuser{who}: wait for it, or end it"


if sys.platform == "win32":
    import msvcrt

    def _try_lock(stream: BinaryIO) -> bool:
        stream.seek(LOCKED_BYTE)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(stream: BinaryIO) -> None:
        stream.seek(LOCKED_BYTE)
        with contextlib.suppress(OSError):
            msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(stream: BinaryIO) -> bool:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(stream: BinaryIO) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(stream.fileno(), fcntl.LOCK_UN)
