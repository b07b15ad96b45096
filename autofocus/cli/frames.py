"""``watch`` and ``measure``: the two numbers of frames that another program takes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autofocus.cli.command import AsJson, MaybeConfig, Sets, print_json
from autofocus.cli.keys import keys
from autofocus.cli.stopping import stopping
from autofocus.errors import FrameError, SettingsError
from autofocus.scopefile import load
from autofocus.settings import Settings

if TYPE_CHECKING:
    from autofocus.frames.naming import NamedPositions
    from autofocus.frames.pending import Arrival
    from autofocus.model import Frame, Measurement
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

    read = 0
    for path, taken in zip(files, wiring.measure_all(files, settings.measure, position_pattern), strict=True):
        if isinstance(taken, FrameError):
            show_fault(path, taken.message, as_json=as_json)
        else:
            read += 1
            show_frame(taken, as_json=as_json)
    if not read:
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
    from autofocus.frames.directory import FolderWatch
    from autofocus.frames.naming import NamedPositions
    from autofocus.session.watch import Companion

    stop = threading.Event()
    watched = FolderWatch(folder, recursive=recursive, polling=polling, existing=existing, once=once, stop=stop)
    companion = None if as_json else Companion(settings.search.objective, settings.search.tolerance_steps)
    names = NamedPositions(position_pattern)
    with stopping(stop.set), keys(lambda key: stop.set() if key in "qQ" else None):
        for arrival in watched.arrivals():
            _take(arrival, settings, names, companion)


def _take(arrival: Arrival, settings: Settings, names: NamedPositions, companion: Companion | None) -> None:
    """Measure and show one frame, and what the companion makes of it."""
    from autofocus import wiring

    if arrival.complaint:
        show_fault(arrival.path, arrival.complaint, as_json=companion is None)
        return
    names.learn([arrival.path.name])
    try:
        frame, reading = wiring.measure_file(arrival.path, settings.measure, names)
    except FrameError as fault:
        show_fault(arrival.path, fault.message, as_json=companion is None)
        return
    show_frame(reading.measurement, as_json=companion is None)
    if companion is not None:
        _counsel(companion, frame, reading.measurement)


def _counsel(companion: Companion, frame: Frame, measurement: Measurement) -> None:
    from autofocus.frames.header import first_number
    from autofocus.frames.naming import star_from_name
    from autofocus.session.watch import Setup
    from autofocus.views.lines import printable

    gain = first_number(("GAIN",), frame.headers)
    star = str(frame.headers.get("OBJECT") or "") or star_from_name(frame.name)
    said = companion.feed(measurement, Setup(star, measurement.exposure_s, gain[1] if gain else None))
    if said.began:
        typer.echo(f"  new series: {printable(said.began)}")
    for line in said.lines:
        typer.echo(f"  {printable(line)}")


def show_frame(measurement: Measurement, *, as_json: bool) -> None:
    """One frame: the line, or the object."""
    if as_json:
        from autofocus.session.records import frame_object

        print_json(frame_object(measurement))
    else:
        from autofocus.views.lines import frame_line

        typer.echo(frame_line(measurement))


def show_fault(path: Path, message: str, *, as_json: bool) -> None:
    """A file that is no frame, or not whole: the watch goes on."""
    if as_json:
        print_json({"file": path.name, "error": message.removeprefix(f"{path.name}: ")})
    else:
        from autofocus.views.lines import unreadable_line

        typer.echo(unreadable_line(path.name, message))
