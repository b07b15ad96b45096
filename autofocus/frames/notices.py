"""The system's notices that something happened in a folder, gathered until they are asked for."""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

EVENTS = frozenset({"created", "moved", "modified", "closed"})


class Notices:
    """Paths that the system says were created, moved or changed; without ``native`` only a clock that can be woken.

    ``native`` is false, and ``trouble`` says why, where the system gives no notices (no inotify handles left).
    """

    def __init__(self, folder: Path, *, recursive: bool, native: bool) -> None:
        self.native, self.trouble = native, ""
        self._folder, self._recursive = folder, recursive
        self._paths: set[Path] = set()
        self._lock, self._woken = threading.Lock(), threading.Event()
        self._observer: Any = None
        if native:
            self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def wait(self, seconds: float) -> set[Path]:
        """Wait until something was noticed, at most so long; return what was."""
        self._woken.wait(seconds)
        with self._lock:
            noticed, self._paths = self._paths, set()
            self._woken.clear()
        return noticed

    def renew(self) -> None:
        """Begin again with a folder that was gone: the system forgot it."""
        if self.native:
            self._end()
            self._start()

    def dispatch(self, event: Any) -> None:
        """Called by watchdog, in its thread, with each event."""
        if event.event_type not in EVENTS:
            return
        with self._lock:
            for path in (event.src_path, getattr(event, "dest_path", "")):
                if path and not (event.is_directory and event.event_type == "modified"):
                    self._paths.add(Path(os.fsdecode(path)))
            if self._paths:
                self._woken.set()

    def _start(self) -> None:
        from watchdog.observers import Observer

        # watchdog 7 sees a folder made inside a new folder twice, warns of it in its own thread, and goes on.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        observer = Observer()
        try:
            observer.schedule(cast("Any", self), str(self._folder), recursive=self._recursive)
            observer.start()
        except (OSError, RuntimeError) as cause:
            self.native = False
            self.trouble = f"the system gives no notices here ({cause}); looking five times a second instead"
            return
        self._observer = observer

    def _end(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(5.0)
            self._observer = None
