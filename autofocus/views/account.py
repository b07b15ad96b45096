"""What a report is made of: a session folder read back, or a series that was just analysed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autofocus.errors import JournalError
from autofocus.model import FocusCurves, FocusResult, Measurement
from autofocus.ports import FramePicture
from autofocus.session import records
from autofocus.session.events import SessionStarted, Warned
from autofocus.session.journal import read_events, read_picture
from autofocus.session.state import SessionState, apply

FindPicture = Callable[[int], FramePicture | None]
"""The picture of the frame with this index in the series, or None."""


def _no_picture(_index: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Account:
    """One series, told in full. ``story`` holds (seconds, sentence); ``best`` is the index of the frame nearest focus.

    ``result`` is CONTRACT's result object; ``started`` is None for a series that was not taken by a session.
    """

    title: str
    result: Mapping[str, Any]
    measurements: tuple[Measurement, ...]
    curves: FocusCurves
    picture: FindPicture = _no_picture
    started: SessionStarted | None = None
    story: tuple[tuple[float, str], ...] = ()
    best: int | None = None


@dataclass(slots=True)
class _Story:
    """Gathers the sentences that a state goes through; each once until it changes."""

    told: list[tuple[float, str]] = field(default_factory=list)

    def hear(self, before: SessionState, after: SessionState, elapsed_s: float) -> None:
        if after.doing != before.doing:
            self.told.append((elapsed_s, after.doing))


def read_account(folder: Path) -> Account:
    """The account of a session folder; `JournalError` where it holds no session. A killed session has one as well."""
    state, started, story = SessionState(), None, _Story()
    for event in read_events(folder):
        after = apply(state, event)
        story.hear(state, after, event.elapsed_s)
        if isinstance(event, Warned):
            story.told.append((event.elapsed_s, f"Warning: {event.message}"))
        if isinstance(event, SessionStarted):
            started = event
        state = after
    if started is None:
        raise JournalError(f"{folder} holds no session: its journal does not say how one began")
    names = [point.name for point in state.points]
    best = state.best_point
    return Account(
        title=f"{started.session or folder.name}",
        result=_result(state),
        measurements=state.measurements,
        curves=state.curves or FocusCurves(),
        picture=lambda index: read_picture(folder, names[index]),
        started=started,
        story=tuple(story.told),
        best=None if best is None else state.points.index(best),
    )


def account_of(
    title: str,
    result: FocusResult,
    made: Mapping[str, Any],
    picture: Callable[[Measurement], FramePicture | None] | None = None,
) -> Account:
    """The account of an analysed series; ``picture`` finds those of its frames."""
    taken = result.measurements
    find = (lambda index: picture(taken[index])) if picture is not None else _no_picture
    return Account(title, made, taken, result.curves, find, best=_nearest(taken, result.curves))


def _nearest(taken: Sequence[Measurement], curves: FocusCurves) -> int | None:
    if curves.best is None:
        return None
    at = curves.best.position
    placed = [(abs(one.position - at), index) for index, one in enumerate(taken) if one.position is not None]
    return min(placed)[1] if placed else None


def _result(state: SessionState) -> Mapping[str, Any]:
    """The result that the session ended with; one that was killed has none, and says so."""
    if state.result:
        return state.result
    result = FocusResult(
        outcome="aborted",
        reason="interrupted",
        message="The session was killed: it has no end. What it had measured until then follows.",
        objective="snr",
        curves=state.curves or FocusCurves(),
        measurements=state.measurements,
        warnings=state.warnings,
    )
    tally = records.Tally(exposures=state.exposures, timing={"total_s": state.elapsed_s})
    return records.result_object(result, start_position=state.start_position, tally=tally, session=state.session)
