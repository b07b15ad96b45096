"""A recorded series from wherever it lies: frames, a folder of them, a session folder, a CSV, a N.I.N.A. report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autofocus.errors import FrameError, JournalError
from autofocus.frames.directory import FolderWatch
from autofocus.frames.measuring import FileMeasurer, UnreadableFile, measure_arrivals
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
    measurer: FileMeasurer,
    csv_columns: Mapping[str, str] | None = None,
) -> RecordedSeries:
    """Gather the measurements that the paths hold.

    A session folder gives what its journal says, any other folder its frames in order of time. Of several files
    one that cannot be read is listed; when nothing at all can be read `FrameError` (`JournalError` for a session)
    says why.
    """
    measurements: list[Measurement] = []
    arrivals: list[Arrival] = []
    for path in paths:
        try:
            if is_frame_name(path.name) and not path.is_dir():
                arrivals.append(Arrival(path))
            elif path.is_dir() and not _is_session(path):
                arrivals.extend(_frames_in(path))
            else:
                measurements.extend(
                    _from_session(path, csv_columns) if path.is_dir() else read_series(path, csv_columns)
                )
        except FrameError as fault:
            arrivals.append(Arrival(path, fault.message.removeprefix(f"{path.name}: ")))
    found = _measured(arrivals, measurer)
    measurements.extend(found.measurements)
    if not measurements:
        first = found.unreadable[0] if found.unreadable else None
        more = f" (and {len(found.unreadable) - 1} more that cannot be read)" if len(found.unreadable) > 1 else ""
        raise FrameError(f"{first.file}: {first.error}{more}" if first else "there is nothing to analyze")
    return RecordedSeries(tuple(measurements), found.unreadable)


def _is_session(folder: Path) -> bool:
    return (folder / EVENTS).exists() or (folder / POINTS).exists()


def _frames_in(folder: Path) -> list[Arrival]:
    """The frames of a folder in order of time."""
    arrivals = list(FolderWatch(folder, once=True).arrivals())
    if not arrivals:
        raise FrameError(f"{folder.name}: it holds no FITS file")
    return arrivals


def _from_session(folder: Path, csv_columns: Mapping[str, str] | None) -> Sequence[Measurement]:
    """What the journal holds; of a session without one, its table."""
    found = read_session(folder) if (folder / EVENTS).exists() else []
    if found:
        return found
    if (folder / POINTS).exists():
        return read_series(folder / POINTS, csv_columns)
    raise JournalError(f"{folder}: its journal holds no measured frame")


def _measured(arrivals: Sequence[Arrival], measurer: FileMeasurer) -> RecordedSeries:
    """Measure frames; with ``half_window_px: auto`` once more with the one window that the widest of them needs."""
    found = _measured_once(arrivals, measurer)
    again = measurer.widened(max((one.fwhm_px for one in found.measurements if one.fwhm_px > 0), default=0.0))
    return found if again is None else _measured_once(arrivals, again)


def _measured_once(arrivals: Sequence[Arrival], measurer: FileMeasurer) -> RecordedSeries:
    """Measure frames; positions that turn out to be frame numbers are taken back."""
    measurements: list[Measurement] = []
    unreadable: list[UnreadableFile] = []
    for found in measure_arrivals(arrivals, measurer):
        if isinstance(found, UnreadableFile):
            unreadable.append(found)
            continue
        measurements = [replace(one, position=None) if one.file in found.withdrawn else one for one in measurements]
        measurements.append(found.measurement)
    return RecordedSeries(tuple(measurements), tuple(unreadable))
