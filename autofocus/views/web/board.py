"""What the page shows at this moment, as JSON: the state, the focus curves, and the frame that was measured last.

Hearing an event costs a run some microseconds; figures and pictures are made by the server's threads, once for all
viewers, and only of what is newest: whoever is slow misses what lay between.
"""

from __future__ import annotations

import base64
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from autofocus import __version__
from autofocus.digits import with_error
from autofocus.errors import AutofocusError
from autofocus.model import Measurement, Mode
from autofocus.ports import FramePicture
from autofocus.session.events import Event
from autofocus.session.records import best_object
from autofocus.session.state import PHASES, Point, SessionState, apply
from autofocus.views.figures import session_figure
from autofocus.views.framepicture import ringed, window_edges
from autofocus.views.lines import frame_line, light_name, measured, printable

WARNINGS_SHOWN = 4
WAITING = SessionState(doing="Ready. Choose what best focus means, then start.", phase="ready")
PROFILES: Mapping[Mode, str] = {
    "spectrum": "spatial profile",
    "stars": "cut through the brightest star",
    "lines": "profile of a line",
}
WORDS = {
    "": "open", "arriving": "move", "returning": "return", "recovering": "recover",
    "no_focus": "no focus", "aborted": "stopped",
}  # fmt: skip

Object = dict[str, Any]


