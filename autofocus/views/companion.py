"""A manual session in a terminal: every frame as a line that scrolls away, below it both curves and what to do next."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autofocus.companion.degradation import Change
from autofocus.companion.following import Audience
from autofocus.companion.watch import Counsel
from autofocus.model import FocusCurves, Measurement, Metric
from autofocus.session.state import Point, SessionState
from autofocus.views import curveplot
from autofocus.views.lines import frame_line, light_name, printable, unreadable_line
from autofocus.views.terminal import CTRL_C, NARROW, PLOT_ROWS, curves, value_of

STRIP = 60  # frames in the strip chart
WAITING = "waiting for the first frame"
HINT = "q ends   n begins a new series"


class CompanionView(Audience):
    """A live view; use it as a context manager, as an audience, and hand it the keys."""

    def __init__(
        self, console: Console, where: str, *, stop: Callable[[], None], new_series: Callable[[], None]
    ) -> None:
        self._console, self._where = console, where
        self._stop, self._new_series = stop, new_series
        self._lock = threading.Lock()
        self._series: list[Measurement] = []
        self._curves: FocusCurves | None = None
        self._advice: tuple[str, ...] = ()
        self._heard_at = ""
        # drawn when something has come, never by the clock: it may lie idle all night
        self._live = Live(console=console, get_renderable=self._render, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_fault: object) -> None:
        self._live.stop()

    def press(self, key: str) -> None:
        """A key: ``q`` ends the watch, ``n`` begins a new series."""
        if key in ("q", "Q", CTRL_C):
            self._stop()
        elif key in ("n", "N"):
            self._new_series()
            self._clear("a new series begins with the next frame")

    def frame(self, measurement: Measurement) -> None:
        """Print the frame's line above the curves."""
        with self._lock:
            self._series.append(measurement)
            self._heard_at = time.strftime("%H:%M:%S")
        self._line(frame_line(measurement))

    def unreadable(self, file: str, error: str) -> None:
        """Print the complaint."""
        self._line(unreadable_line(file, error), "yellow")

    def began(self, why: str) -> None:
        """Clear the curves for another series."""
        self._clear("")
        self._line(f"new series: {printable(why)}", "bold")

    def counsel(self, counsel: Counsel) -> None:
        """Show what the series tells."""
        with self._lock:
            self._curves = counsel.curves or self._curves
            self._advice = counsel.lines
        self._live.refresh()

    def ended(self, summary: str) -> None:
        """Print where the focus of a series was."""
        self._line(printable(summary), "bold")

    def changed(self, change: Change) -> None:
        """Print that a sequence has changed."""
        with self._lock:
            self._advice = (change.message,)
        self._line(change.message, "bold")

    def _clear(self, advice: str) -> None:
        with self._lock:
            self._series, self._curves, self._advice = [], None, (advice,) if advice else ()
        self._live.refresh()

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)

    def _render(self) -> RenderableType:
        with self._lock:
            series, fits, advice, heard_at = tuple(self._series), self._curves, self._advice, self._heard_at
        size = self._console.size
        signs = curveplot.UNICODE if "utf" in self._console.encoding.lower() else curveplot.ASCII
        side_by_side = size.width >= NARROW
        return Group(
            Text(headline(series, heard_at, self._where), style="bold", no_wrap=True, overflow="ellipsis"),
            *(
                []
                if size.height < 2 * PLOT_ROWS
                else [plots(series, fits, size.width, signs, side_by_side=side_by_side)]
            ),
            *(Text(printable(line), style="bold" if number else "") for number, line in enumerate(advice)),
            Text(HINT, style="dim"),
        )


def headline(series: Sequence[Measurement], heard_at: str, where: str) -> str:
    """How many frames, when the last one came, from where."""
    if not heard_at:
        return f"{WAITING}  ·  {printable(where)}"
    count = f"{len(series)} frame{'' if len(series) == 1 else 's'} in this series"
    return f"{count}  ·  the last at {heard_at}  ·  {printable(where)}"


def plots(
    series: Sequence[Measurement], fits: FocusCurves | None, width: int, signs: curveplot.Signs, *, side_by_side: bool
) -> RenderableType:
    """Both curves over position; without positions both numbers by time."""
    if not series:
        return Text("")
    if any(one.position is not None for one in series):
        points = tuple(Point(number, one.file, 0, one) for number, one in enumerate(series, 1))
        return curves(SessionState(points=points, curves=fits), width, signs, side_by_side=side_by_side)
    each = min((width - 4) // 2 if side_by_side else width - 2, STRIP)
    strips = [Text("\n".join(strip(series, metric, each, signs))) for metric in ("fwhm", "nsig")]
    if not side_by_side:
        return Group(*strips)
    grid = Table.grid(padding=(0, 2))
    grid.add_row(*strips)
    return grid


def strip(series: Sequence[Measurement], metric: Metric, width: int, signs: curveplot.Signs) -> list[str]:
    """One number by time, the best frame marked, under its title."""
    values = [value_of(one, metric) for one in series[-STRIP:]]
    points = [(float(at), value) for at, value in enumerate(values) if math.isfinite(value)]
    name, unit = ("FWHM", "px") if metric == "fwhm" else (light_name(series), "ADU/s")
    if not points:
        return [f"{name}: nothing yet".ljust(width), *[" " * width] * PLOT_ROWS]
    best = (min if metric == "fwhm" else max)(points, key=lambda point: point[1])
    title = f"{name}, {unit}: {points[-1][1]:.4g}, best {best[1]:.4g}"
    rows = curveplot.draw(points, points, best[0], width=width, height=PLOT_ROWS, signs=signs)
    return [title[:width].ljust(width), *rows]
