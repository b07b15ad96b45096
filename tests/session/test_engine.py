from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from autofocus.devices.clock import RealClock
from autofocus.errors import DeviceError, DeviceTimeout, DeviceUnreachable, FrameError
from autofocus.model import Flag, Sample, Sweep
from autofocus.ports import GuidingState
from autofocus.session import events
from autofocus.session.engine import Ending
from autofocus.session.journal import read_events
from tests.session.fakes import BEST, Bench, FakeGuider, failing, going_to, measure


def test_a_run_ends_at_best_focus_with_contracts_result(bench: Bench) -> None:
    ending = bench.run(going_to((9450, 9400, 9350)))
    result = ending.result
    assert ending.exit_code == 0
    assert (result["outcome"], result["reason"], result["position"]) == ("focused", None, BEST)
    assert bench.focuser.at == BEST
    assert result["start_position"] == 9400
    assert result["best"] == {"position": 9380.0, "uncertainty": 0.7, "low": 9375.0, "high": 9385.0}
    assert result["confirmed"]["agrees"] is True
    assert [sample["position"] for sample in result["samples"]] == [9450, 9400, 9350, 9380]
    assert [sample["phase"] for sample in result["samples"]] == ["sweep", "sweep", "sweep", "confirm"]
    assert (result["exposures"], result["moves"]) == (4, 4)
    # moves: 50 + 50 + 50 + 30 steps at 100 per second; settling 4 × 1 s; exposing 4 × 10 s
    assert result["timing"]["moving_s"] == pytest.approx(1.8)
    assert result["timing"]["settling_s"] == pytest.approx(4.0)
    assert result["timing"]["exposing_s"] == pytest.approx(40.0)
    assert result["timing"]["total_s"] == pytest.approx(45.8)
    json.dumps(result, allow_nan=False)


def test_costs_of_samples_add_up_to_the_time_of_the_run(bench: Bench) -> None:
    result = bench.run(going_to((9450, 9400, 9350))).result
    assert [sample["cost_s"] for sample in result["samples"]] == pytest.approx([11.5, 11.5, 11.5, 11.3])
    assert result["samples"][-1]["elapsed_s"] == pytest.approx(45.8)
    assert [sample["exposing_s"] for sample in result["samples"]] == pytest.approx([10.0] * 4)


def test_the_devices_are_closed_in_reverse_order(bench: Bench) -> None:
    bench.run(going_to((9400,)))
    assert bench.log[:2] == ["open camera", "open focuser"]
    assert bench.log[-2:] == ["close focuser", "close camera"]


def test_without_a_confirming_frame_the_engine_goes_to_the_answer(bench: Bench) -> None:
    result = bench.run(going_to((9450, 9350), confirm=False)).result
    assert result["position"] == bench.focuser.at == BEST


def test_no_focus_puts_the_focuser_back_by_the_approach_rule(bench: Bench) -> None:
    bench.sections["focuser"]["backlash_steps"] = 40
    ending = bench.run(going_to((9350, 9300), outcome="no_focus"))
    assert ending.exit_code == 4
    assert bench.focuser.at == 9400 == ending.result["position"]
    assert bench.moves()[-2:] == [9440, 9400]  # inward: from above
    assert "The focuser is back at 9400." in ending.result["message"]


@pytest.mark.parametrize("operation", ["expose", "fetch"])
def test_a_camera_that_fails_leaves_the_focuser_where_it_began(bench: Bench, operation: str) -> None:
    bench.camera.fault = failing(operation, DeviceTimeout("the image never came", device="camera"), after=1)
    ending = bench.run(going_to((9450, 9350, 9300)))
    assert (ending.exit_code, ending.result["outcome"], ending.result["reason"]) == (3, "failed", "device")
    assert bench.focuser.at == 9400
    assert "the image never came" in ending.result["message"]
    assert ("abort" in bench.log) is (operation == "expose")
    assert bench.log[-2:] == ["close focuser", "close camera"]
    assert ending.result["best"] is None
    assert len(ending.result["samples"]) == 1


def test_a_lost_focuser_that_comes_back_is_brought_home(bench: Bench) -> None:
    bench.focuser.fault = failing("move", DeviceUnreachable("nobody answers"), after=2, times=2)
    ending = bench.run(going_to((9450, 9350, 9300)))
    assert ending.exit_code == 3
    assert bench.focuser.at == 9400
    assert bench.log.count("halt") == 1


