"""Earlier sessions: was the last one with this focuser killed, where had it begun, and where was focus before?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autofocus.errors import JournalError
from autofocus.session.events import FocuserMoved, FocuserMoving, SessionEnded, SessionStarted
from autofocus.session.journal import EVENTS, RESULT, read_events

LOOK_BACK = 200  # sessions; a killed run further back than that is history
REMEMBERED = 20  # sessions: focus of a season ago says little


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A session that ended without a word, and where its focuser had been before it.

    ``last_position`` is where the focuser was last known, or last sent.
    """

    folder: Path
    start_position: int
    last_position: int
    absolute: bool

    def return_target(self, stands_at: int) -> int:
        """Where to send a focuser that now reports ``stands_at``: a relative one counts anew after each connection."""
        return self.start_position if self.absolute else stands_at - (self.last_position - self.start_position)


@dataclass(frozen=True, slots=True)
class _Session:
    """What a journal says of where the focuser was left, and its outcome: None where it has no end."""

    left: Unfinished
    outcome: str | None


def session_folders(directory: Path) -> Iterator[Path]:
    """The session folders, the newest first."""
    try:
        folders = [folder for folder in directory.iterdir() if (folder / EVENTS).is_file()]
    except OSError:
        return
    yield from sorted(folders, key=_age, reverse=True)


def unfinished(directory: Path, focuser_key: str) -> Unfinished | None:
    """The killed session with this focuser that began where it is to be put back; None where it found its place since.

    Later sessions settle a killed one where one found focus or began where the killed one had; one that came back to
    where the killed run had left the focuser does not, nor one that began there and was killed as well: of several the
    first tells where the focuser belongs. Call it while holding the focuser's lock.
    """
    later_starts: set[int] = set()
    left: Unfinished | None = None
    for _, folder in zip(range(LOOK_BACK), session_folders(directory), strict=False):
        try:
            session = _read(folder, focuser_key)
        except JournalError:
            continue
        if session is None:
            continue  # another focuser, or nothing was ever opened
        if session.outcome == "focused":
            break
        if session.outcome is None:
            if session.left.start_position in later_starts:
                break
            left = session.left
        if not session.left.absolute:  # it counts anew in each session: what was before cannot be compared
            break
        later_starts.add(session.left.start_position)
    return left


def focused_before(directory: Path, focuser_key: str) -> tuple[int, ...]:
    """Where the last sessions with this focuser found focus, the newest first; none of a relative one."""
    found = []
    for _, folder in zip(range(REMEMBERED), session_folders(directory), strict=False):
        try:
            started = next((event for event in read_events(folder) if isinstance(event, SessionStarted)), None)
            result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        except (JournalError, OSError, ValueError, RecursionError):
            continue
        same = started is not None and started.focuser_key == focuser_key and started.absolute
        if same and isinstance(result, dict) and result.get("outcome") == "focused":
            position = result.get("position")
            found += [position] if type(position) is int else []
    return tuple(found)


def _read(folder: Path, focuser_key: str) -> _Session | None:
    started: SessionStarted | None = None
    outcome: str | None = None
    last: int | None = None
    for event in read_events(folder):
        if isinstance(event, SessionStarted):
            if event.focuser_key != focuser_key:
                return None
            started, last = event, event.start_position
        elif isinstance(event, FocuserMoved):
            last = event.position
        elif isinstance(event, FocuserMoving):
            last = event.target
        elif isinstance(event, SessionEnded):
            outcome = event.outcome
    if started is None or started.start_position is None or last is None:
        return None
    return _Session(Unfinished(folder, started.start_position, last, started.absolute), outcome)


def _age(folder: Path) -> tuple[str, int]:
    """The order of folder names: by second, then by suffix as a number."""
    stamp, suffix = folder.name[:19], folder.name[20:]
    return stamp, int(suffix) if suffix.isdigit() else 0
