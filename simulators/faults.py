"""Every way in which the bench can misbehave, by name: ``autofocus simulate --fault NAME[:WHEN]``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Literal

from autofocus.errors import SettingsError
from simulators import faulty_camera, faulty_http
from simulators.alpaca_camera import AlpacaCameraDevice
from simulators.alpaca_focuser import AlpacaFocuserDevice
from simulators.alpaca_protocol import Parameters
from simulators.bench import Bench
from simulators.discovery import Responder
from simulators.faulty_camera import CameraFault
from simulators.faulty_http import FOR_EVER_S, WEB_PAGE, Answer, HttpFault, Spoil, instead, late
from simulators.faulty_mechanics import (
    BarelyShort,
    CountLost,
    FaultyMechanics,
    MovedByOthers,
    NeverAtRest,
    OldPosition,
    PlayGrows,
    RunsToZero,
    Short,
    Slow,
    Stuck,
)
from simulators.faulty_sky import OFF_THE_SLIT_PX, THICK, faulty_sensor, faulty_sky
from simulators.occasions import Occasions
from simulators.relay import Relay

Family = Literal["focuser", "camera", "sky", "http", "server"]
AWAY_S = 1.0
LATE_S = 3.0
COMMANDS = frozenset({"move", "startexposure"})
IMAGES = frozenset({"imagearray"})


@dataclass(slots=True)
class Target:
    """What faults are laid over: a bench, and where it is served also its Alpaca devices, traffic and relay."""

    bench: Bench
    camera: AlpacaCameraDevice | None = None
    focuser: AlpacaFocuserDevice | None = None
    traffic: list[HttpFault] = field(default_factory=list)
    relay: Relay | None = None
    responders: list[Responder] = field(default_factory=list)


Strike = Callable[[Target, Occasions], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave; it strikes on the moves, exposures or requests of ``usual`` unless told otherwise."""

    name: str
    family: Family
    about: str
    usual: Occasions
    strike: Strike = field(repr=False)

    @property
    def in_process(self) -> bool:
        """Whether it also works on a bench that is not served."""
        return self.family in {"focuser", "sky"}


def parse_fault(text: str) -> tuple[Fault, Occasions]:
    """Read ``NAME[:WHEN]``; `SettingsError` names the nearest fault there is, or what WHEN may be."""
    name, colon, when = text.partition(":")
    if name not in FAULTS:
        near = difflib.get_close_matches(name, FAULTS, 1)
        hint = f"did you mean {near[0]}?" if near else "there are " + ", ".join(FAULTS)
        raise SettingsError(f"--fault {name}: the bench does not know it; {hint}")
    try:
        return FAULTS[name], Occasions.parse(when) if colon else FAULTS[name].usual
    except ValueError as cause:
        raise SettingsError(f"--fault {name}: {cause}") from None


def lay_faults(texts: Sequence[str], target: Target) -> None:
    """Make the target misbehave in each of these ways."""
    for fault, occasions in [parse_fault(text) for text in texts]:
        if target.camera is None and not fault.in_process:
            raise SettingsError(f"--fault {fault.name}: only a bench that is served can do that")
        fault.strike(target, occasions)


def _mechanics(kind: type[FaultyMechanics], target: Target, occasions: Occasions) -> None:
    faulty = kind(target.bench.focuser, occasions)
    # what is meant in seconds of the clock, in those of the bench
    if isinstance(faulty, OldPosition):
        faulty.stale_s *= target.bench.options.speed
    if isinstance(faulty, MovedByOthers):
        faulty.after_s *= target.bench.options.speed
    if isinstance(faulty, Slow):
        faulty.pace /= target.bench.options.speed
    target.bench.focuser = faulty


def _sky(target: Target, occasions: Occasions, **spoilt: float) -> None:
    target.bench.sky = faulty_sky(target.bench.sky, occasions, **spoilt)


def _sensor(target: Target, occasions: Occasions, *, value_adu: int | None) -> None:
    sensor = target.bench.sensor
    target.bench.sensor = faulty_sensor(sensor, occasions, sensor.saturation_adu if value_adu is None else value_adu)


def _camera(lay: Callable[[CameraFault], None], target: Target, occasions: Occasions) -> None:
    assert target.camera is not None
    lay(CameraFault(target.bench, target.camera, occasions))


def _http(spoil: Spoil, operations: frozenset[str], target: Target, occasions: Occasions) -> None:
    target.traffic.append(HttpFault(occasions, spoil, operations))


