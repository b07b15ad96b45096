"""One run from cold devices to best focus, or back to where it began: every way out of it is the same way home."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autofocus.errors import Aborted, AutofocusError, DeviceError, JournalError
from autofocus.model import FocusResult, Sweep
from autofocus.search.approach import clipped
from autofocus.search.task import FocusTask, Search
from autofocus.session import history, lock, opening, records
from autofocus.session.budget import Budget
from autofocus.session.darkroom import Darkroom, Measure
from autofocus.session.events import CurveFitted, PhaseChanged, SessionEnded, SweepPlanned
from autofocus.session.guiding import Guiding
from autofocus.session.homecoming import Close, Homecoming, Whereabouts
from autofocus.session.journal import Journal, WriteFrame
from autofocus.session.ledger import Ledger
from autofocus.session.motion import Motion
from autofocus.session.observe import LiveObserver, Observer
from autofocus.session.rig import Rig
from autofocus.session.shifts import shift_table
from autofocus.session.stream import Listener, Stream
from autofocus.settings import Settings

Begin = Callable[[FocusTask], Search]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: CONTRACT's result object, the exit code, the session folder, and the error if there was one."""

    result: Mapping[str, Any]
    exit_code: int
    folder: Path | None = None
    error: BaseException | None = None


def run(
    settings: Settings,
    rig: Rig,
    *,
    begin: Begin,
    measure: Measure,
    write_frame: WriteFrame,
    listeners: Sequence[Listener] = (),
    on_journal: Callable[[Journal], None] | None = None,
    recover: bool = False,
    lock_directory: Path | None = None,
) -> Ending:
    """Focus once. What a user can meet is never raised: the ending says it, and the exit code.

    ``begin`` starts a search (`search.plan.focus`), ``measure`` turns a frame into numbers, ``write_frame``
    writes a FITS file, ``on_journal`` is told the frame store that views read from.
    """
    key = rig.focuser_key or opening.focuser_key(settings.focuser)
    try:
        with lock.hold(key, lock_directory) as held:
            journal = Journal.create(Path(settings.session.directory), rig.clock.utc(), write_frame)
            held.note(journal.folder)
            with contextlib.closing(journal):
                if on_journal is not None:
                    on_journal(journal)
                ending = _Run(settings, rig, key, journal, listeners, measure).conduct(begin, recover=recover)
            if ending.folder is None:  # refused before anything was done: there is nothing to keep
                journal.discard()
            return ending
    except AutofocusError as error:  # the lock or the folder: no device was touched
        result = records.result_object(records.failure(error, settings.search.objective))
        return Ending(result, records.exit_code(result), None, error)


def drive(search: Search, observer: Observer, budget: Budget, stream: Stream) -> FocusResult:
    """Lead the conversation of a search with an observer to its end."""
    try:
        sweep = next(search)
        while True:
            _announce(sweep, stream)
            measurements = observer.observe(sweep, budget.may_take)
            budget.spend(measurements)
            sweep = search.send(measurements)
    except StopIteration as end:
        result: FocusResult = end.value
        stream.tell(CurveFitted(elapsed_s=stream.elapsed_s, curves=result.curves))
        return result
    finally:
        search.close()


def _announce(sweep: Sweep, stream: Stream) -> None:
    if sweep.curves is not None:
        stream.tell(CurveFitted(elapsed_s=stream.elapsed_s, curves=sweep.curves))
    told = SweepPlanned(
        elapsed_s=stream.elapsed_s,
        phase=sweep.samples[0].phase if sweep.samples else "refine",
        positions=tuple(sample.position for sample in sweep.samples),
        exposures_s=tuple(sample.exposure_s for sample in sweep.samples if sample.exposure_s is not None),
        why=sweep.why,
        exposures_left=sweep.exposures_left,
    )
    stream.tell(told)


