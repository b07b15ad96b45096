"""``serve``: the page alone; runs are started and stopped from it, one at a time."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from autofocus.cli import lines
from autofocus.cli.command import Config, Sets, run_settings, say
from autofocus.cli.page import page_alone
from autofocus.cli.stopping import stopping
from autofocus.errors import SettingsError
from autofocus.model import Objective
from autofocus.views.lines import printable

if TYPE_CHECKING:
    from autofocus.devices.clock import RealClock
    from autofocus.session.engine import Ending
    from autofocus.session.events import Event
    from autofocus.views.web.board import Board
    from autofocus.views.web.commands import Commands

LOOK_S = 0.2  # Windows delivers Ctrl-C only between waits


def serve(*, config: Config = None, overrides: Sets = None) -> int:
    """Serve the page and wait: focusing is started and stopped from it, until Ctrl-C."""
    settings = run_settings(config, overrides)
    from autofocus.views.web.board import WAITING, Board
    from autofocus.views.web.commands import Commands
    from autofocus.views.web.recorded import last_session

    board = Board(WAITING)
    commands = Commands(board)
    recorded = last_session(Path(settings.session.directory))
    if recorded is not None:
        board.show(*recorded)
    desk = Desk(config, list(overrides or ()), board, commands)
    with stopping(desk.close), page_alone(settings.web, board, commands):
        desk.work()
    return 0


class Desk:
    """Takes what the page asks for, and conducts one run after the other in the main thread."""

    def __init__(self, config: Path | None, overrides: Sequence[str], board: Board, commands: Commands) -> None:
        self._config, self._overrides = config, overrides
        self._board, self._commands = board, commands
        self._asked: queue.SimpleQueue[Objective] = queue.SimpleQueue()
        self._clock: RealClock | None = None
        self._closed = False

    def close(self) -> None:
        """End the run there may be, then serving; safe from a signal handler."""
        self._closed = True
        if self._clock is not None:
            self._clock.stop()

    def work(self) -> None:
        """Conduct the runs that are asked for until closed."""
        while not self._closed:
            self._commands.offer({"start": self._start})
            objective = self._next()
            if objective is not None:
                self._focus(objective)

    def _start(self, asked: Mapping[str, Any]) -> None:
        objective = asked.get("objective")
        known: tuple[Objective, ...] = get_args(Objective)
        chosen = next((one for one in known if one == objective), None)
        if chosen is None:
            raise ValueError(f"objective is one of {', '.join(known)}")
        self._asked.put(chosen)

    def _next(self) -> Objective | None:
        while not self._closed:
            try:
                return self._asked.get(timeout=LOOK_S)
            except queue.Empty:
                continue
        return None

    def _focus(self, objective: Objective) -> None:
        from autofocus.devices.clock import RealClock
        from autofocus.session.state import SessionState

        try:  # read anew: a person may have changed the file since
            settings = run_settings(self._config, [*self._overrides, f"search.objective={objective}"])
        except SettingsError as fault:
            self._complain(" ".join(fault.faults))
            return
        from autofocus import wiring

        clock = self._clock = RealClock()
        if self._closed:
            return
        self._board.show(SessionState(objective=objective))
        self._commands.offer({"stop": lambda _: clock.stop()})
        ending = wiring.focus(settings, clock, listeners=[self._board, _plain], on_journal=self._board.attach)
        self._commands.offer({})
        self._clock = None
        self._tell(ending)

    def _tell(self, ending: Ending) -> None:
        for line in lines.result_lines(ending.result):
            say(printable(line))
        if not self._board.view.state.ended:  # refused before a session began
            self._complain(str(ending.result["message"]))

    def _complain(self, message: str) -> None:
        from autofocus.views.web.board import WAITING

        say(printable(message))
        if not self._board.view.state.ended:
            self._board.show(WAITING)
        self._board.notify(message)


def _plain(event: Event) -> None:
    line = lines.event_line(event)
    if line is not None:
        say(printable(line))
