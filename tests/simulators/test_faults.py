"""The bench misbehaves as each fault says, when it says, and behaves otherwise."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from autofocus.devices.clock import VirtualClock
from autofocus.errors import SettingsError
from simulators.alpaca_server import AlpacaApplication, truth_object
from simulators.bench import Bench
from simulators.faults import FAULTS, Target, lay_faults, parse_fault
from simulators.faulty_server import FaultyBenchServer
from simulators.occasions import Occasions
from simulators.options import BenchOptions

LIGHT = 30.0


@pytest.mark.parametrize(
    ("text", "included", "excluded"),
    [("3", [3], [1, 2, 4]), ("3-", [3, 4, 99], [1, 2]), ("3-5", [3, 4, 5], [2, 6]), ("/20", [20, 40], [1, 19, 21])],
)
def test_occasions(text: str, included: list[int], excluded: list[int]) -> None:
    occasions = Occasions.parse(text)
    assert str(occasions) == text
    assert all(occasions.include(number) for number in included)
    assert not any(occasions.include(number) for number in excluded)


@pytest.mark.parametrize("text", ["", "0", "-3", "5-3", "/0", "x", "1-2-3", "/"])
def test_what_is_no_occasion(text: str) -> None:
    with pytest.raises(ValueError, match=r"occasions|before it begins"):
        Occasions.parse(text)


def test_faults_are_found_by_name() -> None:
    assert parse_fault("stuck") == (FAULTS["stuck"], Occasions(3, None))
    assert parse_fault("reset:/7")[1] == Occasions(7, None, 7)
    with pytest.raises(SettingsError, match="did you mean stuck"):
        parse_fault("stuk")
    with pytest.raises(SettingsError, match="says no occasions"):
        parse_fault("stuck:soon")
    with pytest.raises(TypeError):
        FAULTS["other"] = FAULTS["stuck"]  # type: ignore[index]
    with pytest.raises(SettingsError, match="only a bench that is served"):
        lay_faults(["reset"], Target(Bench(options=BenchOptions(sensor_px=(200, 60)))))


@pytest.fixture
def bench() -> Bench:
    options = BenchOptions(sensor_px=(200, 60), start_position=5000, cooling_c_per_h=0.0)
    return Bench("starex", 1, clock=VirtualClock(), options=options)


def move(bench: Bench, target: int) -> int:
    """Order a move on virtual time and wait until it ought to be over; what the counter reads."""
    clock: Any = bench.clock
    bench.focuser.move(target, bench.now())
    clock.sleep(600.0)
    return bench.focuser.position(bench.now())


@pytest.mark.parametrize(
    ("fault", "read", "tube"),
    [
        ("stuck:2", [5100, 5100, 5300], 5300.0),
        ("stuck:2-", [5100, 5100, 5100], 5100.0),
        ("short:2", [5100, 5188, 5300], 5300.0),
        ("barely_short:1-", [5098, 5198, 5298], 5298.0),
        ("runs_to_zero:2", [5100, 0, 5300], 5300.0),
        ("count_lost:2", [5100, 0, 5300], 10500.0),
        ("play_grows:2", [5100, 5200, 5300], 5260.0),
        ("old_position:2", [5100, 5200, 5300], 5300.0),
    ],
)
def test_focusers_that_do_not_do_as_told(bench: Bench, fault: str, read: list[int], tube: float) -> None:
    lay_faults([fault], Target(bench))
    assert [move(bench, target) for target in (5100, 5200, 5300)] == read
    assert bench.focuser.tube(bench.now()) == pytest.approx(tube)


def test_focusers_that_are_slow_restless_or_late(bench: Bench) -> None:
    clock: Any = bench.clock
    lay_faults(["slow:1", "never_at_rest:3"], Target(bench))
    assert move(bench, 5400) == 5300  # 600 s at half a step per second
    assert move(bench, 5400) == 5400
    assert not bench.focuser.is_moving(bench.now())
    move(bench, 5500)
    assert bench.focuser.is_moving(bench.now())
    lay_faults(["old_position:1"], Target(bench))
    bench.focuser.move(5600, bench.now())
    clock.sleep(bench.focuser.arrival() - bench.now() + 0.5)
    assert bench.focuser.position(bench.now()) == 5500
    clock.sleep(1.0)
    assert bench.focuser.position(bench.now()) == 5600


def test_another_program_moves_it(bench: Bench) -> None:
    lay_faults(["moved_by_others:1"], Target(bench))
    clock: Any = bench.clock
    bench.focuser.move(5100, bench.now())
    clock.sleep(bench.focuser.arrival() - bench.now() + 0.05)
    assert bench.focuser.position(bench.now()) == 5100
    clock.sleep(1.0)
    assert bench.focuser.is_moving(bench.now())
    clock.sleep(10.0)
    assert bench.focuser.position(bench.now()) == 5130
    assert move(bench, 5200) == 5200


def test_skies_and_sensors_spoil_the_frames_they_name(bench: Bench) -> None:
    bench.focuser.move(round(bench.truth("nsig")), bench.now())
    bench.clock.sleep(600.0)  # type: ignore[attr-defined]
    lay_faults(["black:2", "saturated:3", "cloud:4", "star_leaves:5"], Target(bench))
    frames = [bench.frame(bench.start_exposure(10.0)) for _ in range(5)]
    sound = frames[0].max()
    assert not frames[1].any()
    assert (frames[2] == bench.sensor.saturation_adu).all()
    bias = bench.sensor.bias_adu
    for spoilt in (frames[3], frames[4]):
        middle = spoilt[20:40].mean(axis=1).max() - bias
        assert middle < (float(sound) - bias) / LIGHT


@contextmanager
def served(*faults: str) -> Iterator[tuple[FaultyBenchServer, Any]]:
    """A bench with faults, and a way to ask it: ``ask(method, path, body)`` gives status and body."""
    bench = Bench("starex", 1, options=BenchOptions(sensor_px=(200, 60), speed=1000.0))
    with FaultyBenchServer(bench, faults) as server:

        def ask(path: str, body: str | None = None, address: str = "") -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(address or server.address, timeout=5.0)
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("GET" if body is None else "PUT", path, body, kind)
            answer = connection.getresponse()
            said = answer.status, answer.read()
            connection.close()
            return said

        yield server, ask


CONNECTED, CAMERA, FOCUSER = "/api/v1/camera/0/connected", "/api/v1/camera/0/", "/api/v1/focuser/0/"


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [("status_400:2", 400, b"Bad request"), ("status_500:2", 500, b""), ("web_page:2", 200, b"<!DOCTYPE html>")],
)
def test_answers_that_are_none(fault: str, status: int, said: bytes) -> None:
    with served(fault) as (_, ask):
        assert json.loads(ask(CONNECTED)[1])["Value"] is False
        assert ask(CONNECTED)[0] == status
        got = ask(CONNECTED, "Connected=true")  # the third is sound again
        assert json.loads(got[1])["ErrorNumber"] == 0
        assert json.loads(ask(CONNECTED)[1])["Value"] is True
    with served(fault) as (_, ask):
        ask(CONNECTED)
        assert ask(CONNECTED)[1].startswith(said)


@pytest.mark.parametrize(("fault", "done"), [("reset:1", False), ("answer_lost:1", True)])
def test_connections_are_reset_before_or_after_the_deed(fault: str, done: bool) -> None:
    with served(fault) as (server, ask):
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            ask(CONNECTED, "Connected=true")
        assert server.application.camera.connected is done
        assert ask(CONNECTED)[0] == 200


def test_a_server_goes_and_its_truth_stays() -> None:
    with served("vanished:1") as (server, ask):
        assert ask(CONNECTED, "Connected=true")[0] == 200
        with contextlib.suppress(OSError, http.client.HTTPException):  # the answer may just get through
            ask(f"{CAMERA}startexposure", "Duration=10&Light=true")
        time.sleep(0.2)
        assert json.loads(ask("/simulator/v1/truth", None, server.truth_address)[1])["exposures"] == 1
        with pytest.raises(ConnectionRefusedError):
            ask(CONNECTED)


def test_refusals_as_indi_words_them() -> None:
    with served("wrapped_refusals") as (_, ask):
        ask(CONNECTED, "Connected=true")
        status, body = ask(f"{CAMERA}heatsinktemperature")
        assert (status, json.loads(body)["ErrorNumber"]) == (400, 1025)
        assert json.loads(body)["ErrorMessage"] == "Method not implemented: heatsinktemperature"
        assert ask(f"{CAMERA}gain")[0] == 200


def test_every_fault_can_be_laid() -> None:
    for fault in FAULTS.values():
        bench = Bench("starex", 1, options=BenchOptions(sensor_px=(200, 60)))
        application = AlpacaApplication(bench)
        lay_faults([f"{fault.name}:/2"], Target(bench, application.camera, application.focuser))
        assert truth_object(bench)["position"] == truth_object(bench)["start_position"]
        assert fault.about
