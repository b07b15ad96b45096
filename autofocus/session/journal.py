"""The session folder: events line by line, frames and previews as they come, result and table at the end."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from autofocus.errors import FrameError, JournalError
from autofocus.model import Frame, Measurement
from autofocus.ports import FramePicture
from autofocus.session import events, pictures
from autofocus.session.records import frame_object

WriteFrame = Callable[[Frame, Mapping[str, Any], Path], object]
"""Writes a frame whole: beside, then renamed."""

EVENTS, RESULT, POINTS, FRAMES, PREVIEWS = "events.jsonl", "result.json", "points.csv", "frames", "previews"
POINT_FIELDS = (
    "file", "position", "fwhm_px", "fwhm_err_px", "fwhm_arcsec", "nsig", "nsig_err", "window_fraction",
    "window_fraction_err", "snr",
    "exposure_s", "background_adu", "peak_adu", "saturated_px", "temperature_c", "flags", "phase", "used", "why",
    "started_utc",
)  # fmt: skip
PICTURES_HELD = 3  # whole frames kept in memory for the views
NAME = re.compile(r"[\w-]{1,64}")


class Journal:
    """Writes one session folder; every fault of the disk is a `JournalError`."""

    def __init__(self, folder: Path, write_frame: WriteFrame) -> None:
        self.folder = folder
        self._write_frame = write_frame
        self._held: OrderedDict[str, FramePicture] = OrderedDict()
        self._lock = threading.Lock()
        self._mend = ""
        with _disk(folder):
            self._events: IO[str] = (folder / EVENTS).open("x", encoding="utf-8", newline="\n")

    @classmethod
    def create(cls, directory: Path, now: datetime, write_frame: WriteFrame) -> Journal:
        """Make the folder of a session that begins now (UTC); one more in the same second gets a suffix."""
        stamp = now.strftime("%Y-%m-%dT%H-%M-%S")
        with _disk(directory):
            directory.mkdir(parents=True, exist_ok=True)
            for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
                folder = directory / f"{stamp}{suffix}"
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                    return cls(folder, write_frame)
        raise JournalError(f"{directory} already holds a thousand sessions of {stamp}")

    def __call__(self, event: events.Event) -> None:
        """Write the event and see it on its way to the disk before anybody else hears of it."""
        with _disk(self.folder):
            try:
                self._events.write(self._mend + events.to_line(event) + "\n")
                self._events.flush()
                self._mend = ""
            except OSError:
                self._mend = "\n"  # the disk may hold half a line: what follows begins on its own
                raise

    def save(self, frame: Frame, headers: Mapping[str, Any]) -> str:
        """Write the frame whole into ``frames``; return its file name."""
        name = f"{_checked(frame.name)}.fits"
        with _disk(self.folder):
            folder = self.folder / FRAMES
            folder.mkdir(exist_ok=True)
            self._write_frame(frame, headers, folder / name)
        return name

    def put(self, picture: FramePicture, measurement: Measurement) -> None:  # noqa: ARG002  the port hands both
        """Keep what views draw of a frame: whole for the last few, as a preview on disk for all."""
        name = _checked(picture.name)
        with self._lock:
            self._held[name] = picture
            while len(self._held) > PICTURES_HELD:
                self._held.popitem(last=False)
        with _disk(self.folder):
            (self.folder / PREVIEWS).mkdir(exist_ok=True)
            write_whole(self.folder / PREVIEWS / f"{name}.npz", pictures.pack(picture))

    def get(self, name: str) -> FramePicture | None:
        """The picture of a frame: whole if it is one of the last few, else its preview; None if there is none."""
        with self._lock:
            held = self._held.get(name)
        return held or read_picture(self.folder, name)

    def end(self, result: Mapping[str, Any], measurements: Sequence[Measurement]) -> None:
        """Write result.json and points.csv."""
        with _disk(self.folder):
            write_result(self.folder, result)
            write_whole(self.folder / POINTS, points_table(measurements, result).encode())

    def discard(self) -> None:
        """Remove the closed folder of a run that never began; what cannot be removed stays."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Close the event file; what was written stays."""
        with contextlib.suppress(OSError):
            self._events.close()


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write result.json, also anew; OSError where the disk does not take it."""
    text = json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False)
    write_whole(folder / RESULT, (text + "\n").encode())


def points_table(measurements: Sequence[Measurement], result: Mapping[str, Any]) -> str:
    """The samples as CSV, one line each, under CONTRACT's names."""
    judged = result.get("samples", ())
    out = io.StringIO()
    table = csv.DictWriter(out, POINT_FIELDS, lineterminator="\n")
    table.writeheader()
    for index, measurement in enumerate(measurements):
        sample = judged[index] if len(judged) == len(measurements) else {}
        row = {
            **frame_object(measurement),
            "phase": measurement.phase,
            "used": measurement.used,
            "why": measurement.why,
            **sample,
        }
        row["flags"] = " ".join(row["flags"])
        table.writerow({name: row[name] for name in POINT_FIELDS})
    return out.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Write beside, reach the disk, rename: the file is never half there."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)


def read_picture(folder: Path, name: str) -> FramePicture | None:
    """The preview of a frame of this session, or None; a name that is no frame's is never made a path."""
    if NAME.fullmatch(name) is None:
        return None
    path = folder / PREVIEWS / f"{name}.npz"
    try:
        return pictures.unpack(name, path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise JournalError(f"{path} cannot be read: {fault.strerror or fault}") from fault


def read_events(folder: Path) -> Iterator[events.Event]:
    """The events of a session folder; a line that a crash or a full disk cut short is passed over."""
    path = folder / EVENTS
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    data = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                event = events.from_object(data)
                if event is not None:
                    yield event
    except OSError as fault:
        raise JournalError(f"{path} cannot be read: {fault.strerror or fault}") from fault


def read_measurements(folder: Path) -> list[Measurement]:
    """The measurements of a session, in the order they were taken."""
    return [event.measurement for event in read_events(folder) if isinstance(event, events.SampleMeasured)]


def _checked(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise JournalError(f"{name!r} cannot be the name of a frame")
    return name


@contextlib.contextmanager
def _disk(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, FrameError) as fault:
        why = getattr(fault, "strerror", None) or str(fault)
        raise JournalError(
            f"the session in {place} cannot be written: {why}. Check free space and permissions, or set "
            "session.directory elsewhere"
        ) from fault
