"""``run``: hands-off focusing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from autofocus.cli import lines
from autofocus.cli.command import AsJson, Config, Sets, fall_silent, print_json, run_settings, say
from autofocus.cli.page import Web, page_beside, tell, tell_event
from autofocus.cli.stopping import stopping
from autofocus.views.lines import printable

if TYPE_CHECKING:
    from autofocus.devices.clock import RealClock
    from autofocus.ports import FrameStore
    from autofocus.session.events import Event
    from autofocus.session.stream import Listener
    from autofocus.settings import Settings
    from autofocus.views.web.board import Board

    Attach = Callable[[FrameStore], None]


def run(
    *,
    config: Config = None,
    overrides: Sets = None,
    as_json: AsJson = False,
    events: Annotated[bool, typer.Option("--events", help="Progress as JSON lines on stderr.")] = False,
    recover: Annotated[bool, typer.Option("--recover", help="First put back what a killed run left.")] = False,
    web: Web = False,
) -> int:
    """Focus, hands off: find best focus from wherever the focuser stands, or put it back and say why."""
    settings = run_settings(config, overrides)
    from autofocus import wiring
    from autofocus.devices.clock import RealClock

    clock = RealClock()
    with ExitStack() as open_, stopping(clock.stop):
        board = _page(settings, clock, open_, events=events) if web or settings.web.enabled else None
        shown, attach = open_.enter_context(_shown(clock, events=events))
        listeners, attachments = [shown], [attach]
        if board is not None:
            listeners.append(board)
            attachments.append(board.attach)
        ending = wiring.focus(
            settings,
            clock,
            listeners=listeners,
            on_journal=partial(_attach, attachments),
            recover=recover,
        )
    try:
        if as_json:
            print_json(ending.result)
        else:
            typer.echo("\n".join(lines.result_lines(ending.result)))
    except OSError:  # the terminal was closed: the session folder holds the result
        fall_silent()
    return ending.exit_code


def _page(settings: Settings, clock: RealClock, open_: ExitStack, *, events: bool) -> Board:
    """The page of this run, until ``open_`` closes: it shows, and it can stop."""
    from autofocus.views.web.board import Board
    from autofocus.views.web.commands import Commands

    board = Board()
    commands = Commands(board)
    commands.offer({"stop": lambda _: clock.stop()})
    open_.enter_context(page_beside(settings.web, board, commands, tell_event if events else tell))
    return board


def _attach(attachments: Sequence[Attach], store: FrameStore) -> None:
    for attach in attachments:
        attach(store)


def _needs_no_frames(_store: FrameStore) -> None:
    """Lines show no pictures."""


@contextmanager
def _shown(clock: RealClock, *, events: bool) -> Iterator[tuple[Listener, Attach]]:
    """How progress is shown on stderr: as JSON, live with keys in a terminal, else as plain lines."""
    if events:
        yield _machine, _needs_no_frames
        return
    if not sys.stderr.isatty():
        yield _plain, _needs_no_frames
        return
    from rich.console import Console

    from autofocus.cli.keys import keys
    from autofocus.views.terminal import TerminalView

    view = TerminalView(Console(stderr=True), clock, clock.stop)
    with keys(view.press) if sys.stdin.isatty() else nullcontext(), view:
        yield view, view.attach


def _plain(event: Event) -> None:
    line = lines.event_line(event)
    if line is not None:
        say(printable(line))


def _machine(event: Event) -> None:
    from autofocus.session.events import to_line

    sys.stderr.write(to_line(event) + "\n")
    sys.stderr.flush()
