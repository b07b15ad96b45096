"""A recorded series from wherever it lies: frames, a folder of them, a session folder, a CSV, a N.I.N.A. report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autofocus.errors import FrameError, JournalError
from autofocus.frames.directory import FolderWatch
from autofocus.frames.measuring import MeasuredFile, UnreadableFile, measure_arrivals
from autofocus.frames.naming import is_frame_name
from autofocus.frames.pending import Arrival
from autofocus.frames.tables import read_series
from autofocus.model import Measurement
from autofocus.session.series import read_session

EVENTS, POINTS = "events.jsonl", "points.csv"


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """The measurements of a series in their order, and the files that gave none."""

    measurements: tuple[Measurement, ...]
    unreadable: tuple[UnreadableFile, ...] = ()


def gather_series(
    paths: Sequence[Path],
    measurer: Callable[[Path], MeasuredFile],
    csv_columns: Mapping[str, str] | None = None,
) -> RecordedSeries:
    """Gather the measurements that the paths hold.

    A session folder gives what its journal says, any other folder its frames in order of time. Of several files
    one that cannot be read is listed; when nothing at all can be read `FrameError` (`JournalError` for a session)
    says why.
    """
    measurements: list[Measurement] = []
    unreadable: list[UnreadableFile] = []
    for path in paths:
        try:
            found = _from_path(path, measurer, csv_columns)
        except FrameError as fault:
            unreadable.append(UnreadableFile(path, fault.message.removeprefix(f"{path.name}: ")))
            continue
        measurements.extend(found.measurements)
        unreadable.extend(found.unreadable)
    if not measurements:
        first = unreadable[0] if unreadable else None
        more = f" (and {len(unreadable) - 1} more that cannot be read)" if len(unreadable) > 1 else ""
        raise FrameError(f"{first.file}: {first.error}{more}" if first else "there is nothing to analyze")
    return RecordedSeries(tuple(measurements), tuple(unreadable))


def _from_path(
    path: Path, measurer: Callable[[Path], MeasuredFile], csv_columns: Mapping[str, str] | None
) -> RecordedSeries:
    if not path.exists():
        raise FrameError(f"{path.name}: there is no such file or folder")
    if path.is_dir():
        if (path / EVENTS).exists() or (path / POINTS).exists():
            return RecordedSeries(tuple(_from_session(path, csv_columns)))
        return _from_frames(FolderWatch(path, once=True).arrivals(), measurer, path)
    if is_frame_name(path.name):
        return _from_frames([Arrival(path)], measurer, path)
    return RecordedSeries(tuple(read_series(path, csv_columns)))


def _from_session(folder: Path, csv_columns: Mapping[str, str] | None) -> Sequence[Measurement]:
    """What the journal holds; of a session without one, its table."""
    found = read_session(folder) if (folder / EVENTS).exists() else []
    if found:
        return found
    if (folder / POINTS).exists():
        return read_series(folder / POINTS, csv_columns)
    raise JournalError(f"{folder}: its journal holds no measured frame")


def _from_frames(arrivals: Iterable[Arrival], measurer: Callable[[Path], MeasuredFile], path: Path) -> RecordedSeries:
    """Measure frames; positions that turn out to be frame numbers are taken back."""
    measurements: list[Measurement] = []
    unreadable: list[UnreadableFile] = []
    for found in measure_arrivals(arrivals, measurer):
        if isinstance(found, UnreadableFile):
            unreadable.append(found)
            continue
        measurements = [replace(one, position=None) if one.file in found.withdrawn else one for one in measurements]
        measurements.append(found.measurement)
    if not (measurements or unreadable):
        raise FrameError(f"{path.name}: it holds no FITS file")
    return RecordedSeries(tuple(measurements), tuple(unreadable))
