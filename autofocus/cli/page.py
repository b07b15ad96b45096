"""The page of a command: where it is served, and how its address is told. Nothing here may fail a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autofocus.cli.command import say
from autofocus.errors import SettingsError
from autofocus.settings import WebSettings

if TYPE_CHECKING:
    from autofocus.views.web.board import Board
    from autofocus.views.web.commands import Commands
    from autofocus.views.web.server import PageServer

Web = Annotated[bool, typer.Option("--web", help="Serve the page, at the address that is printed.")]
Tell = Callable[[str], None]


def tell(url: str) -> None:
    """The address for a person, on stderr."""
    say(f"page: {url}")


def tell_event(url: str) -> None:
    """The address among events, as a JSON line on stderr."""
    sys.stderr.write(json.dumps({"event": "PageServed", "url": url}) + "\n")
    sys.stderr.flush()


def page_server(web: WebSettings, board: Board, commands: Commands) -> PageServer:
    """The server, its socket listening; OSError where the address cannot be had."""
    import platformdirs

    from autofocus.views.web.access import is_loopback, kept_token
    from autofocus.views.web.server import PageServer

    token = None
    if not is_loopback(web.host):
        token = kept_token(Path(platformdirs.user_state_dir("autofocus", appauthor=False)) / "page-token")
    return PageServer(board, commands, host=web.host, port=web.port, token=token)


@contextmanager
def page_beside(web: WebSettings, board: Board, commands: Commands, told: Tell = tell) -> Iterator[None]:
    """The page while something else is at work, which goes on also without: another port, or no page at all."""
    server = _anyhow(web, board, commands)
    if server is None:
        yield
        return
    with server:
        told(server.url)
        yield


def _anyhow(web: WebSettings, board: Board, commands: Commands) -> PageServer | None:
    for attempt in (web, web.model_copy(update={"port": 0})):
        try:
            return page_server(attempt, board, commands)
        except OSError as fault:
            why = fault.strerror or str(fault)
            say(f"warning: the page cannot be served at {attempt.host}:{attempt.port}: {why}")
    return None


@contextmanager
def page_alone(web: WebSettings, board: Board, commands: Commands, told: Tell = tell) -> Iterator[None]:
    """The page as all there is: without it there is nothing to do."""
    try:
        server = page_server(web, board, commands)
    except OSError as fault:
        why = fault.strerror or str(fault)
        raise SettingsError(
            f"the page cannot be served at {web.host}:{web.port}: {why}; choose another web.port or web.host"
        ) from fault
    with server:
        told(server.url)
        yield
