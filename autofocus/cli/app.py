"""The list of commands, and ``main``."""

from __future__ import annotations

import difflib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from autofocus.cli.bench import simulate
from autofocus.cli.command import Verbose, Version, command, report_fault
from autofocus.cli.files import init
from autofocus.cli.frames import measure
from autofocus.cli.network import devices
from autofocus.cli.preflight import check
from autofocus.cli.report import report
from autofocus.cli.run import run
from autofocus.cli.series import analyze, replay
from autofocus.cli.serve import serve
from autofocus.cli.watch import watch
from autofocus.errors import SettingsError

# ClickException, wherever this version of typer keeps it
_UsageFault: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="autofocus",
    help="Autofocus for slit spectrographs over ASCOM Alpaca. Begin with 'autofocus init'; without hardware, with "
    "'autofocus run --set simulator.seed=1'.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for function in (run, serve, watch, measure, analyze, replay, report, check, devices, simulate, init):
    app.command()(command(function))


@app.callback()
def options(verbose: Verbose = False, version: Version = False) -> None:
    """Options may also stand before the command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with CONTRACT's exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Our matrices are tiny: threads cost more than they bring, and a fit then waits for the machine's other cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a σ must not end a program on an old Windows console
    try:
        code = app(given or ["--help"], prog_name="autofocus", standalone_mode=False)
        if not given:
            code = SettingsError.exit_code  # a script that names no command has a fault
    except _UsageFault as fault:
        code = _wrong_usage(fault, given)
    except typer.Abort:
        code = 130
    sys.exit(code or 0)


def _wrong_usage(fault: Any, given: Sequence[str]) -> int:
    """Say what is wrong with the words given, and where it is told how they should be."""
    commands = [info.callback.__name__ for info in app.registered_commands if info.callback]
    named = next((word for word in given if not word.startswith("-")), "")
    if named in commands:
        said, shown = f"{fault.format_message()} ('autofocus {named} --help' lists what there is)", named
    elif named:
        near = difflib.get_close_matches(named, commands, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        said, shown = f"there is no command {named!r}{meant} ('autofocus --help' lists them all)", ""
    else:
        said, shown = f"{fault.format_message()} ('autofocus --help' lists what there is)", ""
    return report_fault(SettingsError(said), shown, as_json="--json" in given)
