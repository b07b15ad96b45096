"""``measure``: the two numbers of the frames named, and the options that measuring commands share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autofocus.cli.command import AsJson, MaybeConfig, Sets, print_json, print_line, say
from autofocus.errors import FrameError, SettingsError
from autofocus.scopefile import load
from autofocus.settings import Settings

if TYPE_CHECKING:
    from autofocus.frames.measuring import MeasuredFile, UnreadableFile

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
                # what is wrong with a value as a whole is said of its section
                faults = tuple(re.sub(rf"^--set measure: (?={key}\b)", f"--{option}: ", fault) for fault in faults)
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
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT.png", help="Write the stretched frame with trace and window; of several files OUT-NAME.png."
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Measure the FITS files named: one line each."""
    settings = measure_settings(config, overrides, columns, half_window, plate_scale)
    from autofocus import wiring

    read = 0
    for one in wiring.measure_files(files, settings.measure, position_pattern):
        shown = _show(one, as_json=as_json)
        read += shown
        if picture is not None and shown:
            wiring.save_picture(one, settings.measure, picture if len(files) == 1 else _named_after(picture, one.path))
    return code_of_files("measure", read, len(files))


def code_of_files(command: str, read: int, found: int) -> int:
    """The exit code of files that were measured; each that could not be read was named already."""
    if read or not found:
        return 0
    say(f"autofocus {command}: none of the files could be read")
    return FrameError.exit_code


def _named_after(picture: Path, frame: Path) -> Path:
    """``OUT-NAME.png`` of the frame ``NAME.fits.gz``."""
    name = frame.name.partition(".fit")[0] if ".fit" in frame.name else frame.stem
    return picture.with_name(f"{picture.stem}-{name}{picture.suffix or '.png'}")


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