def test_a_focuser_that_stays_lost_is_reported_as_such(bench: Bench) -> None:
    bench.focuser.fault = failing("move", DeviceUnreachable("nobody answers"), after=2)
    ending = bench.run(going_to((9450, 9350, 9300)))
    assert ending.exit_code == 3
    assert ending.result["position"] == 9350
    assert "could not be brought back to 9400" in ending.result["message"]
    assert "The focuser stands at 9350" in ending.result["message"]
    assert bench.log[-2:] == ["close focuser", "close camera"]


def test_no_focus_that_cannot_come_home_is_a_failure_of_the_device(bench: Bench) -> None:
    bench.focuser.fault = failing("move", DeviceError("the motor is stuck"), after=1)
    ending = bench.run(going_to((9350,), outcome="no_focus"))
    assert (ending.exit_code, ending.result["outcome"], ending.result["reason"]) == (3, "failed", "device")


def test_nothing_is_moved_when_a_device_cannot_be_opened(bench: Bench) -> None:
    bench.camera.fault = failing("open", DeviceUnreachable("nobody answers at cam:1111"))
    ending = bench.run(going_to((9450,)))
    assert ending.exit_code == 3
    assert bench.moves() == []
    assert ending.result["start_position"] is None
    assert [type(event).__name__ for event in bench.events] == ["SessionStarted", "SessionEnded"]
    assert ending.folder is None is ending.result["session"]
    assert list((bench.folder / "sessions").iterdir()) == [], "a refused run leaves nothing"


def test_a_lost_server_is_explained_once_and_the_last_place_is_told(bench: Bench) -> None:
    def silent(operation: str) -> None:
        if operation in ("expose", "fetch") or lost:
            lost.append(operation)
            kind = "camera" if operation == "expose" else "focuser"
            cause = "nothing listens on port 4; start it"
            raise DeviceUnreachable(f"The {kind} 0 at host:4 did not answer: {cause}.", server="host:4")

    lost: list[str] = []
    bench.focuser.fault = bench.camera.fault = silent
    ending = bench.run(going_to((9450, 9350)))
    message = ending.result["message"]
    assert (ending.exit_code, ending.result["position"]) == (3, None)
    assert message.count("nothing listens") == 1
    assert message.endswith(
        "The focuser could not be brought back to 9400, where it began, either. "
        "Where it stands is not known; it last reported 9450."
    )
    assert not any("nothing listens" in warning for warning in ending.result["warnings"])


def test_what_devices_wait_for_is_a_warning_at_once(bench: Bench) -> None:
    class Informant:
        inform: Callable[[str], None]

    informant = Informant()
    bench.informant = informant

    def wait(operation: str) -> None:
        if operation == "expose" and not told:
            informant.inform("no answer from the camera")
            told.append(bench.events[-1])

    bench.camera.fault = wait
    told: list[object] = []
    assert "no answer from the camera" in bench.run(going_to((9450, 9350))).result["warnings"]
    assert [(type(event), getattr(event, "message", "")) for event in told] == [
        (events.Warned, "no answer from the camera")
    ]


def test_a_stop_during_an_exposure_ends_in_order(bench: Bench) -> None:
    def stop_once(operation: str) -> None:
        if operation == "expose" and bench.log.count("expose at 9350") == 1:
            bench.clock.stop()

    bench.camera.fault = stop_once
    ending = bench.run(going_to((9450, 9350, 9300)))
    assert (ending.exit_code, ending.result["outcome"], ending.result["reason"]) == (130, "aborted", "interrupted")
    assert bench.focuser.at == 9400 == ending.result["position"]
    assert "abort" in bench.log
    assert len(ending.result["samples"]) == 1


def test_a_second_stop_ends_at_once_and_says_where_the_focuser_stands(bench: Bench) -> None:
    def stop_twice(operation: str) -> None:
        if operation == "expose" and bench.log.count("expose at 9350") == 1:
            bench.clock.stop()
            bench.clock.stop()

    bench.camera.fault = stop_twice
    ending = bench.run(going_to((9450, 9350, 9300)))
    assert ending.exit_code == 130
    assert ending.result["position"] == 9350
    assert "ended at once" in ending.result["message"]
    assert bench.log[-2:] == ["close focuser", "close camera"]


def test_a_stop_while_moving_halts_the_focuser_first(bench: Bench) -> None:
    def stop(operation: str) -> None:
        if operation == "move" and len(bench.moves()) == 2:
            bench.clock.stop()

    bench.focuser.fault = stop
    ending = bench.run(going_to((9450, 9350)))
    assert ending.exit_code == 130
    assert bench.log[bench.log.index("move 9350") + 1] == "halt"
    assert bench.focuser.at == 9400


