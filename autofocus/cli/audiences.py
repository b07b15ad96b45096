"""Who listens while a folder is watched: plain lines, JSON, the bell, and the alarm that ends the watch."""

from __future__ import annotations

import sys
import threading

from autofocus.cli.command import print_json, print_line, say
from autofocus.companion.degradation import Change
from autofocus.companion.following import Audience
from autofocus.companion.watch import Counsel
from autofocus.model import Measurement
from autofocus.session.advice import DISAGREE
from autofocus.views.lines import frame_line, printable, unreadable_line

BELL = "\a"


class PlainLines(Audience):
    """Lines on stdout, for pipes and logs: a frame's at the margin, what it means for focus indented below.

    That the two optima disagree is said once in a row: it seldom is news again.
    """

    def __init__(self) -> None:
        self._disagreed = False

    def frame(self, measurement: Measurement) -> None:
        """The line of a frame."""
        print_line(frame_line(measurement))

    def unreadable(self, file: str, error: str) -> None:
        """The line of a file that could not be read."""
        print_line(unreadable_line(file, error))

    def began(self, why: str) -> None:
        """Why a new series begins."""
        print_line(f"  new series: {printable(why)}")

    def counsel(self, counsel: Counsel) -> None:
        """What the series tells."""
        for line in counsel.lines:
            if not (self._disagreed and line.startswith(DISAGREE)):
                print_line(f"  {printable(line)}")
        self._disagreed = any(line.startswith(DISAGREE) for line in counsel.lines)

    def ended(self, summary: str) -> None:
        """The last word on a series."""
        print_line(f"  {printable(summary)}")

    def changed(self, change: Change) -> None:
        """A sequence has changed."""
        print_line(f"  {change.message}")


class JsonLines(Audience):
    """One object on stdout for each frame; a sequence that has changed is said on stderr."""

    def frame(self, measurement: Measurement) -> None:
        """The object of a frame."""
        from autofocus.session.records import frame_object

        print_json(frame_object(measurement))

    def unreadable(self, file: str, error: str) -> None:
        """The object of a file that could not be read."""
        print_json({"file": file, "error": error})

    def changed(self, change: Change) -> None:
        """A sequence has changed."""
        say(change.message)


class Bell(Audience):
    """The terminal's bell, once for each frame, three times when something is to be done."""

    def frame(self, measurement: Measurement) -> None:  # noqa: ARG002
        """A frame was measured."""
        self._ring(1)

    def counsel(self, counsel: Counsel) -> None:
        """Three times when the advice is to stop."""
        if any(line.endswith(": stop") for line in counsel.lines):
            self._ring(3)

    def changed(self, change: Change) -> None:
        """Three times when focus is lost."""
        if change.kind == "degraded":
            self._ring(3)

    @staticmethod
    def _ring(times: int) -> None:
        sys.stderr.write(BELL * times)
        sys.stderr.flush()


class Alarm(Audience):
    """Ends the watch when a sequence has lost its focus."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.raised = False

    def changed(self, change: Change) -> None:
        """End the watch."""
        if change.kind == "degraded":
            self.raised = True
            self._stop.set()
