"""Whole runs on the simulated bench, in process, on virtual time: everything is real but the telescope."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autofocus.devices.clock import VirtualClock
from autofocus.frames.fits import read_frame
from autofocus.frames.saving import write_frame
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Measurement
from autofocus.search import plan
from autofocus.session import engine, replay
from autofocus.session.rig import Rig
from autofocus.settings import Settings
from simulators.bench import Bench
from simulators.devices import SimulatedCamera, SimulatedFocuser
from simulators.options import BenchOptions


def focus(tmp_path: Path, seed: int, *, sections: dict[str, Any] | None = None, **options: Any) -> Any:
    clock = VirtualClock()
    bench = Bench("starex", seed, clock=clock, options=BenchOptions(sensor_px=(1000, 500), **options))
    given = {"camera": {"address": "b:1"}, "focuser": {"address": "b:1"}, "session": {"directory": str(tmp_path / "s")}}
    settings = Settings.model_validate({**given, **(sections or {})})
    focuser = SimulatedFocuser(bench, clock, settings.focuser)
    rig = Rig(SimulatedCamera(bench, clock, settings.camera), focuser, clock, overlapped=False)
    start = focuser.position()
    ending = engine.run(
        settings,
        rig,
        begin=plan.focus,
        measure=measure_spectrum,
        write_frame=write_frame,
        lock_directory=tmp_path / "locks",
    )
    return ending, bench, focuser, start


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return focus(tmp_path_factory.mktemp("night"), 1, start_offset_steps=60)


def test_a_run_ends_where_the_bench_knows_the_focus_to_be(night: Any) -> None:
    ending, bench, focuser, _ = night
    result = ending.result
    assert ending.exit_code == 0, result["message"]
    assert focuser.position() == result["position"]
    off = result["position"] - bench.truth("snr")
    assert abs(off) < 8
    assert abs(off) < 3 * result["best"]["uncertainty"] + 0.5
    assert result["exposures"] == bench.exposures == len(result["samples"])
    assert result["timing"]["exposing_s"] == pytest.approx(10.0 * result["exposures"])


def test_its_journal_replays_exactly_and_its_frames_measure_the_same(night: Any) -> None:
    ending, *_ = night
    recording = replay.read_recording(ending.folder)
    again = replay.replay(recording, begin=plan.focus)
    assert again["diverged_at"] is None
    for name in ("outcome", "reason", "objective", "best", "curves", "confirmed", "samples"):
        assert again[name] == ending.result[name], name

    def measure(path: Path) -> Measurement:
        return measure_spectrum(
            read_frame(path), Settings.model_validate(recording.started.settings).measure
        ).measurement

    anew = replay.replay(replay.remeasured(recording, measure), begin=plan.focus)
    assert anew["diverged_at"] is None
    assert anew["best"]["position"] == pytest.approx(again["best"]["position"], abs=0.1)


def test_no_star_means_no_focus_and_the_focuser_back(tmp_path: Path) -> None:
    sections = {"search": {"time_limit_s": 300.0}}
    ending, _, focuser, start = focus(tmp_path, 4, sections=sections, star=0.0)
    assert ending.exit_code == 4
    assert focuser.position() == start == ending.result["position"]
    assert ending.result["timing"]["total_s"] < 330.0


def test_a_strip_about_the_trace_and_one_window_serve_a_run(tmp_path: Path) -> None:
    sections = {
        "camera": {"address": "b:1", "roi": "auto", "exposure_s": 5.0, "auto_exposure": {"min_s": 5, "max_s": 30}},
        "measure": {"half_window_px": "auto"},
    }
    ending, bench, _, _ = focus(tmp_path, 3, sections=sections, start_offset_steps=-80)
    result = ending.result
    assert ending.exit_code == 0, result["message"]
    assert abs(result["position"] - bench.truth("snr")) < 8
    frames = [read_frame(path) for path in sorted((ending.folder / "frames").iterdir())]
    assert frames[0].shape == (500, 1000)
    assert frames[-1].shape[0] <= 0.7 * 500
    heights = [frame.shape[0] for frame in frames[1:]]
    assert heights == sorted(heights)  # a wider trace widens the strip, a narrower one leaves it
    assert len({frame.exposure_s for frame in frames[-3:]}) == 1
