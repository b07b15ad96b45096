"""A manual session followed as it goes: each frame is shown at once, what it means a moment later.

A fit takes longer than a measurement, so it works in a thread of its own, on the newest frames, and what is no
longer about the last frame is not said. Nothing that was measured waits for it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from autofocus.companion.degradation import Change, Steadiness
from autofocus.companion.watch import Companion, Counsel, Setup, resting
from autofocus.model import Measurement
from autofocus.session.advice import disagreement, optima

QUIET_S = 0.15  # frames that follow each other faster are a burst: only the last is worth a fit
PATIENCE_S = 5.0  # so long a burst may go on without a word


class Audience:
    """Whoever shows or keeps what is said; hears nothing twice, one call at a time. Override what matters.

    A context manager, for whoever has something to begin and to end.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        return None

    def frame(self, measurement: Measurement) -> None:
        """A frame was measured."""

    def unreadable(self, file: str, error: str) -> None:
        """A file could not be measured, or the folder could not be watched."""

    def began(self, why: str) -> None:
        """The next frame begins a new series."""

    def counsel(self, counsel: Counsel) -> None:
        """What the series tells so far."""

    def ended(self, summary: str) -> None:
        """A series is over: where its focus was."""

    def changed(self, change: Change) -> None:
        """A sequence that stood in focus has lost it, or found it again."""


@dataclass(frozen=True, slots=True)
class _Question:
    """Frames that belong together, what they are called, and whether more of them may come."""

    series: tuple[Measurement, ...]
    star: str
    number: int
    over: bool = False


class Following:
    """Takes measured frames, tells the audiences; use it as a context manager.

    ``advising`` false leaves the fits out (a program that reads the frames alone has no use for them).
    """

    def __init__(
        self, companion: Companion, steadiness: Steadiness, audiences: Sequence[Audience], *, advising: bool = True
    ) -> None:
        self._companion, self._steadiness, self._audiences = companion, steadiness, audiences
        self._advising = advising
        self._asked = threading.Condition()
        self._telling = threading.Lock()
        self._questions: list[_Question] = []
        self._number = self._answered = 0
        self._said_s = time.monotonic()
        self._by_hand = self._over = self._in_order = False
        self._thread = threading.Thread(target=self._answer, name="advice", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Say what is left to say of the last series; after a fault, nothing more."""
        self._in_order = kind is None
        if self._in_order:
            self._ask(over=True)
        with self._asked:
            self._over = True
            self._asked.notify()
        self._thread.join()

    def new_series(self) -> None:
        """Begin a new series with the next frame; may be called from any thread."""
        self._by_hand = True

    def unreadable(self, file: str, error: str) -> None:
        """A file that gave no numbers."""
        self._tell(lambda audience: audience.unreadable(file, error))

    def frame(self, measurement: Measurement, setup: Setup, withdrawn: Collection[str] = ()) -> None:
        """Take one more frame."""
        self._companion.withdraw(withdrawn)
        before = _Question(tuple(self._companion.series), self._companion.star, self._number, over=True)
        began = self._begins(measurement, setup)
        if began:
            self._put(before)
            self._tell(lambda audience: audience.began(began))
        self._number += 1
        self._tell(lambda audience: audience.frame(measurement))
        change = self._steadiness.feed(measurement, setup)
        if change is not None:
            self._tell(lambda audience: audience.changed(change))
        self._ask()

    def _begins(self, measurement: Measurement, setup: Setup) -> str:
        """Give the frame to the companion; why it begins a new series, or ""."""
        now_s = time.monotonic()
        if not self._by_hand:
            return self._companion.take(measurement, setup, now_s)
        self._by_hand = False
        had = bool(self._companion.series)
        self._companion.new_series()
        self._steadiness.forget()
        self._companion.take(measurement, setup, now_s)
        return "by hand" if had else ""

    def _ask(self, *, over: bool = False) -> None:
        self._put(_Question(tuple(self._companion.series), self._companion.star, self._number, over))

    def _put(self, question: _Question) -> None:
        """Put a question; of a series that goes on only the newest is worth an answer."""
        if not (self._advising and question.series) or (resting(question.series) and not question.over):
            return
        with self._asked:
            self._questions = [one for one in self._questions if one.over]
            self._questions.append(question)
            self._asked.notify()

    def _answer(self) -> None:
        """Answer questions until there are no more to come, or nobody reads (the next frame's line will say so)."""
        with contextlib.suppress(OSError):
            while (question := self._next()) is not None:
                self._say(question, self._judged(question.series))

    def _say(self, question: _Question, counsel: Counsel) -> None:
        """Say the answer to a question, unless newer frames have made it old."""
        unheard = self._in_order and question.number == self._number != self._answered
        if question.over and not unheard:
            summary = summarize(question.series, question.star, counsel)
            if summary:
                self._tell(lambda audience: audience.ended(summary))
        elif unheard or question.number == self._number or time.monotonic() - self._said_s > PATIENCE_S:
            self._said_s, self._answered = time.monotonic(), question.number
            self._tell(lambda audience: audience.counsel(counsel))

    def _judged(self, series: tuple[Measurement, ...]) -> Counsel:
        """What the companion makes of a series; a fault of ours is a sentence, and the watch goes on."""
        try:
            return self._companion.judge(series)
        except Exception as fault:  # noqa: BLE001  the frames must go on being measured
            return Counsel(lines=(f"no advice this time: a fault of autofocus ({type(fault).__name__}: {fault})",))

    def _next(self) -> _Question | None:
        """The next question, once no other has come for a moment; None when all is over."""
        with self._asked:
            while not self._questions:
                if self._over:
                    return None
                self._asked.wait()
            while not self._over and not self._questions[0].over and time.monotonic() - self._said_s < PATIENCE_S:
                newest = self._questions[0]
                self._asked.wait(QUIET_S)
                if self._questions[0] is newest:
                    break
            return self._questions.pop(0)

    def _tell(self, say: Callable[[Audience], None]) -> None:
        with self._telling:
            for audience in self._audiences:
                say(audience)


def summarize(series: Sequence[Measurement], star: str, counsel: Counsel) -> str:
    """The last word on a series: how many frames, of what, and where its focus was; "" where nobody can say."""
    if counsel.curves is None or counsel.curves.best is None or not counsel.curves.best.bracketed:
        return ""
    of = f" of {star}" if star else ""
    apart = disagreement(counsel.curves)
    return f"{len(series)} frames{of}: {optima(counsel.curves)}{f' ({apart})' if apart else ''}"
