"""Recorded series without their frames: CSV tables, our own points.csv, and N.I.N.A. autofocus reports."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from autofocus.errors import FrameError, SettingsError
from autofocus.frames.header import as_number
from autofocus.model import NAN, Flag, Measurement, Phase

LARGEST_TABLE = 64 * 1024**2
ALIASES = {"fwhm": "fwhm_px", "fwhm_err": "fwhm_err_px"}
NUMBERS = (
    "position", "fwhm_px", "fwhm_err_px", "fwhm_arcsec", "nsig", "nsig_err", "window_fraction", "window_fraction_err",
    "snr", "center_px",
    "slant_px", "background_adu", "peak_adu", "saturated_px", "exposure_s", "background_noise_adu", "columns_used",
    "gain_e_per_adu", "elapsed_s", "cost_s", "exposing_s", "temperature_c",
)  # fmt: skip
WHOLE = ("saturated_px", "columns_used")
MAYBE_NONE = ("position", "exposure_s", "gain_e_per_adu", "temperature_c")
TEXTS = ("file", "flags", "phase", "used", "why", "started_utc", "verdict", "dispersion_axis")


def read_series(path: Path, csv_columns: Mapping[str, str] | None = None) -> list[Measurement]:
    """Read a recorded series from a table.

    Parameters
    ----------
    path
        A CSV (by its content: comma, semicolon or tab between cells) or a N.I.N.A. report (JSON).
    csv_columns
        Our column name to the file's, as ``--csv-columns position=cam_foc`` gives them.

    Returns
    -------
    list of Measurement
        In the order of the file. A width is taken as the file gives it: whether it is a true FWHM, 2σ or
        a half-flux radius is its author's matter, and the position of best focus does not depend on it.

    Raises
    ------
    FrameError
        When the file is empty, broken or holds no positions with numbers; the message names the line.
    """
    text = _text(path)
    if text.lstrip()[:1] in ("{", "["):
        return _from_report(path.name, text)
    return _from_csv(path.name, text, csv_columns or {})


def parse_csv_columns(text: str) -> dict[str, str]:
    """Read ``position=cam_foc,fwhm_px=slit_fwhm_px`` as a mapping from our names to the file's."""
    mapping = {}
    for item in text.split(","):
        ours, equals, theirs = (part.strip() for part in item.partition("="))
        ours = ALIASES.get(ours, ours)
        if not (equals and theirs) or ours not in NUMBERS + TEXTS:
            raise SettingsError(f"--csv-columns: {item.strip()!r}: give position=NAME, fwhm_px=NAME and/or nsig=NAME")
        mapping[ours] = theirs
    return mapping


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise FrameError(f"{path.name}: larger than 64 MiB; that is no focus series")
        data = path.read_bytes()
    except FileNotFoundError as cause:
        raise FrameError(f"{path.name}: there is no such file{'' if path.suffix else ' or folder'}") from cause
    except OSError as cause:
        raise FrameError(f"{path.name}: cannot be read ({cause.strerror or cause})") from cause
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if not text.strip("\0 \t\r\n"):
        raise FrameError(f"{path.name}: it is empty")
    return text


def _from_csv(name: str, text: str, csv_columns: Mapping[str, str]) -> list[Measurement]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        heads = [cell.strip() for cell in next(row for row in rows if any(cell.strip() for cell in row))]
        columns = _columns(name, heads, csv_columns)
        series = []
        for row in rows:
            if any(cell.strip() for cell in row):
                cells = {ours: row[at].strip() if at < len(row) else "" for ours, at in columns.items()}
                series.append(_measurement(f"{name}:{rows.line_num}", cells, decimal_comma=delimiter != ","))
    except (csv.Error, StopIteration) as cause:
        raise FrameError(f"{name}: it is not a CSV table ({cause})") from cause
    if not series:
        raise FrameError(f"{name}: it has a head line but no rows")
    return series


