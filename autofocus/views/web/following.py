"""A watched folder on the page: each frame as it comes, the curves of the series, and what to do next."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from autofocus.companion.degradation import Change
from autofocus.companion.following import Audience
from autofocus.companion.watch import Counsel
from autofocus.model import Frame, Measurement
from autofocus.ports import FramePicture
from autofocus.session.pictures import picture_of
from autofocus.session.state import TAIL, Point, SessionState
from autofocus.settings import MeasureSettings
from autofocus.views.lines import frame_line, unreadable_line
from autofocus.views.web.board import Board

if TYPE_CHECKING:
    from autofocus.measure.reading import Reading

HELD = 4  # pictures kept with their whole frames


class PageAudience(Audience):
    """Shows a watch on the board; also the store in which the page finds its pictures."""

    def __init__(self, board: Board, folder: str, objective: str) -> None:
        self._board = board
        self._began_s = time.monotonic()
        self._held: OrderedDict[str, FramePicture] = OrderedDict()
        self._lock = threading.Lock()
        self._numbered = 0
        said = f"Waiting for the first frame in {folder}"
        self._state = SessionState(session=folder, phase="watch", doing=said, objective=objective)
        board.show(self._state, self)

    def put(self, frame: Frame, reading: Reading, settings: MeasureSettings) -> None:
        """Keep the picture of the frame that is told next, under the name of its file."""
        picture = replace(picture_of(frame, reading, settings), name=reading.measurement.file)
        with self._lock:
            self._held[picture.name] = picture
            while len(self._held) > HELD:
                self._held.popitem(last=False)

    def get(self, name: str) -> FramePicture | None:
        """The picture of one of the last frames, or None."""
        with self._lock:
            return self._held.get(name)

    def frame(self, measurement: Measurement) -> None:
        """A frame was measured."""
        self._numbered += 1
        position = None if measurement.position is None else round(measurement.position)
        point = Point(self._numbered, measurement.file, position or 0, measurement)
        state = self._state
        self._show(
            frame_line(measurement),
            points=(*state.points, point),
            latest_frame=measurement.file,
            position=position,
            exposures=len(state.points) + 1,
        )

    def unreadable(self, file: str, error: str) -> None:
        """A file could not be measured."""
        line = unreadable_line(file, error)
        self._show(line, warnings=(*self._state.warnings, line))

    def began(self, why: str) -> None:
        """Another series: the curves begin anew."""
        self._numbered = 0
        self._show(f"New series: {why}", points=(), curves=None, exposures=0)

    def counsel(self, counsel: Counsel) -> None:
        """What to do next."""
        if counsel.lines:
            self._show(counsel.lines[-1], curves=counsel.curves, doing=". ".join(counsel.lines))

    def ended(self, summary: str) -> None:
        """The last word on a series."""
        self._show(summary)

    def changed(self, change: Change) -> None:
        """A sequence has lost its focus, or found it again."""
        self._show(change.message, doing=change.message, warnings=(*self._state.warnings, change.message))

    def _show(self, line: str, **changed: object) -> None:
        elapsed_s = time.monotonic() - self._began_s
        tail = (*self._state.tail, (elapsed_s, line))[-TAIL:]
        self._state = replace(self._state, elapsed_s=elapsed_s, tail=tail, **changed)  # type: ignore[arg-type]
        self._board.show(self._state)
