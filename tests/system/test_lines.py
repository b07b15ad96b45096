"""An arc lamp over HTTP: a run, and its frames analysed anew, whole and from one side only."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from autofocus.devices.clock import VirtualClock
from autofocus.frames.saving import write_frame
from autofocus.model import Frame
from simulators.bench import Bench
from simulators.options import BenchOptions
from tests.system import bench

pytestmark = pytest.mark.system

LAMP = ("lamp=1", "sensor_px=1200x400", "cooling_c_per_h=0", "vertical=true", "start_offset_steps=90")
SETTINGS = ("measure.mode=lines", "camera.exposure_s=5", "session.save_frames=true", "search.samples_each_side=6")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> bench.Outcome:
    return bench.focus(tmp_path_factory.mktemp("lamp") / "run", bench.Case("lamp", LAMP, SETTINGS, seed=3))


def analyzed(folder: Path, home: Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [*bench.AUTOFOCUS, "analyze", str(folder), "--set", "measure.mode=lines", "--json"],
        capture_output=True, text=True, encoding="utf-8", timeout=120, env=bench.environment(home), cwd=home,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


def frames(ran: bench.Outcome) -> dict[float, Path]:
    kept = Path(ran.result["session"]) / "frames"
    return {sample["position"]: kept / sample["file"] for sample in ran.result["samples"]}


def test_a_run_ends_at_the_focus_of_the_camera(ran: bench.Outcome) -> None:
    result = ran.result
    assert ran.exit_code == 0, result["message"]
    truth = ran.truth["optima"]["fwhm"]
    assert truth - 6 < result["position"] < truth + 12  # the corners lie 20 steps beyond the middle
    field = result["field"]
    assert field["size_px"] == [1200, 400]
    assert field["position"] == pytest.approx(truth, abs=3.0 * field["uncertainty"] + 2.0)
    assert field["tilt_along_steps"] == pytest.approx(60.0, abs=3.0 * field["tilt_along_err_steps"] + 2.0)
    assert all(sample["dispersion_axis"] == "y" for sample in result["samples"])


def test_its_frames_give_the_same_by_analyze(ran: bench.Outcome, tmp_path: Path) -> None:
    series = tmp_path / "series"
    series.mkdir()
    for path in frames(ran).values():
        shutil.copy(path, series)
    code, result = analyzed(series, tmp_path)
    assert code == 0, result["message"]
    assert result["best"]["position"] == pytest.approx(ran.result["best"]["position"], abs=3.0)
    assert result["field"]["tilt_along_steps"] == pytest.approx(ran.result["field"]["tilt_along_steps"], abs=6.0)


def test_frames_of_one_side_say_where_to_go_on(tmp_path: Path) -> None:
    clock = VirtualClock()
    options = BenchOptions(lamp=1.0, sensor_px=(1200, 300), cooling_c_per_h=0.0)
    made = Bench("starex", 3, clock=clock, options=options)
    series = tmp_path / "series"
    series.mkdir()
    for off in (50, 75, 100, 125, 150):
        position = round(made.truth("fwhm")) + off
        made.focuser.move(position, made.now())
        clock.sleep(60.0)
        begun = made.start_exposure(5.0)
        clock.sleep(5.0)
        frame = Frame(raw=made.frame(begun), exposure_s=5.0)
        write_frame(frame, {"FOCUSPOS": position, "EXPTIME": 5.0}, series / f"arc-{off}.fits")
    code, result = analyzed(series, tmp_path)
    assert code == 4
    assert result["reason"] == "not_bracketed"
    assert "inward" in result["message"]