class _Run:
    """The parts of one run, joined."""

    def __init__(
        self, settings: Settings, rig: Rig, key: str, journal: Journal, listeners: Sequence[Listener], measure: Measure
    ) -> None:
        self._settings = settings
        self._rig = rig
        self._key = key
        self._journal = journal
        self._stream = stream = Stream(rig.clock, journal, listeners)
        self._ledger = ledger = Ledger(rig.clock)
        self._guiding = Guiding(rig, settings, measure, stream, ledger)
        self._motion = Motion(rig.focuser, settings.focuser, stream, ledger, self._guiding)
        self._darkroom = Darkroom(rig, settings, measure, journal, stream, ledger)
        self._observer = LiveObserver(rig, settings, self._motion, self._guiding, self._darkroom, stream, ledger)
        self._opened: list[Close] = []
        self._start: int | None = None
        self._recovery: str | None = None
        self._begun = False
        if rig.informant is not None:
            rig.informant.inform = stream.warn

    def conduct(self, begin: Begin, *, recover: bool) -> Ending:
        """Focus, come home, and leave the account of it."""
        error: BaseException | None = None
        try:
            result = self._focus(begin, recover=recover)
        except KeyboardInterrupt as fault:
            error = Aborted("The run was stopped by the user.")
            error.__cause__ = fault
        except Exception as fault:  # noqa: BLE001  also a bug of ours must bring the focuser back
            error = fault
        if error is not None:
            measured = tuple(self._darkroom.developed)
            result = records.failure(error, self._settings.search.objective, measurements=measured)
        return self._leave(result, error)

    def _focus(self, begin: Begin, *, recover: bool) -> FocusResult:
        task = self._open(recover=recover)
        self._begun = True
        budget = Budget(self._settings.search, self._stream, self._ledger)
        result = drive(begin(task), self._observer, budget, self._stream)
        if result.outcome == "focused":
            self._stand_at_best(result, task)
        return result

    def _open(self, *, recover: bool) -> FocusTask:
        task: FocusTask | None = None
        try:
            stands_at = opening.open_devices(self._rig, self._opened, self._guiding.open)
            self._motion.locate()
            self._start = self._settle_the_past(stands_at, recover=recover)
            opening.demand_columns(self._settings, self._rig.camera.facts)
            before = history.focused_before(self._journal.folder.parent, self._key)
            task = opening.focus_task(self._settings, self._rig, self._start, before)
            return task
        finally:
            told = opening.session_started(
                self._settings,
                self._rig,
                session=self._journal.folder.name,
                key=self._key,
                task=task,
                elapsed_s=self._stream.elapsed_s,
            )
            self._stream.tell(told)

    def _settle_the_past(self, stands_at: int, *, recover: bool) -> int:
        """Say what a killed run left, or put it back when that was asked for; return where this run begins."""
        sessions = self._journal.folder.parent
        left = history.unfinished(sessions, self._key)
        if left is None:
            if recover:
                self._recovery = f"Nothing to recover: {sessions} holds no killed run of this focuser to put back."
                self._tell_recovery(self._recovery)
            return stands_at
        target = left.return_target(stands_at)
        if not recover:
            self._stream.warn(
                f"session {left.folder.name} was killed; the focuser had begun at {target} and stood at {stands_at} "
                "when this run began (autofocus run --recover would have brought it back first)"
            )
            return stands_at
        place = f"back to {target}, where session {left.folder.name} had begun"
        self._tell_recovery(f"Bringing the focuser {place}")
        self._motion.go_to(target)
        self._recovery = f"The focuser was first brought {place}."
        return target

    def _tell_recovery(self, said: str) -> None:
        self._stream.tell(PhaseChanged(elapsed_s=self._stream.elapsed_s, phase="recovering", why=said))

    def _stand_at_best(self, result: FocusResult, task: FocusTask) -> None:
        """Where the confirming frame was taken the focuser stays; otherwise it goes to the answer."""
        confirmed = None if result.confirmed is None else result.confirmed.measurement.position
        if confirmed is not None and self._motion.still_at(round(confirmed)):
            return
        if result.best is None:
            raise AssertionError("a search said focused without a best position")
        target = round(clipped(result.best.position if confirmed is None else confirmed, task.room))
        told = PhaseChanged(elapsed_s=self._stream.elapsed_s, phase="arriving", why=f"Moving to best focus at {target}")
        self._stream.tell(told)
        self._motion.go_to(target, result.run_up_steps)

    def _leave(self, result: FocusResult, error: BaseException | None) -> Ending:
        homecoming = Homecoming(
            self._rig,
            self._motion,
            self._observer,
            self._stream,
            self._settings.focuser.position_tolerance_steps,
            silent=error.server if isinstance(error, DeviceError) else "",
        )
        moved = self._ledger.moves > 0
        home = self._start if moved and result.outcome != "focused" else None
        where = homecoming.perform(self._opened, home=home)
        result = _with_place(result, where, self._start, error)
        refused = isinstance(error, AutofocusError) and not (self._begun or moved)
        made = records.result_object(
            result,
            position=where.position,
            start_position=self._start,
            tally=self._ledger.tally(),
            session=None if refused else str(self._journal.folder),
            warnings=self._stream.warnings,
            more={"image_shift": shift_table(self._guiding.shifts), "recovery": self._recovery},
        )
        return self._close_the_books(result, made, error)

    def _close_the_books(self, result: FocusResult, made: dict[str, Any], error: BaseException | None) -> Ending:
        """Write the result, then say that the session has ended."""
        try:
            self._journal.end(made, result.measurements)
        except JournalError as fault:
            made["warnings"].append(fault.message)
        internal = error is not None and not isinstance(error, AutofocusError)
        told = SessionEnded(
            elapsed_s=self._stream.elapsed_s,
            outcome=result.outcome,
            reason=result.reason,
            message=result.message,
            position=made["position"],
            result=made,
            traceback="".join(traceback.format_exception(error)) if internal and error is not None else None,
        )
        with contextlib.suppress(JournalError):  # said above, or it is what ended the run
            self._stream.tell(told)
        return Ending(made, records.exit_code(made), self._journal.folder if made["session"] else None, error)


def _with_place(result: FocusResult, where: Whereabouts, start: int | None, error: BaseException | None) -> FocusResult:
    """The result with a word on where the focuser stands; one that could not be brought back is a device's failure."""
    stands = "Where it stands is not known" if where.position is None else f"The focuser stands at {where.position}"
    if result.outcome == "focused":
        return replace(result, message=f"{result.message} {stands}.")
    if start is None:
        return result
    said = result.message if result.message.endswith(".") else f"{result.message}."
    if not where.trouble:
        return replace(result, message=f"{said} The focuser is back at {start}.")
    if where.position is None and where.last_seen is not None:
        stands += f"; it last reported {where.last_seen}"
    told = isinstance(error, DeviceError) and error.server == where.silent != ""
    why = ", where it began, either" if told else f" ({where.trouble})"
    message = f"{said} The focuser could not be brought back to {start}{why}. {stands}."
    if result.outcome == "no_focus":
        return replace(result, outcome="failed", reason="device", message=message)
    return replace(result, message=message)
