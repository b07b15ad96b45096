"""``watch`` and ``measure``: the two numbers of frames that another program takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autofocus.cli.command import AsJson, MaybeConfig, Sets, print_json, print_line
from autofocus.cli.keys import keys
from autofocus.cli.stopping import stopping
from autofocus.errors import FrameError, SettingsError
from autofocus.scopefile import load
from autofocus.settings import Settings

if TYPE_CHECKING:
    from autofocus.frames.measuring import MeasuredFile, UnreadableFile
    from autofocus.session.watch import Companion

Columns = Annotated[
    str | None, typer.Option(metavar="A:B", help="Columns to average, along the dispersion, 0-based, half-open.")
]
HalfWindow = Annotated[
    str | None, typer.Option(metavar="N", help="NSIG is summed over N pixels on each side of the trace; or auto.")
]
PlateScale = Annotated[str | None, typer.Option(metavar="X", help="Arcseconds per pixel across the dispersion.")]
Pattern = Annotated[
    str | None,
    typer.Option(
        "--position-pattern", metavar="REGEX", help="Finds the focuser position in a file name, in its first group."
    ),
]
_OPTIONS = {"columns": "columns", "half_window_px": "half-window", "plate_scale_arcsec_per_px": "plate-scale"}


def measure_settings(
    config: Path | None,
    overrides: Sequence[str] | None,
    columns: str | None,
    half_window: str | None,
    plate_scale: str | None,
) -> Settings:
    """The settings of a command that needs no devices, the usual three options laid over them."""
    given = dict(zip(_OPTIONS, (columns, half_window, plate_scale), strict=True))
    extra = [f"measure.{key}={value}" for key, value in given.items() if value is not None]
    try:
        return load(config, [*(overrides or ()), *extra], devices=False)
    except SettingsError as error:
        faults = error.faults
        for key, option in _OPTIONS.items():
            if given[key] is not None:
                faults = tuple(fault.replace(f"--set measure.{key}:", f"--{option}:") for fault in faults)
        raise SettingsError("; ".join(faults), faults=faults) from error


def measure(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="FITS files, measured in their order.")],
    *,
    config: MaybeConfig = None,
    overrides: Sets = None,
    columns: Columns = None,
    half_window: HalfWindow = None,
    plate_scale: PlateScale = None,
    position_pattern: Pattern = None,
    as_json: AsJson = False,
) -> None:
    """Measure the FITS files named: one line each."""
    settings = measure_settings(config, overrides, columns, half_window, plate_scale)
    from autofocus import wiring

    read = [_show(one, as_json=as_json) for one in wiring.measure_files(files, settings.measure, position_pattern)]
    if not any(read):
        raise FrameError("none of the files could be read")


def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder into which frames are saved.")],
    *,
    config: MaybeConfig = None,
    overrides: Sets = None,
    existing: Annotated[
        bool, typer.Option("--existing", help="First measure what is there, in order of time.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Measure what is there, and end.")] = False,
    polling: Annotated[bool, typer.Option("--polling", help="Look instead of being told: for network drives.")] = False,
    recursive: Annotated[bool, typer.Option("--recursive", help="Also the folders inside.")] = False,
    columns: Columns = None,
    half_window: HalfWindow = None,
    plate_scale: PlateScale = None,
    position_pattern: Pattern = None,
    as_json: AsJson = False,
) -> None:
    """Measure every new FITS file of a folder, and say where focus is; q, Ctrl-C or SIGTERM ends it."""
    settings = measure_settings(config, overrides, columns, half_window, plate_scale)
    from autofocus import wiring
    from autofocus.frames.directory import FolderWatch
    from autofocus.frames.measuring import MeasuredFile, measure_arrivals
    from autofocus.session.watch import Companion

    measurer = wiring.measurer(settings.measure, position_pattern)
    if not once:
        measurer.prepare()
    stop = threading.Event()
    watched = FolderWatch(folder, recursive=recursive, polling=polling, existing=existing, once=once, stop=stop)
    companion = Companion(settings.search.objective, settings.search.tolerance_steps)
    with stopping(stop.set), keys(lambda key: stop.set() if key in "qQ" else None):
        for one in measure_arrivals(watched.arrivals(), measurer):
            _show(one, as_json=as_json)
            if isinstance(one, MeasuredFile) and not as_json:
                _counsel(companion, one)


def _counsel(companion: Companion, taken: MeasuredFile) -> None:
    """What the series so far says of focus, below the line of its last frame."""
    from autofocus.views.lines import printable

    companion.withdraw(taken.withdrawn)
    said = companion.feed(taken.measurement, taken.setup, time.monotonic())
    began = [f"new series: {said.began}"] if said.began else []
    for line in (*began, *said.lines):
        print_line(f"  {printable(line)}")


def _show(taken: MeasuredFile | UnreadableFile, *, as_json: bool) -> bool:
    """One file as its line or its object; false for one that could not be read."""
    from autofocus.frames.measuring import UnreadableFile
    from autofocus.session.records import frame_object
    from autofocus.views.lines import frame_line, unreadable_line

    if isinstance(taken, UnreadableFile):
        if as_json:
            print_json({"file": taken.file, "error": taken.error})
        else:
            print_line(unreadable_line(taken.file, taken.error))
        return False
    if as_json:
        print_json(frame_object(taken.measurement))
    else:
        print_line(frame_line(taken.measurement))
    return True