def test_ctrl_c_without_a_handler_ends_in_order_too(bench: Bench) -> None:
    bench.camera.fault = failing("expose", KeyboardInterrupt(), after=1)  # type: ignore[arg-type]
    assert bench.run(going_to((9450, 9350))).exit_code == 130
    assert bench.focuser.at == 9400


def test_our_own_fault_brings_the_focuser_back_and_keeps_its_traceback(bench: Bench) -> None:
    def broken(task):
        yield Sweep((Sample(9300, "locate", 1.0),))
        raise ZeroDivisionError("by nought")

    ending = bench.run(broken)
    assert (ending.exit_code, ending.result["reason"]) == (1, "internal")
    assert bench.focuser.at == 9400
    ended = list(read_events(ending.folder))[-1]
    assert isinstance(ended, events.SessionEnded)
    assert "ZeroDivisionError: by nought" in (ended.traceback or "")


def test_a_full_disk_ends_the_run_with_the_focuser_back(bench: Bench) -> None:
    frames = 0

    def full(frame, headers, path) -> None:
        nonlocal frames
        frames += 1
        if frames == 2:
            raise OSError(28, "No space left on device")

    def writer(frame, headers, path) -> None:
        full(frame, headers, path)
        path.write_bytes(b"")

    ending = bench.run(going_to((9450, 9350, 9300)), write_frame=writer)
    assert (ending.exit_code, ending.result["reason"]) == (7, "storage")
    assert "No space left on device" in ending.result["message"]
    assert bench.focuser.at == 9400


def test_a_folder_that_cannot_be_made_touches_no_device(bench: Bench) -> None:
    (bench.folder / "sessions").write_text("a file in the way")
    ending = bench.run(going_to((9450,)))
    assert (ending.exit_code, ending.result["reason"], bench.log) == (7, "storage", [])


def test_the_exposure_limit_is_hard(bench: Bench) -> None:
    def greedy(task):
        while True:
            yield Sweep(tuple(Sample(x, "sweep", 1.0) for x in (9450, 9400, 9350)))

    bench.sections["search"] = {"max_exposures": 5}
    ending = bench.run(greedy)
    assert (ending.exit_code, ending.result["reason"]) == (4, "exposure_limit")
    assert ending.result["exposures"] == 5
    assert bench.focuser.at == 9400


def test_the_time_limit_is_hard(bench: Bench) -> None:
    def greedy(task):
        while True:
            yield Sweep((Sample(9450, "sweep", 10.0),))

    bench.sections["search"] = {"time_limit_s": 60.0}
    ending = bench.run(greedy)
    assert (ending.exit_code, ending.result["reason"]) == (4, "time_limit")
    # 11.5 s and then 11 s for each: five end within a minute, a sixth would not
    assert ending.result["exposures"] == 5
    assert ending.result["timing"]["total_s"] <= 60.0


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


def test_a_broken_view_is_left_out_and_the_run_goes_on(bench: Bench) -> None:
    heard: list[str] = []

    def broken(event: events.Event) -> None:
        heard.append(type(event).__name__)
        if len(heard) == 3:
            raise RuntimeError("no such widget")

    ending = bench.run(going_to((9450,)), listeners=[broken])
    assert ending.exit_code == 0
    assert len(heard) == 3
    assert any("no such widget" in warning for warning in ending.result["warnings"])


def test_the_journal_holds_no_password(bench: Bench) -> None:
    ending = bench.run(going_to((9450,)))
    for path in ending.folder.rglob("*"):
        if path.is_file():
            assert b"secret" not in path.read_bytes(), path


def test_the_lock_refuses_a_second_run_with_pid_and_session(bench: Bench) -> None:
    seen: list[Ending] = []

    def second(event: events.Event) -> None:
        if isinstance(event, events.FocuserMoved) and not seen:
            seen.append(bench.run(going_to((9400,)), listeners=()))

    first = bench.run(going_to((9450,)), listeners=[second])
    assert first.exit_code == 0
    refused = seen[0]
    assert (refused.exit_code, refused.result["reason"]) == (3, "busy")
    assert str(os.getpid()) in refused.result["message"]
    assert first.folder.name in refused.result["message"]
    assert bench.run(going_to((9450,))).exit_code == 0


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
