"""A folder that is watched: each new frame once, when it is whole, in order of time.

Two ways of noticing: the system's own notices (watchdog), or looking five times a second, since network
drives send no notices. Both only say where to look; what is whole is decided in `pending`, the same for both.
A look that finds the folders unchanged costs one call each, so that a hundred thousand old files cost nothing.
"""

from __future__ import annotations

import fnmatch
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from autofocus.errors import FrameError
from autofocus.frames.naming import is_frame_name
from autofocus.frames.notices import Notices
from autofocus.frames.pending import STEADY_S, Arrival, Pending, Signature, fingerprint, in_order, signature

LOOK_S = 0.2
TICK_S = 0.05
LEAST_REST_S = 1.0
SLOW_SWEEP_S = 0.1
SHARE = 400  # a full look at every file rests 400 times as long as it took: a quarter of a percent of a core


class FolderWatch:
    """Frames as they arrive in a folder.

    Iterate over `arrivals`. ``existing`` first delivers what is there; ``once`` delivers only that and ends;
    ``since_s`` (seconds since 1970) and ``pattern`` (of names, as in a shell) leave others out; files changed after
    ``began_s`` are new although the first look finds them there (a command takes a second to start); ``stop``
    ends the iteration within a fifth of a second. Links to folders are not followed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        recursive: bool = False,
        polling: bool = False,
        existing: bool = False,
        once: bool = False,
        since_s: float | None = None,
        pattern: str | None = None,
        began_s: float | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.folder = folder
        self.stop = stop or threading.Event()
        self._recursive, self._polling = recursive, polling
        self._existing, self.once = existing or once, once
        self._since_ns = None if since_s is None else int(since_s * 1e9)
        self._began_ns = None if began_s is None else int(began_s * 1e9)
        self._pattern = pattern
        self._pending: dict[Path, Pending] = {}
        self._known: dict[str, Signature | None] = {}
        self._stuck: set[str] = set()
        self._prints: dict[str, bytes] = {}
        self._owners: dict[bytes, str] = {}
        self._folders: dict[str, int] = {}
        self._next_sweep_s = self._sweep_took_s = 0.0
        self._gone = False

    def arrivals(self) -> Iterator[Arrival]:
        """Deliver frames as they become whole, and complaints; runs until ``stop`` is set (``once``: until done)."""
        if not self.folder.is_dir():
            raise FrameError(f"{self.folder}: there is no such folder")
        with Notices(self.folder, recursive=self._recursive, native=not (self._polling or self.once)) as notices:
            if notices.trouble:
                yield Arrival(self.folder, notices.trouble)
            self._sweep(new=self._existing)
            if any(candidate.fresh for candidate in self._pending.values()):
                self.stop.wait(2 * STEADY_S)  # so that what came last does not come late
            while not self.stop.is_set():
                yield from self._deliver()
                if self.once and not self._pending:
                    return
                waiting = TICK_S if self._pending else LOOK_S
                self._take(notices.wait(waiting))
                yield from self._look(notices)

    def _take(self, noticed: set[Path]) -> None:
        """Make candidates of the files that notices name; a folder named is looked through."""
        for path in noticed:
            if path.is_dir():
                self._next_sweep_s = 0.0
            elif self._wanted(path.name):
                self._consider(path)

    def _look(self, notices: Notices) -> Iterator[Arrival]:
        """See whether the folder is there, has changed, or is due for a full look."""
        if self.once:
            return
        if not self.folder.is_dir():
            if not self._gone:
                yield Arrival(self.folder, "the folder is gone; waiting for it to come back")
            self._gone = True
            self._folders.clear()
            return
        if self._gone:
            self._gone = False
            notices.renew()
            self._next_sweep_s = 0.0
        if time.monotonic() >= self._next_sweep_s:
            self._sweep(new=True)
        elif not notices.native and self._changed():
            self._sweep(new=True, names_only=self._sweep_took_s > SLOW_SWEEP_S)

    def _changed(self) -> bool:
        """Whether a folder got or lost an entry since the last full look."""
        return any(_changed_ns(folder) != before for folder, before in self._folders.items())

    def _sweep(self, *, new: bool, names_only: bool = False) -> None:
        """Look at every file; with ``new`` what is not known becomes a candidate, else it becomes known.

        With ``names_only`` files known by name are passed over: a replaced one waits for the next full look.
        """
        began_s = time.monotonic()
        self._folders = {}
        for entry in self._entries():
            if (names_only and entry.path in self._known) or not self._wanted(entry.name):
                continue
            try:
                status = entry.stat()
            except OSError:
                continue
            seen = (status.st_size, status.st_mtime_ns)
            fresh = new or (self._began_ns is not None and seen[1] >= self._began_ns)
            if not fresh or (self._since_ns is not None and seen[1] < self._since_ns):
                self._known[entry.path] = seen
            elif self._known.get(entry.path) != seen:
                self._consider(Path(entry.path))
        if not names_only:
            self._sweep_took_s = time.monotonic() - began_s
            self._next_sweep_s = began_s + max(LEAST_REST_S, SHARE * self._sweep_took_s)

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        """Every file of the folder, and of its sub-folders where they are watched too, each folder once."""
        todo, visited = [str(self.folder)], set()
        while todo:
            folder = todo.pop()
            try:
                status = Path(folder).stat()
                if (status.st_dev, status.st_ino) in visited:
                    continue  # a junction that leads back
                if status.st_ino:
                    visited.add((status.st_dev, status.st_ino))
                self._folders[folder] = status.st_mtime_ns
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if not entry.is_dir(follow_symlinks=False):
                            yield entry
                        elif self._recursive:
                            todo.append(entry.path)
            except OSError:
                continue  # it vanished while we looked, or is not ours to read

    def _wanted(self, name: str) -> bool:
        return is_frame_name(name) and (self._pattern is None or fnmatch.fnmatch(name, self._pattern))

    def _consider(self, path: Path) -> None:
        """Make a file a candidate unless it is one, or is known and has not changed."""
        key = str(path)
        if path in self._pending:
            return
        seen = signature(path)
        if seen is None or not path.is_file() or (key in self._known and self._known[key] == seen):
            return
        self._pending[path] = Pending.of(path, time.monotonic(), complained=key in self._stuck)

    def _deliver(self) -> Iterator[Arrival]:
        """Deliver what is ready, in order of time, and complain once of what is stuck."""
        now_s = time.monotonic()
        ready, stuck = [], []
        for path, candidate in list(self._pending.items()):
            state = candidate.look(now_s)
            if state == "waiting":
                continue
            del self._pending[path]
            if state == "ready":
                ready.append(candidate)
            elif state == "stuck":
                stuck.append(candidate)
        for candidate in in_order(ready):
            if self._first_time(candidate):
                yield Arrival(candidate.path)
        for candidate in stuck:
            key = str(candidate.path)
            self._known[key] = candidate.last
            self._stuck.add(key)
            if not candidate.complained:
                yield Arrival(candidate.path, candidate.inside.missing if candidate.inside else "it is not whole")

    def _first_time(self, candidate: Pending) -> bool:
        """Remember a whole frame; False when its pixels were delivered before, under this or a former name."""
        key, mark = str(candidate.path), fingerprint(candidate.path)
        former = self._owners.get(mark, key) if mark else key
        touched = bool(mark) and self._prints.get(key) == mark
        renamed = former != key and self._known.get(former) == candidate.last and not Path(former).exists()
        self._known[key] = candidate.last
        self._stuck.discard(key)
        self._prints[key], self._owners[mark] = mark, key
        return not (touched or renamed)


def _changed_ns(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return -1
