"""A run on the bench's arc lamp: best focus of the spectrograph, tilt and curvature of its camera."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autofocus.devices.clock import VirtualClock
from autofocus.digits import with_error
from autofocus.frames.saving import write_frame
from autofocus.measure.modes import measure_frame
from autofocus.search import plan
from autofocus.session import engine, replay
from autofocus.session.rig import Rig
from autofocus.settings import Settings
from autofocus.views.account import read_account
from autofocus.views.report import report_html
from simulators.bench import Bench
from simulators.devices import SimulatedCamera, SimulatedFocuser
from simulators.options import BenchOptions

SIZE = (1200, 400)
TRUTH = {"tilt_along": 60.0, "tilt_across": -24.0, "curvature": 20.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("arc")
    clock = VirtualClock()
    options = BenchOptions(lamp=1.0, sensor_px=SIZE, start_offset_steps=100, cooling_c_per_h=0.0)
    bench = Bench("starex", 2, clock=clock, options=options)
    settings = Settings.model_validate(
        {
            "camera": {"address": "b:1", "exposure_s": 5.0},
            "focuser": {"address": "b:1"},
            "measure": {"mode": "lines"},
            "session": {"directory": str(folder / "s")},
        }
    )
    rig = Rig(
        SimulatedCamera(bench, clock, settings.camera),
        SimulatedFocuser(bench, clock, settings.focuser),
        clock,
        overlapped=False,
    )
    ending = engine.run(
        settings,
        rig,
        begin=plan.focus,
        measure=measure_frame,
        write_frame=write_frame,
        lock_directory=folder / "locks",
    )
    return ending, bench


def test_it_ends_where_the_camera_is_sharp_on_the_whole(run: Any) -> None:
    ending, bench = run
    result = ending.result
    assert ending.exit_code == 0, result["message"]
    assert result["objective"] == "fwhm"
    assert result["curves"]["nsig"] is None
    # Best over the field lies between the focus of the middle and that of the corners, 20 steps on.
    assert bench.truth("fwhm") - 6 < result["position"] < bench.truth("fwhm") + 12
    assert result["confirmed"]["agrees"]
    assert len(result["samples"][0]["field"]) >= 9


def test_the_field_is_the_one_that_was_made(run: Any) -> None:
    ending, bench = run
    field = ending.result["field"]
    assert field["size_px"] == list(SIZE)
    assert field["position"] == pytest.approx(bench.truth("fwhm"), abs=3.0 * field["uncertainty"] + 2.0)
    for name, truth in TRUTH.items():
        error = field[f"{name}_err_steps"]
        assert 0 < error < 12.0, name
        assert field[f"{name}_steps"] == pytest.approx(truth, abs=3.0 * error + 2.0), name


def test_it_is_in_the_journal_and_the_report(run: Any) -> None:
    ending, _ = run
    assert json.loads((ending.folder / "result.json").read_text())["field"] == ending.result["field"]
    again = replay.replay(replay.read_recording(ending.folder), begin=plan.focus)
    assert again["diverged_at"] is None
    assert again["field"] == ending.result["field"]
    page = report_html(read_account(ending.folder))
    assert "Focus over the field" in page
    assert page.count('<svg class="field"') == 2
    field = ending.result["field"]
    assert with_error(field["tilt_along_steps"], field["tilt_along_err_steps"], signed=True) in page