def _columns(name: str, heads: Sequence[str], csv_columns: Mapping[str, str]) -> dict[str, int]:
    """Where each of our columns stands in the table."""
    places: dict[str, int] = {}
    for at, head in enumerate(heads):
        ours = ALIASES.get(head.lower(), head.lower())
        if ours in NUMBERS + TEXTS:
            places.setdefault(ours, at)
    lower = [head.lower() for head in heads]
    for ours, theirs in csv_columns.items():
        if theirs.lower() not in lower:
            raise FrameError(f"{name}: it has no column {theirs!r}; its columns are {', '.join(heads)}")
        places[ours] = lower.index(theirs.lower())
    if not places:
        head = ", ".join(heads)
        raise FrameError(
            f"{name}: it is neither frame, N.I.N.A. report nor table of a focus series: its first line is"
            f" {head if len(head) <= 60 else head[:59] + '…'!r}, no column there is position, fwhm_px or nsig"
            " (--csv-columns position=NAME,fwhm_px=NAME names others)"
        )
    if "position" not in places or not ("fwhm_px" in places or "nsig" in places):
        raise FrameError(
            f"{name}: a column position and one of fwhm_px, nsig are needed; its columns are {', '.join(heads)}"
            " (name them with --csv-columns position=NAME,fwhm_px=NAME)"
        )
    return places


def _measurement(where: str, cells: Mapping[str, str], *, decimal_comma: bool) -> Measurement:
    values: dict[str, Any] = {}
    for name in NUMBERS:
        if name not in cells:
            continue
        number = _cell(where, name, cells[name], decimal_comma=decimal_comma)
        if name in WHOLE:
            number = 0 if math.isnan(number) else int(number)
        elif name in MAYBE_NONE and math.isnan(number):
            continue
        values[name] = number
    for name in ("file", "why", "verdict"):
        values[name] = cells.get(name, "")
    if cells.get("started_utc"):
        values["started_utc"] = cells["started_utc"]
    if cells.get("phase") in get_args(Phase):
        values["phase"] = cast("Phase", cells["phase"])
    if cells.get("dispersion_axis") in ("x", "y"):
        values["dispersion_axis"] = cells["dispersion_axis"]
    values["flags"] = _flags(cells.get("flags", ""))
    values["used"] = cells.get("used", "").lower() not in ("false", "0", "no")
    return Measurement(**values)


def _cell(where: str, name: str, text: str, *, decimal_comma: bool) -> float:
    """The number of one cell; an empty one, ``nan``, ``null`` and the like are not-a-number."""
    if text.lower() in ("", "nan", "null", "none", "n/a", "na", "-", "inf", "-inf", "infinity"):
        return NAN
    number = as_number(text if decimal_comma or "," not in text else None)
    if number is None:
        raise FrameError(f"{where}: {name} is {text!r} where a number is needed")
    return number


def _flags(text: str) -> tuple[Flag, ...]:
    names = text.replace(",", " ").replace(";", " ").replace("|", " ").split()
    known = {str(flag) for flag in Flag}
    return tuple(Flag(name) for name in names if name in known)


def _from_report(name: str, text: str) -> list[Measurement]:
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as cause:
        if len(text.splitlines()) > 1 and _is_json(text.splitlines()[0]):
            raise FrameError(f"{name}: it holds JSON lines; of a session name the folder, not its files") from cause
        raise FrameError(f"{name}: it is not whole or not JSON ({cause})") from cause
    if isinstance(report, dict) and isinstance(report.get("Response"), dict):
        report = report["Response"]
    if not isinstance(report, dict) or "MeasurePoints" not in report:
        raise FrameError(f"{name}: it is no N.I.N.A. autofocus report: MeasurePoints is missing")
    points = report["MeasurePoints"]
    if not isinstance(points, list) or not points:
        raise FrameError(f"{name}: its MeasurePoints are empty: that autofocus run measured nothing")
    contrast = report.get("Method") == "CONTRASTDETECTION"
    series = [_point(f"{name}: MeasurePoints[{index}]", point, contrast=contrast) for index, point in enumerate(points)]
    temperature = as_number(report.get("Temperature"))
    started = report.get("Timestamp") if isinstance(report.get("Timestamp"), str) else None
    return [replace(point, temperature_c=temperature, started_utc=started) for point in series]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _point(where: str, point: object, *, contrast: bool) -> Measurement:
    """One point of a report; contrast is better the larger it is, so it goes where NSIG goes."""
    if not isinstance(point, dict) or as_number(point.get("Position")) is None:
        raise FrameError(f"{where} has no Position")
    value, error = as_number(point.get("Value")), as_number(point.get("Error"))
    value = NAN if value is None or value <= 0 else value
    error = NAN if error is None or error <= 0 else error
    position = as_number(point["Position"])
    if contrast:
        return Measurement(position=position, nsig=value, nsig_err=error)
    return Measurement(position=position, fwhm_px=value, fwhm_err_px=error)
