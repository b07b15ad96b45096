from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from autofocus.errors import DeviceUnreachable
from autofocus.model import Sample, Sweep
from autofocus.session import events
from autofocus.session.engine import Ending
from tests.session.fakes import BEST, Bench, failing, going_to


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


def test_nothing_is_moved_when_a_device_cannot_be_opened(bench: Bench) -> None:
    bench.camera.fault = failing("open", DeviceUnreachable("nobody answers at cam:1111"))
    ending = bench.run(going_to((9450,)))
    assert ending.exit_code == 3
    assert bench.moves() == []
    assert ending.result["start_position"] is None
    assert [type(event).__name__ for event in bench.events] == ["SessionStarted", "SessionEnded"]
    assert ending.folder is None is ending.result["session"]
    assert list((bench.folder / "sessions").iterdir()) == [], "a refused run leaves nothing"


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
