"""A recorded session led through the search again: the same questions, answered from its journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autofocus.errors import JournalError, NoFocusFound
from autofocus.model import Flag, FocusResult, Measurement, Phase, Sweep
from autofocus.search.task import FocusTask, Search
from autofocus.session import jsonform, records
from autofocus.session.events import SampleMeasured, SessionEnded, SessionStarted, SweepPlanned, as_journaled
from autofocus.session.journal import FRAMES, read_events
from autofocus.session.series import analyze

Remeasure = Callable[[Path], Measurement]


class Diverged(Exception):
    """The search of today asks for a position that was never taken that night: no error, and never seen outside."""

    def __init__(self, position: int) -> None:
        super().__init__(f"position {position} was never taken")
        self.position = position


@dataclass(frozen=True, slots=True)
class RecordedSweep:
    """A sweep that was asked for, and the samples it brought: (target, measurement)."""

    positions: tuple[int, ...]
    samples: tuple[tuple[int, Measurement], ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """What a journal holds of a session. ``ended`` is None for one that was killed."""

    folder: Path
    started: SessionStarted
    task: FocusTask
    sweeps: tuple[RecordedSweep, ...]
    ended: SessionEnded | None = None

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """All measurements, in the order they were taken."""
        return tuple(measurement for sweep in self.sweeps for _, measurement in sweep.samples)

    @property
    def decided(self) -> bool:
        """Did its search come to an end of its own? Then a sweep cut short was cut by a budget."""
        return self.ended is not None and self.ended.outcome in ("focused", "no_focus")


@dataclass(slots=True)
class RecordedObserver:
    """Answers a search from a recording, strictly: a position that was never taken is `Diverged`."""

    recording: Recording
    _asked: int = 0
    _used: set[tuple[int, int]] = field(default_factory=set)

    def observe(self, sweep: Sweep) -> tuple[Measurement, ...]:
        """The measurements that the recorded session gave to the same question, or to the same positions."""
        positions = tuple(sample.position for sample in sweep.samples)
        number, sweeps = self._asked, self.recording.sweeps
        self._asked += 1
        if number < len(sweeps) and sweeps[number].positions == positions:
            whole = len(sweeps[number].samples) == len(positions)
            if whole or self.recording.decided:
                taken = sweeps[number].samples
                self._used |= {(number, index) for index in range(len(taken))}
                return tuple(measurement for _, measurement in taken)
        return tuple(self._find(sample.position, phase=sample.phase) for sample in sweep.samples)

    def _find(self, position: int, *, phase: Phase) -> Measurement:
        for number, sweep in enumerate(self.recording.sweeps):
            for index, (target, measurement) in enumerate(sweep.samples):
                if target == position and (number, index) not in self._used:
                    self._used.add((number, index))
                    return replace(measurement, phase=phase)
        raise Diverged(position)


def read_recording(folder: Path) -> Recording:
    """Read a session folder; JournalError when it holds no session that got as far as a search."""
    started: SessionStarted | None = None
    ended: SessionEnded | None = None
    sweeps: list[RecordedSweep] = []
    for event in read_events(folder):
        if isinstance(event, SessionStarted):
            started = event
        elif isinstance(event, SweepPlanned):
            sweeps.append(RecordedSweep(event.positions))
        elif isinstance(event, SampleMeasured) and sweeps:
            last = sweeps[-1]
            sweeps[-1] = replace(last, samples=(*last.samples, (event.target, event.measurement)))
        elif isinstance(event, SessionEnded):
            ended = event
    if started is None or not started.task:
        raise JournalError(f"{folder} holds no session that got as far as a search: nothing to replay")
    try:
        task = jsonform.decode(FocusTask, started.task)
    except ValueError as fault:
        raise JournalError(f"{folder}: what the search was told cannot be read: {fault}") from fault
    return Recording(folder, started, task, tuple(sweeps), ended)


def remeasured(recording: Recording, measure: Remeasure) -> Recording:
    """The recording with each frame file measured anew; what only the session knew stays as it was."""
    frames = recording.folder / FRAMES

    def anew(target: int, old: Measurement) -> tuple[int, Measurement]:
        return target, _anew(old, measure(frames / Path(old.file).name))

    return replace(
        recording,
        sweeps=tuple(
            replace(sweep, samples=tuple(anew(target, old) for target, old in sweep.samples))
            for sweep in recording.sweeps
        ),
    )


def _anew(old: Measurement, new: Measurement) -> Measurement:
    session_flags = tuple(flag for flag in old.flags if flag in (Flag.GUIDING_UNSETTLED, Flag.GUIDING_LOST))
    return as_journaled(
        replace(
            new,
            file=old.file,
            position=old.position,
            exposure_s=old.exposure_s,
            started_utc=old.started_utc,
            flags=tuple(dict.fromkeys((*new.flags, *session_flags))),
            phase=old.phase,
            elapsed_s=old.elapsed_s,
            cost_s=old.cost_s,
            exposing_s=old.exposing_s,
            temperature_c=old.temperature_c,
        )
    )


def replay(recording: Recording, *, begin: Callable[[FocusTask], Search]) -> dict[str, Any]:
    """Lead the search through the recording; return the result object.

    ``diverged_at`` is the first position the search asked for that was never taken, None if it found all;
    then the curves are those through all samples, and the outcome says whether they hold a best focus.
    """
    diverged_at: int | None = None
    try:
        result = _lead(begin(recording.task), RecordedObserver(recording))
    except Diverged as parting:
        diverged_at = parting.position
        result = _fit_all(recording, parting)
    ended = recording.ended
    return records.result_object(
        result,
        position=None if ended is None else ended.position,
        start_position=recording.task.start_position,
        tally=_recorded_tally(recording),
        session=str(recording.folder),
        more={"diverged_at": diverged_at},
    )


def _lead(search: Search, observer: RecordedObserver) -> FocusResult:
    try:
        sweep = next(search)
        for _ in range(10_000):
            sweep = search.send(observer.observe(sweep))
    except StopIteration as end:
        result: FocusResult = end.value
        return result
    finally:
        search.close()
    raise NoFocusFound("the search does not come to an end on this recording")


def _fit_all(recording: Recording, parting: Diverged) -> FocusResult:
    judged = analyze(recording.measurements, recording.task.settings)
    said = f"The search now asks for {parting.position}, which was not taken that night. All samples: {judged.message}"
    return replace(judged, message=said)


def _recorded_tally(recording: Recording) -> records.Tally:
    """What that night spent, as its own result says; for a killed one, what its samples say."""
    told: Mapping[str, Any] = {} if recording.ended is None else recording.ended.result
    timing = told.get("timing")
    return records.Tally(
        exposures=int(told.get("exposures", len(recording.measurements))),
        moves=int(told.get("moves", 0)),
        timing=timing if isinstance(timing, Mapping) else {},
    )
