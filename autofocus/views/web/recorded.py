"""The last session on disk, for a page that was opened, or restarted, after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from autofocus.errors import AutofocusError
from autofocus.ports import FramePicture
from autofocus.session.journal import EVENTS, RESULT, read_events, read_picture
from autofocus.session.state import SessionState, apply


@dataclass(frozen=True, slots=True)
class RecordedPictures:
    """The previews of a session folder."""

    folder: Path

    def get(self, name: str) -> FramePicture | None:
        """The preview of a frame, or None."""
        return read_picture(self.folder, name)


def last_session(directory: Path) -> tuple[SessionState, RecordedPictures] | None:
    """How the newest session that came to its end stands in its journal; None where there is none to be read."""
    try:
        ended = [path for path in directory.iterdir() if (path / RESULT).is_file() and (path / EVENTS).is_file()]
        newest = max(ended, key=lambda path: (path / RESULT).stat().st_mtime, default=None)
        if newest is None:
            return None
        state = reduce(apply, read_events(newest), SessionState())
    except (OSError, AutofocusError):
        return None
    return (state, RecordedPictures(newest)) if state.ended else None
