"""``watch``: the companion of a session in which another program takes the frames."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autofocus.cli.command import AsJson, MaybeConfig, Sets, say
from autofocus.cli.frames import Columns, HalfWindow, Pattern, PlateScale, code_of_files, measure_settings
from autofocus.cli.keys import keys
from autofocus.cli.moments import moment
from autofocus.cli.page import Web, page_beside
from autofocus.cli.stopping import stopping
from autofocus.errors import FrameError, NoFocusFound
from autofocus.settings import Settings

if TYPE_CHECKING:
    from autofocus.cli.audiences import Alarm
    from autofocus.companion.following import Audience, Following
    from autofocus.frames.directory import FolderWatch
    from autofocus.frames.measuring import FileMeasurer
    from autofocus.views.web.following import PageAudience

LOST_FOCUS = NoFocusFound.exit_code
SWITCH_S = 0.0005


def watch(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="The folder into which frames are saved; without it, where N.I.N.A., SharpCap or Ekos saved last.",
            show_default=False,
        ),
    ] = None,
    *,
    config: MaybeConfig = None,
    overrides: Sets = None,
    existing: Annotated[
        bool, typer.Option("--existing", help="First measure what is there, in order of time.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Of what is there, only this recent: 21:30, 2026-11-22T21:30, 90m, 2h."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Measure what is there, and end.")] = False,
    polling: Annotated[bool, typer.Option("--polling", help="Look instead of being told: for network drives.")] = False,
    recursive: Annotated[bool, typer.Option("--recursive", help="Also the folders inside.")] = False,
    pattern: Annotated[str | None, typer.Option(metavar="GLOB", help="Only files named so: 'HD*.fits'.")] = None,
    columns: Columns = None,
    half_window: HalfWindow = None,
    plate_scale: PlateScale = None,
    position_pattern: Pattern = None,
    log: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Add a row for every frame.")] = None,
    beep: Annotated[
        bool, typer.Option("--beep", help="Ring for every frame; three times when it is time to stop, or to refocus.")
    ] = False,
    until_degraded: Annotated[
        bool, typer.Option("--until-degraded", help="End with exit code 4 once a sequence has lost its focus.")
    ] = False,
    notify: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Call a command when a sequence has lost its focus.")
    ] = None,
    web: Web = False,
    as_json: AsJson = False,
) -> int:
    """Measure every new FITS file of a folder, and say where focus is.

    q, Ctrl-C or SIGTERM ends it; n begins a new series.
    """
    began_s = time.time() - time.process_time()  # what is saved while Python starts is new
    settings = measure_settings(config, overrides, columns, half_window, plate_scale)
    since_s = None if since is None else moment(since, datetime.now().astimezone()).timestamp()
    from autofocus import wiring
    from autofocus.frames.directory import FolderWatch

    measurer = wiring.measurer(settings.measure, position_pattern)
    with ExitStack() as listening:
        others, alarm = _listeners(log, notify, listening, beep=beep, stop=(stop := threading.Event()))
        watched = FolderWatch(
            folder or _found_folder(),
            recursive=recursive or folder is None,
            polling=polling,
            existing=existing or since_s is not None,
            once=once,
            since_s=since_s,
            pattern=pattern,
            began_s=began_s,
            stop=stop,
        )
        read, found = _follow(
            watched, measurer, settings, [*others, *([alarm] if until_degraded else [])], as_json=as_json, web=web
        )
    if until_degraded and alarm.raised:
        return LOST_FOCUS
    if once and not found:
        say(f"autofocus watch: there are no FITS frames in {watched.folder}")
    return code_of_files("watch", read, found) if once else 0


def _found_folder() -> Path:
    """Where an acquisition program saved last."""
    from autofocus.frames.capturing import newest_capture_folder

    found = newest_capture_folder()
    if found is None:
        raise FrameError(
            "no folder of N.I.N.A., SharpCap or Ekos with FITS frames was found in the usual places; name the folder:"
            " autofocus watch DIR"
        )
    say(f"watching {found.path} and the folders inside, where {found.program} saves")
    return found.path


def _listeners(
    log: Path | None, notify: str | None, listening: ExitStack, *, beep: bool, stop: threading.Event
) -> tuple[list[Audience], Alarm]:
    """Who listens beside whatever shows the frames, and the alarm for whom it is to end the watch."""
    from autofocus.cli.audiences import Alarm, Bell
    from autofocus.cli.notify import Notifier
    from autofocus.frames.logbook import Logbook

    others: list[Audience] = [Logbook(log)] if log else []
    if notify:
        notifier = Notifier(notify)
        listening.callback(notifier.wait)
        others.append(notifier)
    if beep:
        others.append(Bell())
    return others, Alarm(stop)


def _follow(
    watched: FolderWatch,
    measurer: FileMeasurer,
    settings: Settings,
    others: Sequence[Audience],
    *,
    as_json: bool,
    web: bool,
) -> tuple[int, int]:
    """Measure and show what arrives until the watch is stopped; how many files could be read, and of how many."""
    from autofocus.companion.degradation import Steadiness
    from autofocus.companion.following import Following
    from autofocus.companion.watch import Companion
    from autofocus.frames.measuring import MeasuredFile, measure_arrivals

    sys.setswitchinterval(SWITCH_S)  # a frame that comes while a fit is at work must not queue behind it
    companion = Companion(settings.search.objective, settings.search.tolerance_steps)
    audiences: list[Audience] = []
    following = Following(companion, Steadiness(), audiences, advising=web or not as_json)
    with ExitStack() as shown:
        page = _page(settings, watched, following, shown) if web else None
        view, press = _shown(watched, following, as_json=as_json)
        audiences.extend([view, *others, *([page] if page else [])])
        shown.enter_context(stopping(watched.stop.set))
        shown.enter_context(keys(press))
        shown.enter_context(view)
        shown.enter_context(following)
        read = found = 0
        if not watched.once:
            measurer.prepare()
        for one in measure_arrivals(watched.arrivals(), measurer):
            found += 1
            if isinstance(one, MeasuredFile):
                if page is not None:
                    page.put(one.frame, one.reading, measurer.settings)
                following.frame(one.measurement, one.setup, one.withdrawn)
                read += 1
            else:
                following.unreadable(one.file, one.error)
    return read, found


def _page(settings: Settings, watched: FolderWatch, following: Following, shown: ExitStack) -> PageAudience:
    """The page of this watch, until ``shown`` closes."""
    from autofocus.views.web.board import Board
    from autofocus.views.web.commands import Commands
    from autofocus.views.web.following import PageAudience

    board = Board()
    commands = Commands(board)
    commands.offer({"new_series": lambda _: following.new_series()}, lasting=True)
    page = PageAudience(board, str(watched.folder), settings.search.objective)
    shown.enter_context(page_beside(settings.web, board, commands))
    return page


def _shown(watched: FolderWatch, following: Following, *, as_json: bool) -> tuple[Audience, Callable[[str], None]]:
    """Who shows the frames (objects, a live view in a terminal, else lines), and what keys do."""
    if not as_json and sys.stdout.isatty():
        from rich.console import Console

        from autofocus.views.companion import CompanionView

        view = CompanionView(Console(), str(watched.folder), stop=watched.stop.set, new_series=following.new_series)
        return view, view.press
    from autofocus.cli.audiences import JsonLines, PlainLines

    def press(key: str) -> None:
        if key in "qQ":
            watched.stop.set()
        elif key in "nN":
            following.new_series()

    return JsonLines() if as_json else PlainLines(), press
