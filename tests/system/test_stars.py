"""The stars of a camera without a slit, end to end: focused, and everything that is told of it afterwards."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.system import bench

pytestmark = pytest.mark.system

FIELD = ("sensor_px=480x360", "cooling_c_per_h=0")
STARS = ("measure.mode=stars", "camera.exposure_s=5", "session.save_frames=true")


def told(folder: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON object and stderr of a command."""
    done = subprocess.run(
        [*bench.AUTOFOCUS, *words, "--json"], capture_output=True, text=True, encoding="utf-8",
        timeout=bench.RUN_LIMIT_S, env=bench.environment(folder), cwd=folder,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout.splitlines()[0]), done.stderr


@pytest.mark.parametrize(("seed", "offset"), [(1, 120), (2, -60)])
def test_a_field_of_stars_is_focused_and_told_of(tmp_path: Path, seed: int, offset: int) -> None:
    conditions = [*FIELD, f"start_offset_steps={offset}"]
    with bench.simulate(tmp_path, seed, conditions, ("--instrument", "guidecam")) as address:
        code, result, err = told(tmp_path, "run", *bench.write_config(tmp_path, address, STARS))
        truth = bench.truth(address)["optima"]["fwhm"]
    assert code == 0, result["message"] + err
    error = math.hypot(result["best"]["uncertainty"], 0.5)
    assert abs(result["best"]["position"] - truth) < 4.0 * error
    assert result["best"]["uncertainty"] < 5.0
    assert result["objective"] == "fwhm"
    assert result["curves"]["nsig"] is None
    assert not [warning for warning in result["warnings"] if "slit" in warning]
    last = result["confirmed"]
    assert last["agrees"] is True
    assert last["mode"] == "stars"
    assert last["fwhm_px"] == pytest.approx(2.0 * last["hfr_px"])
    assert last["nsig"] > 0
    assert len(last["stars"]) > 3

    session = Path(result["session"])
    report = (session / "report.html").read_text(encoding="utf-8")
    assert "flux, ADU/s" in report
    assert "NSIG, ADU/s" not in report
    again = told(tmp_path, "replay", str(session))[1]
    assert again["best"] == result["best"]
    anew = told(tmp_path, "replay", str(session), "--remeasure")[1]
    assert anew["best"]["position"] == pytest.approx(result["best"]["position"], abs=1e-6)
    code, judged, _ = told(tmp_path, "analyze", str(session / "frames"), "--set", "measure.mode=stars")
    assert code == 0
    assert judged["best"]["position"] == pytest.approx(truth, abs=4.0 * math.hypot(judged["best"]["uncertainty"], 0.5))
    said = "a session's numbers are as it recorded them"
    for options, is_said in ((("--set", "measure.mode=lines"), True), ((), False)):
        _, recorded, err = told(tmp_path, "analyze", str(session), *options)
        assert any(said in warning for warning in recorded["warnings"]) is is_said is (said in err)
    frame = min((session / "frames").glob("*.fits"))
    _, one, _ = told(tmp_path, "measure", str(frame), "--set", "measure.mode=auto")
    assert one["mode"] == "stars"
    assert one["fwhm_px"] == pytest.approx(result["samples"][0]["fwhm_px"], rel=1e-6)