class Pictures(Protocol):
    """Where the frames of a session are found; every `ports.FrameStore` is one."""

    def get(self, name: str) -> FramePicture | None:
        """The picture of a frame, or None."""


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the board; what did not change since another moment is the same object."""

    state: SessionState
    heard_s: float
    offers: tuple[str, ...]
    store: Pictures | None
    notice: str = ""


class Board:
    """Hears events (or is shown states) from any thread, and makes what the page draws."""

    def __init__(self, state: SessionState | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._view = View(state or SessionState(), clock(), (), None)
        self._curves: tuple[SessionState, Object] | None = None
        self._frame: tuple[str, Pictures, Object | None] | None = None

    @property
    def view(self) -> View:
        """The newest moment."""
        return self._view

    def __call__(self, event: Event) -> None:
        """Hear an event of the session."""
        with self._lock:
            self._put(state=apply(self._view.state, event), heard_s=self._clock())

    def show(self, state: SessionState, store: Pictures | None = None) -> None:
        """Show another session from now on: one that begins, or one that is told as a whole."""
        with self._lock:
            self._put(state=state, store=store or self._view.store, notice="", heard_s=self._clock())

    def attach(self, store: Pictures) -> None:
        """Where the frames of this session are found."""
        with self._lock:
            self._put(store=store)

    def offer(self, names: Sequence[str]) -> None:
        """What a person may ask for at this moment."""
        with self._lock:
            self._put(offers=tuple(names))

    def notify(self, text: str) -> None:
        """Say something that is no part of the session: why a run could not begin."""
        with self._lock:
            self._put(notice=text)

    def _put(self, **changed: Any) -> None:
        self._view = replace(self._view, **changed)

    def state_object(self, view: View) -> Object:
        """The numbers, the sentences and what may be asked for; every text stays text."""
        state = view.state
        since_s = 0.0 if state.ended or state.phase in ("ready", "watch") else self._clock() - view.heard_s
        last = state.points[-1].measurement if state.points else None
        word = state.outcome or state.phase
        best = None if state.curves is None else state.curves.best
        return {
            "version": __version__,
            "phase": WORDS.get(word, word),
            "phase_said": PHASES.get(state.phase, state.phase),
            "ended": state.ended,
            "outcome": state.outcome,
            "reason": state.reason,
            "message": printable(view.notice or state.message),
            "doing": printable(state.doing),
            "position": state.position,
            "start_position": state.start_position,
            "moving": state.moving,
            **_numbers(last),
            "light": light_name([] if last is None else [last]),
            "measured": [] if last is None else measured(last),
            "seconds_left": state.seconds_left,
            "exposing_left_s": _left(state),
            "elapsed_s": state.elapsed_s,
            "since_s": since_s,
            "exposures": state.exposures,
            "exposures_expected": state.exposures_expected,
            # what best focus was decided by, which for stars and lamps is the width whatever was asked
            "objective": state.objective if best is None else best.objective,
            "best": best_object(best),
            "best_said": "" if best is None else with_error(best.position, best.uncertainty),
            "guider": {"kind": state.guider, "said": printable(state.guiding), "good": state.guided},
            "camera": printable(state.camera),
            "focuser": printable(state.focuser),
            "session": printable(state.session),
            "warnings": [printable(warning) for warning in state.warnings[-WARNINGS_SHOWN:]],
            "tail": [[at_s, printable(said)] for at_s, said in state.tail],
            "offers": [name for name in view.offers if not (name == "stop" and state.ended)],
            "frame": state.latest_frame,
        }

    def curves_object(self, state: SessionState) -> Object:
        """The figure of the focus curves."""
        with self._making:
            made = self._curves
            if made is None or made[0].points is not state.points or made[0].curves is not state.curves:
                names = {point.number: point.name for point in state.points}
                made = self._curves = (state, {"figure": session_figure(state, "dark"), "names": names})
            return made[1]

    def frame_object(self, view: View, name: str) -> Object | None:
        """The stretched frame with all that is drawn on it, and its profile; None for one that is not known."""
        point = next((one for one in reversed(view.state.points) if one.name == name), None)
        if view.store is None or point is None:
            return None
        with self._making:
            made = self._frame
            if made is None or made[:2] != (name, view.store):
                picture = _found(view.store, name)
                drawn = None if picture is None else picture_object(picture, point)
                made = self._frame = (name, view.store, drawn)
            return made[2]


def _found(store: Pictures, name: str) -> FramePicture | None:
    """The picture, or None also where the disk fails."""
    try:
        return store.get(name)
    except AutofocusError:
        return None


def _numbers(last: Measurement | None) -> Mapping[str, float | None]:
    """The numbers of the frame measured last."""
    names = ("fwhm_px", "fwhm_err_px", "fwhm_arcsec", "nsig", "nsig_err", "snr")
    return {name: None if last is None else _finite(getattr(last, name)) for name in names}


def _left(state: SessionState) -> float | None:
    return None if state.exposing_until_s is None else state.exposing_until_s - state.elapsed_s


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def picture_object(picture: FramePicture, point: Point) -> Object:
    """A frame as the page draws it; all lines in pixels of its picture."""
    one = point.measurement
    made: Object = {
        "name": picture.name,
        "number": point.number,
        "title": frame_line(one),
        "axis": one.dispersion_axis,
        "ringed": ringed(one.mode),
        "profile": {
            "start_px": picture.profile_start_px,
            "values": [_rounded(value) for value in picture.profile],
            "fit": [_rounded(value) for value in picture.profile_fit],
            "window_px": picture.window_px,
            "center_px": _finite(one.center_px),
            "title": PROFILES[one.mode],
        },
        "image": None,
    }
    if picture.frame is None:
        return made
    from autofocus.views.stretch import encode, stretch

    stretched = stretch(picture.frame, picture.trace_px)
    high, wide = stretched.pixels.shape
    packed = base64.b64encode(encode(stretched.pixels, "jpeg")).decode()

    def on_picture(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        # frame pixels count from the centre of the first one, the picture's from its corner
        return [(round((x + 0.5) / stretched.side, 2), round((y + 0.5) / stretched.side, 2)) for x, y in line]

    return made | {
        "image": f"data:image/jpeg;base64,{packed}",
        "width": wide,
        "height": high,
        "trace": on_picture(picture.trace_px),
        "window": [on_picture(edge) for edge in window_edges(picture, one)],
    }


def _rounded(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
