"""A look: the focuser where it should be, guiding at rest, the next move while the frame is fetched."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from autofocus.devices.clock import RealClock
from autofocus.errors import DeviceError, FrameError
from autofocus.model import Flag
from autofocus.ports import GuidingState
from tests.session.fakes import Bench, FakeGuider, failing, going_to, measure


def test_a_focuser_moved_by_another_program_is_sent_again(bench: Bench) -> None:
    settle = bench.clock.sleep
    meddled = False

    def sleep(seconds: float) -> None:
        nonlocal meddled
        settle(seconds)
        if seconds == 1.0 and not meddled:
            meddled = True
            bench.focuser.at += 30

    bench.clock.sleep = sleep  # type: ignore[method-assign]
    ending = bench.run(going_to((9450, 9350)))
    assert ending.exit_code == 0
    assert "expose at 9450" in bench.log
    assert any("another program" in warning for warning in ending.result["warnings"])


def test_a_focuser_that_does_not_stay_ends_the_run(bench: Bench) -> None:
    settle = bench.clock.sleep

    def sleep(seconds: float) -> None:
        settle(seconds)
        if seconds == 1.0:
            bench.focuser.at += 30

    bench.clock.sleep = sleep  # type: ignore[method-assign]
    ending = bench.run(going_to((9450, 9350)))
    assert ending.exit_code == 3
    assert "does not stay" in ending.result["message"]


def test_a_temperature_that_fails_is_no_fault(bench: Bench) -> None:
    bench.focuser.fault = failing("temperature", DeviceError("no such sensor"))
    assert bench.run(going_to((9450,))).exit_code == 0


def test_an_unreadable_frame_is_a_sample_without_numbers_and_three_in_a_row_end_the_run(bench: Bench) -> None:
    bench.camera.fault = failing("fetch", FrameError("half an image"), after=1, times=2)
    ending = bench.run(going_to((9450, 9400, 9350, 9300)))
    assert ending.exit_code == 0
    assert [sample["fwhm_px"] is None for sample in ending.result["samples"]] == [False, True, True, False, False]
    bench.camera.fault = failing("fetch", FrameError("half an image"))
    ending = bench.run(going_to((9450, 9400, 9350, 9300)))
    assert (ending.exit_code, ending.result["reason"]) == (6, "frame")
    assert bench.focuser.at == ending.result["start_position"]


def test_poor_guiding_flags_the_frame_or_stops_the_run(bench: Bench) -> None:
    bad = GuidingState(settled=False, waited_s=60.0, why="the star is 4 px off")
    bench.guider = FakeGuider(bench.log, [GuidingState(), bad])
    result = bench.run(going_to((9425, 9400, 9375))).result
    assert [sample["flags"] for sample in result["samples"]] == [[], [Flag.GUIDING_UNSETTLED], [], []]
    assert any("4 px off" in warning for warning in result["warnings"])
    bench.guider.states = [GuidingState(), bad]
    bench.sections["guider"] = {"on_failure": "stop"}
    ending = bench.run(going_to((9425, 9400, 9375)))
    assert (ending.exit_code, ending.result["reason"]) == (5, "guiding")
    assert bench.focuser.at == ending.result["start_position"]


def test_repeats_at_one_position_do_not_settle_again(bench: Bench) -> None:
    result = bench.run(going_to((9450, 9450, 9450))).result
    assert result["moves"] == 2
    assert result["timing"]["settling_s"] == pytest.approx(2.0)
    assert result["exposures"] == 4


def test_the_focuser_moves_while_the_frame_before_is_fetched(bench: Bench) -> None:
    """The download waits until the next motion was commanded: without overlap this could not end."""
    clock = RealClock()
    bench.clock = bench.focuser.clock = bench.camera.clock = clock  # type: ignore[assignment]
    bench.focuser.speed = 1e5
    bench.sections["camera"]["exposure_s"] = bench.sections["focuser"]["settle_s"] = 0.01
    bench.overlapped = True
    moved = threading.Event()

    def fetching(operation: str) -> None:
        if operation == "fetch" and bench.log.count("fetch") == 1:
            assert moved.wait(5.0)

    def moving(operation: str) -> None:
        if operation == "move" and len(bench.moves()) == 2:
            moved.set()

    bench.camera.fault, bench.focuser.fault = fetching, moving
    ending = bench.run(going_to((9450, 9350)))
    assert ending.exit_code == 0
    second = bench.log.index("expose at 9350")
    assert bench.log.index("fetch") < second
    assert [sample["position"] for sample in ending.result["samples"]] == [9450, 9350, 9380]


def test_the_next_exposure_waits_for_the_download_but_not_for_the_measuring(bench: Bench) -> None:
    clock = RealClock()
    bench.clock = bench.focuser.clock = bench.camera.clock = clock  # type: ignore[assignment]
    bench.focuser.speed = 1e5
    bench.sections["camera"]["exposure_s"] = bench.sections["focuser"]["settle_s"] = 0.01
    bench.overlapped = True
    exposing = threading.Event()

    def second_exposure(operation: str) -> None:
        if operation == "expose" and "expose at 9350" in bench.log:
            exposing.set()

    def slow_measure(frame, settings):
        assert exposing.wait(5.0)
        return measure(frame, settings)

    bench.camera.fault = second_exposure
    ending = bench.run(going_to((9450, 9350)), measure=slow_measure)
    assert ending.exit_code == 0
    assert [sample["position"] for sample in ending.result["samples"]] == [9450, 9350, 9380]
    assert bench.log.index("fetch") < bench.log.index("expose at 9350")


def test_a_driver_that_rounds_its_position_does_not_cost_an_overshoot_each_time(bench: Bench) -> None:
    bench.sections["focuser"]["backlash_steps"] = 40

    def waver(operation: str) -> None:
        if operation == "position" and bench.moves():
            bench.focuser.at = bench.moves()[-1] + 1

    bench.focuser.fault = waver
    assert bench.run(going_to((9450, 9425, 9400))).exit_code == 0
    assert bench.moves() == [9490, 9450, 9425, 9400, 9380]


def test_what_the_camera_notes_of_a_frame_is_said_once(bench: Bench) -> None:
    plain = bench.camera.fetch
    bench.camera.fetch = lambda: replace(plain(), notes=("the image is mirrored",))  # type: ignore[method-assign]
    assert bench.run(going_to((9450, 9400))).result["warnings"] == ["the image is mirrored"]
