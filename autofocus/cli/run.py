"""``run``: hands-off focusing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from autofocus.cli import lines
from autofocus.cli.command import AsJson, Config, Sets, print_json, run_settings, say
from autofocus.cli.stopping import stopping
from autofocus.views.lines import printable

if TYPE_CHECKING:
    from autofocus.session.events import Event


def run(
    *,
    config: Config = None,
    overrides: Sets = None,
    as_json: AsJson = False,
    events: Annotated[bool, typer.Option("--events", help="Progress as JSON lines on stderr.")] = False,
    recover: Annotated[bool, typer.Option("--recover", help="First put back what a killed run left.")] = False,
) -> int:
    """Focus, hands off: find best focus from wherever the focuser stands, or put it back and say why."""
    settings = run_settings(config, overrides)
    from autofocus import wiring
    from autofocus.devices.clock import RealClock

    clock = RealClock()
    with stopping(clock.stop):
        ending = wiring.focus(settings, clock, listeners=[_machine if events else _plain], recover=recover)
    if as_json:
        print_json(ending.result)
    else:
        typer.echo("\n".join(lines.result_lines(ending.result)))
    return ending.exit_code


def _plain(event: Event) -> None:
    line = lines.event_line(event)
    if line is not None:
        say(printable(line))


def _machine(event: Event) -> None:
    from autofocus.session.events import to_line

    sys.stderr.write(to_line(event) + "\n")
    sys.stderr.flush()
