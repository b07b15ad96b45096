from __future__ import annotations

from dataclasses import replace

import pytest

from autofocus.errors import JournalError
from autofocus.model import Measurement
from autofocus.search import plan
from autofocus.session import replay
from autofocus.session.journal import EVENTS, FRAMES
from tests.session.fakes import BEST, Bench, going_to


def without_places(result):
    return {key: value for key, value in result.items() if key not in ("message", "warnings", "diverged_at", "timing")}


def test_a_replay_reproduces_the_decision_exactly(bench: Bench) -> None:
    live = bench.run(going_to((9450, 9400, 9350)))
    again = replay.replay(replay.read_recording(live.folder), begin=going_to((9450, 9400, 9350)))
    assert without_places(again) == without_places(live.result)
    assert again["diverged_at"] is None


def test_the_real_search_replays_exactly(bench: Bench) -> None:
    live = bench.run(plan.focus)
    recording = replay.read_recording(live.folder)
    assert recording.task.start_position == 9400
    again = replay.replay(recording, begin=plan.focus)
    assert again["diverged_at"] is None
    assert without_places(again) == without_places(live.result)
    assert live.exit_code == 0
    assert live.result["position"] == pytest.approx(BEST, abs=8)


def test_a_position_never_taken_ends_the_replay_with_a_fit_of_all(bench: Bench) -> None:
    positions = (9460, 9440, 9420, 9400, 9380, 9360, 9340, 9320)
    live = bench.run(going_to(positions))
    again = replay.replay(replay.read_recording(live.folder), begin=going_to(positions, (9310, 9300)))
    assert again["diverged_at"] == 9310
    assert len(again["samples"]) == 9
    assert again["curves"]["fwhm"]["position"] == pytest.approx(BEST, abs=3)


def test_the_same_positions_in_other_sweeps_are_found(bench: Bench) -> None:
    live = bench.run(going_to((9450, 9400, 9350)))
    again = replay.replay(replay.read_recording(live.folder), begin=going_to((9450,), (9400, 9350)))
    assert again["diverged_at"] is None
    assert [sample["position"] for sample in again["samples"]] == [9450, 9400, 9350, 9380]


def test_a_sweep_that_a_budget_cut_replays_as_cut(bench: Bench) -> None:
    bench.sections["search"] = {"max_exposures": 5}
    search = going_to((9450, 9400, 9350), (9450, 9400, 9350), outcome="no_focus")
    live = bench.run(search)
    assert live.result["exposures"] == 5
    again = replay.replay(replay.read_recording(live.folder), begin=search)
    assert again["diverged_at"] is None
    assert again["samples"] == live.result["samples"]


def test_a_session_that_was_stopped_diverges_where_it_was_stopped(bench: Bench) -> None:
    def stop(operation: str) -> None:
        if operation == "expose" and "expose at 9350" in bench.log:
            bench.clock.stop()

    bench.camera.fault = stop
    live = bench.run(going_to((9450, 9400, 9350)))
    again = replay.replay(replay.read_recording(live.folder), begin=going_to((9450, 9400, 9350)))
    assert again["diverged_at"] == 9350
    assert (again["outcome"], again["reason"]) == ("no_focus", "too_few_samples")


def test_remeasuring_takes_the_numbers_from_the_frames_and_the_rest_from_the_journal(bench: Bench) -> None:
    live = bench.run(going_to((9450, 9400)))
    asked = []

    def measure(path):
        asked.append(path)
        return Measurement(fwhm_px=1.0, phase="recorded")

    recording = replay.read_recording(live.folder)
    anew = replay.remeasured(recording, measure)
    assert asked[0] == live.folder / FRAMES / "0001-9450.fits"
    assert asked[0].exists()
    assert [one.fwhm_px for one in anew.measurements] == [1.0, 1.0, 1.0]
    kept = ("position", "phase", "elapsed_s", "cost_s", "exposing_s", "temperature_c", "file", "exposure_s")
    for old, new in zip(recording.measurements, anew.measurements, strict=True):
        assert [getattr(old, name) for name in kept] == [getattr(new, name) for name in kept]


def test_what_is_no_session_is_said_to_be_none(bench: Bench, tmp_path) -> None:
    with pytest.raises(JournalError, match="cannot be read"):
        replay.read_recording(tmp_path)
    (tmp_path / EVENTS).write_text('{"event": "Warned", "message": "alone"}\n{"half')
    with pytest.raises(JournalError, match="nothing to replay"):
        replay.read_recording(tmp_path)


def test_a_killed_session_can_be_replayed_as_far_as_it_got(bench: Bench) -> None:
    live = bench.run(going_to((9450, 9400, 9350)))
    path = live.folder / EVENTS
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]) + lines[-1][:50])
    recording = replay.read_recording(live.folder)
    assert recording.ended is None
    again = replay.replay(recording, begin=going_to((9450, 9400, 9350)))
    assert (again["outcome"], again["exposures"], again["position"]) == ("focused", 4, None)
    assert replace(recording, ended=None).decided is False
