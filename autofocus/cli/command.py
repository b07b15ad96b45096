"""What all commands share: their common options, and how a fault becomes a message, an object and an exit code."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from autofocus import __version__
from autofocus.errors import Aborted, AutofocusError, JournalError, SettingsError
from autofocus.scopefile import load
from autofocus.settings import Settings
from autofocus.views.lines import printable

RESULT_COMMANDS = ("run", "analyze", "replay")
BUG = 1
EVENTS = "events.jsonl"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autofocus {__version__}")
        raise typer.Exit


Config = Annotated[Path | None, typer.Option("--config", "-c", help="The settings file; by default scope.yaml.")]
MaybeConfig = Annotated[Path | None, typer.Option("--config", "-c", help="A settings file; none is needed.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: search.spacing_steps=20.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, everything else on stderr.")]
Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more; of a fault also its cause.")]

_COMMON = (
    inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Verbose),
    inspect.Parameter("version", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Version),
)


def command(function: Callable[..., int | None]) -> Callable[..., int]:
    """Give a command the common options, and turn whatever it raises into its exit code."""

    @functools.wraps(function)
    def guarded(*args: Any, verbose: bool = False, version: bool = False, **kwargs: Any) -> int:  # noqa: ARG001
        if verbose:
            logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
        try:
            return function(*args, **kwargs) or 0
        except BrokenPipeError:
            fall_silent()
            return 0
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  the one place where every fault ends
            return report_fault(error, function.__name__, as_json=bool(kwargs.get("as_json")), verbose=verbose)

    signature = inspect.signature(function, eval_str=True)
    guarded.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *_COMMON])  # type: ignore[attr-defined]
    return guarded


def fall_silent() -> None:
    """Whoever read us has gone: what follows would fail once more when Python flushes stdout at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report_fault(error: BaseException, name: str, *, as_json: bool, verbose: bool = False) -> int:
    """Say what ended a command: on stderr for a person, on stdout as one object; return the exit code.

    The object is the result where a command has one, else ``{error, outcome, reason}``.
    """
    if isinstance(error, KeyboardInterrupt):
        error = Aborted("interrupted")
    for line in error.faults if isinstance(error, SettingsError) else (str(error),):
        say(printable(f"autofocus{f' {name}' if name else ''}: {line}"))
    if verbose or not isinstance(error, AutofocusError):
        traceback.print_exception(error, file=sys.stderr)
    if as_json:
        print_json(_failed_result(error) if name in RESULT_COMMANDS else _failure(error))
    return error.exit_code if isinstance(error, AutofocusError) else BUG


def _failed_result(error: BaseException) -> dict[str, Any]:
    from autofocus.session import records

    made = records.result_object(records.failure(error, "snr"))
    if isinstance(error, SettingsError):
        made["warnings"] = list(error.faults)
    return made


def _failure(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, AutofocusError):
        return {"error": str(error), "outcome": AutofocusError.outcome, "reason": AutofocusError.default_reason}
    return {"error": error.message, "outcome": error.outcome, "reason": error.reason}


def session_folder(path: Path) -> Path:
    """The folder of a recorded session; `JournalError` where there is none."""
    if not (path / EVENTS).is_file():
        what = "it has no events.jsonl" if path.is_dir() else "there is no such folder"
        raise JournalError(f"{path} is no session: {what}; a run leaves its sessions in the folder sessions/")
    return path


def run_settings(config: Path | None, overrides: Sequence[str] | None) -> Settings:
    """The settings of a command that uses devices; scope.yaml need not exist where ``--set`` says all."""
    given = list(overrides or ())
    default = Path("scope.yaml")
    return load(config or (default if default.is_file() or not given else None), given)


def say(text: str) -> None:
    """One line for a person, on stderr; lost where the terminal was closed."""
    with contextlib.suppress(OSError):
        typer.echo(text, err=True)


def print_line(text: str) -> None:
    """One line on stdout, at once: whoever reads a pipe waits for it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on a line of stdout, at once; plain ASCII, so that no code page can spoil it."""
    print_line(json.dumps(value, allow_nan=False))
