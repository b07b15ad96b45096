"""Whatever ends a run, the focuser comes home, and where it could not the result says so."""

from __future__ import annotations

import pytest

from autofocus.errors import DeviceError, DeviceTimeout, DeviceUnreachable
from autofocus.model import Sample, Sweep
from autofocus.session import events
from autofocus.session.journal import read_events
from tests.session.fakes import Bench, failing, going_to


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
