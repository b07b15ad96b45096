"""A session in a terminal: phase, exposure n of about m, time left, both curves, the points, and what happens now."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autofocus.digits import number, with_error
from autofocus.model import CurveFit, Measurement, Metric
from autofocus.ports import Clock, FrameStore
from autofocus.session.events import Event, SampleMeasured
from autofocus.session.state import PHASES, Point, SessionState, apply
from autofocus.views import curveplot
from autofocus.views.lines import light_name, printable
from autofocus.views.termstrip import STRIP_ROWS, terminal_strip

CTRL_C = "\x03"  # a Windows console hands it on as a key
HELP = "q  end the run and bring the focuser back (twice: at once)    ?  hide this"
HINT = "q ends the run, ? for help"
PLOT_ROWS = 7
NARROW = 76  # columns; below this the second curve stands under the first
STRIP_WIDTH = 122  # characters: as wide as both curves
FEWEST_POINTS = 3
OTHER_ROWS = 9  # header, sentence, axes, table head, warning, keys


class TerminalView:
    """A live view; use it as a context manager and as a listener of the session's stream.

    Keys are handed to `press`; ``stop`` is called for each ``q``. Everything goes to ``console`` (standard error,
    so that standard output stays free for the result).
    """

    def __init__(self, console: Console, clock: Clock, stop: Callable[[], None]) -> None:
        self._console = console
        self._clock = clock
        self._stop = stop
        self._lock = threading.Lock()
        self._state = SessionState()
        self._heard_at = clock.monotonic()
        self._help = False
        self._stops = 0
        self._store: FrameStore | None = None
        self._strip = Text()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        with contextlib.suppress(OSError):  # the terminal may have been closed
            self._live.stop()

    def attach(self, store: FrameStore) -> None:
        """Draw the trace of each measured frame from this store."""
        self._store = store

    def __call__(self, event: Event) -> None:
        """Hear an event; it is drawn at the next refresh."""
        if isinstance(event, SampleMeasured) and self._store is not None and self._shows_greys():
            width = min(self._console.size.width - 2, STRIP_WIDTH)
            self._strip = terminal_strip(event.measurement, self._store.get(event.name), width)
        with self._lock:
            self._state = apply(self._state, event)
            self._heard_at = self._clock.monotonic()

    def press(self, key: str) -> None:
        """A key: ``q`` ends the run, ``?`` shows or hides the help."""
        if key in ("q", "Q", CTRL_C):
            self._stops += 1
            self._stop()
        elif key == "?":
            self._help = not self._help

    def _shows_greys(self) -> bool:
        return self._console.color_system in ("truecolor", "256") and "utf" in self._console.encoding.lower()

    def _render(self) -> RenderableType:
        with self._lock:
            state = self._state
            since_s = 0.0 if state.ended else self._clock.monotonic() - self._heard_at
        size = self._console.size
        signs = curveplot.UNICODE if "utf" in self._console.encoding.lower() else curveplot.ASCII
        side_by_side = size.width >= NARROW
        rows_left = size.height - OTHER_ROWS - PLOT_ROWS * (1 if side_by_side else 2)
        strip = [self._strip] if self._strip and rows_left >= STRIP_ROWS + FEWEST_POINTS else []
        rows_left -= STRIP_ROWS * len(strip)
        return Group(
            headline(state, since_s),
            doing(state, since_s, self._stops),
            curves(state, size.width, signs, side_by_side=side_by_side),
            *strip,
            points_table(state, max(rows_left, FEWEST_POINTS)),
            *(Text(f"! {printable(warning)}", style="yellow") for warning in state.warnings[-1:]),
            Text("" if state.ended else HELP if self._help else HINT, style="dim"),
        )


def headline(state: SessionState, since_s: float) -> Text:
    """Phase, exposure n of about m, time left."""
    parts = [PHASES.get(state.phase, printable(state.phase))]
    if state.ended:
        parts = [f"{state.outcome}" + (f" ({printable(state.reason)})" if state.reason else "")]
    if state.exposures:
        expected = state.exposures_expected
        of = "" if expected is None or state.ended else f" of about {max(expected, state.exposures)}"
        parts.append(f"exposure {state.exposures}{of}" if not state.ended else f"{state.exposures} exposures")
    left = state.seconds_left
    if left is not None and not state.ended:
        parts.append(f"about {minutes(max(left - since_s, 0.0))} left")
    parts.append(f"{minutes(state.elapsed_s + since_s)} so far" if not state.ended else minutes(state.elapsed_s))
    return Text("  ·  ".join(parts), style="bold", no_wrap=True, overflow="ellipsis")


def doing(state: SessionState, since_s: float, stops: int) -> Text:
    """The sentence of what happens now, with the seconds that an exposure still takes."""
    sentence = printable(state.doing)
    if state.exposing_until_s is not None:
        left = state.exposing_until_s - state.elapsed_s - since_s
        sentence += f", {max(left, 0.0):.0f} s to go"
    if stops and not state.ended:
        sentence = f"Ending the run in order (q again: at once). {sentence}"
    where = "" if state.position is None else f"   [focuser at {state.position}]"
    return Text(sentence + where)


def curves(state: SessionState, width: int, signs: curveplot.Signs, *, side_by_side: bool) -> RenderableType:
    """Both focus curves, small."""
    each = min((width - 4) // 2 if side_by_side else width - 2, 60)
    fits = state.curves
    plots = (
        curve(state, "fwhm", None if fits is None else fits.fwhm, each, signs),
        curve(state, "nsig", None if fits is None else fits.nsig, each, signs),
    )
    if not side_by_side:
        return Group(*plots)
    grid = Table.grid(padding=(0, 2))
    grid.add_row(*plots)
    return grid


def curve(state: SessionState, metric: Metric, fit: CurveFit | None, width: int, signs: curveplot.Signs) -> Text:
    """One curve under its title, with its range at the edges."""
    points = [(one.position, value_of(one, metric)) for one in state.measurements if one.position is not None]
    title = "FWHM, px" if metric == "fwhm" else f"{light_name(state.measurements)}, ADU/s"
    if fit is not None:
        title += f": best at {with_error(fit.position, fit.uncertainty)}"
    best = None if state.curves is None or state.curves.best is None else state.curves.best.position
    line = () if fit is None else fit.line
    rows = curveplot.draw(points, line, best, width=width, height=PLOT_ROWS, signs=signs)
    area = curveplot.area_of(points)
    if area is None:
        return Text("\n".join([title[:width].ljust(width), *rows, " " * width]))
    left, right = f"{area.left:.0f}", f"{area.right:.0f}"
    span = f"{area.bottom:.3g} to {area.top:.3g}"
    axis = f"{left}{span.center(max(width - len(left) - len(right), 0))}{right}"[:width]
    return Text("\n".join([title[:width].ljust(width), *rows, axis]))


def value_of(measurement: Measurement, metric: Metric) -> float:
    """What the curve of this metric goes through: NSIG is corrected for the light beside the window."""
    if metric == "fwhm":
        return measurement.fwhm_px
    held = measurement.window_fraction
    return measurement.nsig / held if math.isfinite(held) and held > 0.0 else measurement.nsig


def points_table(state: SessionState, rows: int) -> Table:
    """The last points, the best one marked by a sign and by weight, never by colour alone."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", "n", "position", "FWHM px", light_name(state.measurements), "SNR"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    best = state.best_point
    for point in state.points[-rows:]:
        table.add_row(*point_cells(point, best), style="bold" if point is best else "")
    return table


def point_cells(point: Point, best: Point | None) -> tuple[str, ...]:
    """The cells of one row."""
    one = point.measurement
    remarks = [str(flag) for flag in one.flags] + ([one.verdict] if one.verdict else [])
    return (
        "*" if point is best else "",
        str(point.number),
        "" if one.position is None else f"{one.position:g}",
        with_error(one.fwhm_px, one.fwhm_err_px, 2, unknown=""),
        with_error(one.nsig, one.nsig_err, 1, unknown=""),
        number(one.snr, 1),
        printable(f"{one.phase}  {', '.join(remarks)}".rstrip()),
    )


def minutes(seconds: float) -> str:
    """``1:05``."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