def _indi(target: Target, occasions: Occasions) -> None:
    """Lay all of INDI's ways over the camera: see `docs/reliability.md`."""
    everyone = (faulty_camera.connect_does_nothing, faulty_camera.mirrored_roi, faulty_camera.stays_in_download,
                faulty_camera.ready_flash, faulty_camera.says_little)  # fmt: skip
    for lay in everyone:
        _camera(lay, target, occasions)
    target.traffic.append(HttpFault(occasions, faulty_http.refuse_with_400))


def _away(member: str, seconds: float | None, elsewhere: bool, target: Target, occasions: Occasions) -> None:
    """Take the server away as an order arrives (StartExposure or Move), and bring it back without its connections."""
    device = target.camera if member == "startexposure" else target.focuser
    assert device is not None
    sound, orders = device.puts[member], [0]

    def forget() -> None:
        for one in (target.camera, target.focuser):
            assert one is not None
            one.connected = False
        if target.relay is not None and elsewhere:
            responder = Responder(target.relay.host, target.relay.port)
            target.responders.append(responder)
            responder.__enter__()

    def order(given: Parameters) -> None:
        sound(given)
        orders[0] += 1
        if target.relay is not None and occasions.include(orders[0]):
            if target.camera is not None and seconds is not None:
                target.camera.puts["abortexposure"](Parameters("", any_case=False))
            target.relay.go_away(seconds, port=0 if elsewhere else None, on_return=forget)

    device.puts[member] = order


def _listed(family: Family, rows: Sequence[tuple[str, str, str, Strike]]) -> list[Fault]:
    return [Fault(name, family, about, Occasions.parse(usual), strike) for name, usual, about, strike in rows]


def _web_answer(status: int, body: bytes = b"") -> Spoil:
    return instead(Answer(status, body, b"text/html"))


