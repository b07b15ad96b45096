"""What happens during a session, one small frozen value each, without arrays; one JSON line each in events.jsonl.

``elapsed_s`` is the time since the session began. What is added later gets a default, so that old journals
stay readable; unknown fields are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autofocus.errors import JournalError
from autofocus.model import FocusCurves, Measurement, Objective, Outcome, Phase
from autofocus.session import jsonform


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, and when."""

    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """A run begins; ``start_position`` is where the focuser will be put back.

    ``task`` holds all that the search was told and ``settings`` the whole of scope.yaml without passwords.
    """

    session: str = ""
    started_utc: str = ""
    version: str = ""
    pid: int = 0
    start_position: int | None = None
    low: int | None = None
    high: int | None = None
    absolute: bool = True
    camera: str = ""
    focuser: str = ""
    focuser_key: str = ""
    objective: Objective = "snr"
    approach: str = "inward"
    max_exposures: int = 0
    time_limit_s: float = 0.0
    task: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlanned(Event):
    """The search asked for these samples."""

    phase: Phase
    positions: tuple[int, ...]
    exposures_s: tuple[float, ...] = ()
    why: str = ""
    exposures_left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged(Event):
    """What the engine does besides the search's own phases: ``returning``, ``arriving``, ``recovering``."""

    phase: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FocuserMoving(Event):
    """A motion was commanded; ``overshoot`` marks one that only takes up backlash."""

    target: int
    overshoot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FocuserMoved(Event):
    """The motion ended, here."""

    position: int
    target: int
    took_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Event):
    """Settling and guiding after a move are over; ``settled`` is false when the guider never got there.

    ``shift_px`` is by how much the move displaced the star on the guide camera, NaN where no guider saw it.
    """

    position: int
    settled: bool = True
    waited_s: float = 0.0
    why: str = ""
    shift_px: float = float("nan")
    shift_arcsec: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureStarted(Event):
    """Exposure ``number`` (1, 2, …) begins."""

    number: int
    position: int
    exposure_s: float
    phase: Phase = "sweep"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTaken(Event):
    """The frame is on this machine; ``name`` finds its pixels in the frame store, ``file`` on disk if kept."""

    number: int
    name: str
    position: int
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMeasured(Event):
    """The two numbers of exposure ``number``; ``target`` is the position the search asked for."""

    number: int
    target: int
    name: str
    measurement: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFitted(Event):
    """The focus curves through all samples so far."""

    curves: FocusCurves


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Something a person should know; the run goes on."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """The run is over; ``result`` is the whole result object, ``traceback`` is set when the fault is ours."""

    outcome: Outcome
    reason: str | None
    message: str
    position: int | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    traceback: str | None = None


KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        SessionStarted, SweepPlanned, PhaseChanged, FocuserMoving, FocuserMoved, Settled, ExposureStarted,
        FrameTaken, SampleMeasured, CurveFitted, Warned, SessionEnded,
    )
}  # fmt: skip


def to_object(event: Event) -> dict[str, Any]:
    """The event as a JSON object; its kind is in ``event``."""
    return {"event": type(event).__name__, **jsonform.encode(event)}


def to_line(event: Event) -> str:
    """The event as one line of JSON, without the line end."""
    return json.dumps(to_object(event), allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def from_object(data: Any) -> Event | None:
    """The event of a JSON object; None for a kind this version does not know; JournalError if it does not fit."""
    try:
        name = data["event"]
        if not isinstance(name, str):
            raise TypeError("the kind of an event is a name")
        kind = KINDS.get(name)
        return None if kind is None else jsonform.decode(kind, data)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as fault:
        raise JournalError(f"an event of the journal cannot be read: {str(data)[:60]}…") from fault


def as_journaled(measurement: Measurement) -> Measurement:
    """The measurement as the journal will give it back, so that a replayed search sees what the live one saw."""
    return jsonform.decode(Measurement, jsonform.encode(measurement))
