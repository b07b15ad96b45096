"""A table on disk to which every measured frame is added, through nights and programs' ends."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from autofocus.companion.following import Audience
from autofocus.errors import SettingsError
from autofocus.model import Measurement
from autofocus.session.records import frame_object

FIELDS = (
    "file", "series", "position", "fwhm_px", "fwhm_err_px", "fwhm_arcsec", "nsig", "nsig_err", "window_fraction", "snr",
    "center_px", "slant_px", "background_adu", "peak_adu", "saturated_px", "exposure_s", "temperature_c", "flags",
    "verdict", "started_utc",
)  # fmt: skip


class Logbook(Audience):
    """Appends one row a frame to a CSV, on its way to the disk before the next frame is measured.

    A file that is there already is continued when its columns are ours; `SettingsError` when they are not, or when
    it cannot be written. A row that cannot be written later (a spreadsheet holds the file) is kept and tried again
    with the next.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._series = 1
        self._waiting = ""
        try:
            with path.open("a+", encoding="utf-8", newline="") as stream:
                stream.seek(0)
                head = stream.readline(4096)
                if head and head.rstrip("\r\n") != ",".join(FIELDS):
                    raise SettingsError(f"--log {path}: it holds another table; name a new file")
                whole = stream.read()
                self._series = _last_series(whole) + 1
                self._waiting = "" if head else _row(FIELDS)
                if head and not (whole or head).endswith("\n"):
                    self._waiting = "\n"  # the last row was cut off: what follows begins on its own
                self._write(stream)
        except OSError as cause:
            raise SettingsError(f"--log {path}: cannot be written ({cause.strerror or cause})") from cause
        except UnicodeDecodeError as cause:
            raise SettingsError(f"--log {path}: it holds no table of ours; name a new file") from cause

    def began(self, why: str) -> None:  # noqa: ARG002
        """Rows say to which series they belong."""
        self._series += 1

    def frame(self, measurement: Measurement) -> None:
        """Add the frame's row."""
        made: dict[str, Any] = {**frame_object(measurement), "series": self._series}
        made["flags"] = " ".join(made["flags"])
        self._waiting += _row(["" if made[name] is None else made[name] for name in FIELDS])
        try:
            with self.path.open("a", encoding="utf-8", newline="") as stream:
                self._write(stream)
        except OSError:
            return

    def _write(self, stream: io.TextIOBase) -> None:
        stream.write(self._waiting)
        stream.flush()
        self._waiting = ""


def _row(cells: Any) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _last_series(text: str) -> int:
    """The highest number of a series in the table so far, 0 for none."""
    at = FIELDS.index("series")
    numbers = (row[at] for row in csv.reader(text.splitlines()) if len(row) > at)
    return max((int(number) for number in numbers if number.isdigit()), default=0)