_EVERY: frozenset[str] = frozenset()
_ALL: list[Fault] = [
    *_listed("focuser", [
        ("stuck", "3-", "takes the order to move and stays", partial(_mechanics, Stuck)),
        ("stuck_once", "3", "does so once", partial(_mechanics, Stuck)),
        ("short", "3-", "stops 12 steps before its target", partial(_mechanics, Short)),
        ("barely_short", "1-", "misses its target by 2 steps", partial(_mechanics, BarelyShort)),
        ("slow", "3-", "moves at half a step per second", partial(_mechanics, Slow)),
        ("never_at_rest", "3-", "arrives and goes on saying that it moves", partial(_mechanics, NeverAtRest)),
        ("count_lost", "3", "stays where it is and reports 0 after a move", partial(_mechanics, CountLost)),
        ("runs_to_zero", "4", "runs to its inner stop", partial(_mechanics, RunsToZero)),
        ("play_grows", "4", "has 40 steps more backlash from then on", partial(_mechanics, PlayGrows)),
        ("moved_by_others", "3", "is moved on by another program", partial(_mechanics, MovedByOthers)),
        ("always_moved_by_others", "3-", "is so after every move", partial(_mechanics, MovedByOthers)),
        ("old_position", "1-", "reports where it came from, 1 s too long", partial(_mechanics, OldPosition)),
    ]),
    *_listed("camera", [
        ("never_ready", "3-", "ImageReady stays false", partial(_camera, faulty_camera.never_ready)),
        ("exposure_fails", "3-", "state Error, ImageReady raises", partial(_camera, faulty_camera.exposure_fails)),
        ("stale_frame", "3-", "sends the last image again", partial(_camera, faulty_camera.stale_frame)),
        ("stale_frame_once", "3", "does so once", partial(_camera, faulty_camera.stale_frame)),
        ("fixed_picture", "1-", "sends one picture without noise, whatever the focuser does",
         partial(_camera, faulty_camera.fixed_picture)),
        ("wrong_size", "3-", "sends ten rows too few", partial(_camera, faulty_camera.wrong_size)),
        ("transposed", "1-", "rows and columns are exchanged", partial(_camera, faulty_camera.transposed)),
        ("mirrored_roi", "1-", "a subframe is mirrored", partial(_camera, faulty_camera.mirrored_roi)),
        ("ready_flash", "1-", "ImageReady is true for 0.15 s after the start, with the last image",
         partial(_camera, faulty_camera.ready_flash)),
        ("stays_in_download", "1-", "CameraState stays 4", partial(_camera, faulty_camera.stays_in_download)),
        ("disconnected", "3", "another client disconnects it", partial(_camera, faulty_camera.disconnected)),
        ("connect_does_nothing", "1-", "it is connected by other means",
         partial(_camera, faulty_camera.connect_does_nothing)),
        ("never_connects", "1-", "takes the order to connect and does not",
         partial(_camera, faulty_camera.never_connects)),
        ("indi", "1-", "all the ways of INDI's Alpaca server", _indi),
    ]),
    *_listed("sky", [
        ("black", "3-", "frames of zeros", partial(_sensor, value_adu=0)),
        ("black_once", "3", "one frame of zeros", partial(_sensor, value_adu=0)),
        ("saturated", "3-", "frames full to the brim", partial(_sensor, value_adu=None)),
        ("saturated_once", "3", "one frame full to the brim", partial(_sensor, value_adu=None)),
        ("cloud", "4-6", "hardly any light", partial(_sky, transparency_factor=THICK)),
        ("clouded_out", "4-", "hardly any light from then on", partial(_sky, transparency_factor=THICK)),
        ("star_leaves", "4-", "the star leaves the slit", partial(_sky, offset_px=OFF_THE_SLIT_PX)),
        ("bad_seeing", "4-", "the seeing is twice as wide", partial(_sky, seeing_times=2.0)),
    ]),
    *_listed("http", [
        ("reset", "/20", "a connection is reset before the request is carried out",
         partial(_http, faulty_http.cut_off, _EVERY)),
        ("answer_lost", "/20", "it is carried out, and the connection reset",
         partial(_http, faulty_http.lose_answer, _EVERY)),
        ("order_lost", "2", "the same with an order to move or to expose",
         partial(_http, faulty_http.lose_answer, COMMANDS)),
        ("order_cut", "2-3", "the connection is reset before the order", partial(_http, faulty_http.cut_off, COMMANDS)),
        ("slow_answers", "/40", "an answer comes after 3 s", partial(_http, late(LATE_S), _EVERY)),
        ("slow_order", "2", "an order is answered after 30 s", partial(_http, late(30.0), COMMANDS)),
        ("hangs", "60-", "no answer ever comes", partial(_http, late(FOR_EVER_S), _EVERY)),
        ("download_hangs", "2-", "no image ever comes", partial(_http, late(FOR_EVER_S), IMAGES)),
        ("download_cut", "2", "the connection is reset within an image",
         partial(_http, faulty_http.cut_in_the_middle, IMAGES)),
        ("truncated", "2-", "images are a third too short", partial(_http, faulty_http.short_body, IMAGES)),
        ("truncated_once", "2", "one image is", partial(_http, faulty_http.short_body, IMAGES)),
        ("status_400", "/20", "HTTP 400 and a text", partial(_http, _web_answer(400, b"Bad request"), _EVERY)),
        ("status_500", "/20", "HTTP 500 without a word", partial(_http, _web_answer(500), _EVERY)),
        ("always_500", "60-", "nothing but HTTP 500", partial(_http, _web_answer(500), _EVERY)),
        ("web_page", "/20", "a web page in place of an answer", partial(_http, _web_answer(200, WEB_PAGE), _EVERY)),
        ("web_pages", "60-", "nothing but web pages", partial(_http, _web_answer(200, WEB_PAGE), _EVERY)),
        ("wrapped_refusals", "1-", "what is not implemented comes as HTTP 400 with 1025",
         partial(_http, faulty_http.refuse_with_400, _EVERY)),
        ("nan_temperature", "1-", "temperatures are NaN",
         partial(_http, faulty_http.not_a_number, frozenset({"temperature", "ccdtemperature"}))),
        ("control_characters", "30-", "errors whose texts hold terminal commands",
         partial(_http, faulty_http.foreign_text, _EVERY)),
    ]),
    *_listed("server", [
        ("restart", "3", "gone for 1 s as an exposure begins, then back unconnected",
         partial(_away, "startexposure", AWAY_S, False)),
        ("restart_in_move", "3", "the same as a motion begins", partial(_away, "move", AWAY_S, False)),
        ("other_port", "3", "the same, and back on another port", partial(_away, "startexposure", AWAY_S, True)),
        ("vanished", "3", "gone for ever as an exposure begins", partial(_away, "startexposure", None, False)),
        ("vanished_in_move", "3", "gone for ever as a motion begins", partial(_away, "move", None, False)),
    ]),
]  # fmt: skip
FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _ALL})
