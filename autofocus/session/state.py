"""What the events so far amount to: the only interpreter of the stream; terminal, page and report draw its result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autofocus.model import Flag, FocusCurves, Measurement
from autofocus.session.events import (
    CurveFitted,
    Event,
    ExposureStarted,
    FocuserMoved,
    FocuserMoving,
    FrameTaken,
    PhaseChanged,
    SampleMeasured,
    SessionEnded,
    SessionStarted,
    Settled,
    SweepPlanned,
    Warned,
)

TAIL = 12  # events remembered as sentences
PHASES = {
    "": "opening the devices",
    "locate": "looking for the star's focus",
    "sweep": "sweeping across the focus",
    "refine": "refining",
    "confirm": "confirming",
    "arriving": "moving to best focus",
    "returning": "bringing the focuser back",
    "recovering": "putting back what a killed run left",
    "ended": "ended",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A measured sample, the number of its exposure, and the name under which its picture is found."""

    number: int
    name: str
    target: int
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session at one moment. ``exposures_left`` and ``seconds_left`` are None while nobody can say.

    ``doing`` is the sentence of what happens now; ``exposing_until_s`` is when, on the session's own time, the
    exposure under way will end. ``guiding`` says how guiding went last, ``guided`` whether well (None: not known yet).
    """

    session: str = ""
    started_utc: str = ""
    elapsed_s: float = 0.0
    phase: str = ""
    doing: str = "Opening the devices"
    camera: str = ""
    focuser: str = ""
    objective: str = "snr"
    approach: str = "inward"
    start_position: int | None = None
    low: int | None = None
    high: int | None = None
    position: int | None = None
    target: int | None = None
    moving: bool = False
    exposing_until_s: float | None = None
    exposures: int = 0
    exposures_left: int | None = None
    max_exposures: int = 0
    time_limit_s: float = 0.0
    planned: tuple[int, ...] = ()
    points: tuple[Point, ...] = ()
    latest_frame: str | None = None
    curves: FocusCurves | None = None
    warnings: tuple[str, ...] = ()
    tail: tuple[tuple[float, str], ...] = ()
    guider: str = "none"
    guiding: str = ""
    guided: bool | None = None
    outcome: str | None = None
    reason: str | None = None
    message: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """The measurements so far, in order."""
        return tuple(point.measurement for point in self.points)

    @property
    def ended(self) -> bool:
        """Is the session over?"""
        return self.outcome is not None

    @property
    def exposures_expected(self) -> int | None:
        """How many exposures the session will have taken at its end, as far as the search can tell."""
        if self.ended:
            return self.exposures
        if self.exposures_left is None:
            return None
        behind = max(self.exposures - len(self.points), 0)  # exposed, but not measured yet
        expected = len(self.points) + behind + max(self.exposures_left - behind, 0)
        return min(expected, self.max_exposures) if self.max_exposures else expected

    @property
    def seconds_left(self) -> float | None:
        """Exposures still to come times the mean cost of those taken, never beyond the time limit."""
        expected = self.exposures_expected
        if self.ended:
            return 0.0
        if expected is None or not self.points:
            return None
        mean_s = sum(point.measurement.cost_s for point in self.points) / len(self.points)
        left = (expected - len(self.points)) * mean_s
        return min(left, max(self.time_limit_s - self.elapsed_s, 0.0)) if self.time_limit_s else left

    @property
    def best_point(self) -> Point | None:
        """The sample nearest to the fitted best focus; before there is a fit, the narrowest one."""
        known = [point for point in self.points if point.measurement.position is not None]
        best = None if self.curves is None else self.curves.best
        if best is not None and known:
            return min(known, key=lambda point: abs((point.measurement.position or 0.0) - best.position))
        seen = [point for point in known if math.isfinite(point.measurement.fwhm_px)]
        return min(seen, key=lambda point: point.measurement.fwhm_px, default=None)


def apply(state: SessionState, event: Event) -> SessionState:
    """The state after the event; an event this table does not know only lets the time pass."""
    change = _CHANGES.get(type(event))
    after = replace(state, elapsed_s=max(state.elapsed_s, event.elapsed_s))
    if change is None:
        return after
    after = replace(after, **change(after, event))
    if after.doing != state.doing:
        after = replace(after, tail=(*after.tail, (event.elapsed_s, after.doing))[-TAIL:])
    return after


def _started(state: SessionState, event: SessionStarted) -> dict[str, Any]:
    position = event.start_position if state.position is None else state.position
    guider = event.settings.get("guider")
    return {
        "guider": str(guider.get("kind", "none")) if isinstance(guider, Mapping) else "none",
        "session": event.session, "started_utc": event.started_utc, "camera": event.camera, "focuser": event.focuser,
        "objective": event.objective, "approach": event.approach, "start_position": event.start_position,
        "low": event.low, "high": event.high, "position": position, "max_exposures": event.max_exposures,
        "time_limit_s": event.time_limit_s, "doing": "Looking where to begin",
    }  # fmt: skip


def _planned(state: SessionState, event: SweepPlanned) -> dict[str, Any]:
    left = None if event.exposures_left is None else event.exposures_left + len(event.positions)
    return {
        "phase": event.phase,
        "planned": event.positions,
        "exposures_left": left,
        "doing": event.why or state.doing,
    }


def _phase(state: SessionState, event: PhaseChanged) -> dict[str, Any]:
    return {"phase": event.phase, "doing": event.why or state.doing, "exposing_until_s": None}


def _moving(_state: SessionState, event: FocuserMoving) -> dict[str, Any]:
    doing = f"Overshooting to {event.target}" if event.overshoot else f"Moving to {event.target}"
    return {"moving": True, "target": event.target, "doing": doing, "exposing_until_s": None}


def _moved(_state: SessionState, event: FocuserMoved) -> dict[str, Any]:
    return {"moving": False, "position": event.position, "doing": f"Settling at {event.position}"}


def _settled(state: SessionState, event: Settled) -> dict[str, Any]:
    doing = f"At rest at {event.position}" if event.settled else f"Guiding did not settle: {event.why}".rstrip(": ")
    changed = {"doing": doing, "position": event.position}
    if state.guider == "none":
        return changed
    moved = f", the move shifted the star by {event.shift_px:.1f} px" if math.isfinite(event.shift_px) else ""
    said = (
        f"settled after {event.waited_s:.1f} s{moved}" if event.settled else f"did not settle: {event.why}".rstrip(": ")
    )
    return changed | {"guiding": said, "guided": event.settled}


def _exposing(_state: SessionState, event: ExposureStarted) -> dict[str, Any]:
    return {
        "exposures": event.number,
        "exposing_until_s": event.elapsed_s + event.exposure_s,
        "doing": f"Exposing {event.exposure_s:g} s at {event.position}",
    }


def _frame(state: SessionState, event: FrameTaken) -> dict[str, Any]:
    return {"exposing_until_s": None if event.number == state.exposures else state.exposing_until_s}


def _measured(state: SessionState, event: SampleMeasured) -> dict[str, Any]:
    point = Point(event.number, event.name, event.target, event.measurement)
    left = None if state.exposures_left is None else max(state.exposures_left - 1, 0)
    return {
        "points": (*state.points, point),
        "latest_frame": event.name,
        "exposures_left": left,
        "exposures": max(state.exposures, event.number),
        **_lost(event),
    }


def _lost(event: SampleMeasured) -> dict[str, Any]:
    """What an exposure that lost its guide star changes."""
    if Flag.GUIDING_LOST not in event.measurement.flags:
        return {}
    return {"guiding": f"the star was lost during exposure {event.number}", "guided": False}


def _fitted(_state: SessionState, event: CurveFitted) -> dict[str, Any]:
    return {"curves": event.curves}


def _warned(state: SessionState, event: Warned) -> dict[str, Any]:
    tail = (*state.tail, (event.elapsed_s, f"Warning: {event.message}"))[-TAIL:]
    return {"warnings": (*state.warnings, event.message), "tail": tail}


def _ended(_state: SessionState, event: SessionEnded) -> dict[str, Any]:
    return {
        "outcome": event.outcome, "reason": event.reason, "message": event.message, "result": event.result,
        "position": event.position, "phase": "ended", "doing": event.message, "moving": False,
        "exposing_until_s": None, "exposures_left": 0,
    }  # fmt: skip


_CHANGES: dict[type[Event], Callable[[SessionState, Any], dict[str, Any]]] = {
    SessionStarted: _started, SweepPlanned: _planned, PhaseChanged: _phase, FocuserMoving: _moving,
    FocuserMoved: _moved, Settled: _settled, ExposureStarted: _exposing, FrameTaken: _frame,
    SampleMeasured: _measured, CurveFitted: _fitted, Warned: _warned, SessionEnded: _ended,
}  # fmt: skip
