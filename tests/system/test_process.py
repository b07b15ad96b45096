"""The program as a process: how it is started, interrupted, killed, and kept from doing harm."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.system import bench
from tests.system.bench import SMALL, start, wait_for_motion

pytestmark = pytest.mark.system
posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
ROOT = Path(__file__).parent.parent.parent


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_a_run_with_the_focuser_back(number: int, slow_bench: str, tmp_path: Path) -> None:
    before = bench.truth(slow_bench)["position"]
    run = start(tmp_path, bench.write_config(tmp_path, slow_bench), "run", "--json")
    wait_for_motion(slow_bench, before)
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    result = json.loads(out)
    assert (run.returncode, result["outcome"], result["reason"]) == (130, "aborted", "interrupted"), err
    assert result["position"] == result["start_position"] == before
    assert bench.truth(slow_bench)["position"] == before
    assert "Traceback" not in err


@posix
def test_a_killed_run_is_told_of_and_recovered(slow_bench: str, tmp_path: Path) -> None:
    before = bench.truth(slow_bench)["position"]
    words = bench.write_config(tmp_path, slow_bench)
    run = start(tmp_path, words, "run", "--json")
    wait_for_motion(slow_bench, before)
    second = start(tmp_path, words, "run", "--json")
    out, _ = second.communicate(timeout=60)
    refused = json.loads(out)
    assert (second.returncode, refused["reason"]) == (3, "busy")
    assert str(run.pid) in refused["message"]
    wait_for_motion(slow_bench, before, inward_steps=10)
    run.kill()
    run.communicate(timeout=60)
    left_at = bench.truth(slow_bench)["position"]
    assert left_at != before
    third = start(tmp_path, words, "run", "--json", "--recover", "--set", "search.time_limit_s=0.1")
    out, err = third.communicate(timeout=60)
    result = json.loads(out)
    assert (third.returncode, result["reason"]) == (4, "time_limit"), err
    assert result["start_position"] == before
    assert bench.truth(slow_bench)["position"] == before


def test_check_says_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    with bench.simulate(tmp_path, 1, SMALL) as address:
        words = bench.write_config(tmp_path, address)
        before = bench.truth(address)["position"]
        out, err = start(tmp_path, words, "check", "--json", "--expose").communicate(timeout=60)
        report = json.loads(out)
        assert report["ok"] is True, err
        named = {check["name"]: check for check in report["checks"]}
        assert named["test exposure"]["verdict"] == "pass"
        assert "FWHM" in named["test exposure"]["detail"]
        assert bench.truth(address)["position"] == before
        assert named["disk"]["verdict"] == "pass"
        assert not (tmp_path / "sessions").exists()
        (tmp_path / "sessions").write_text("a file in its way")
    gone = start(tmp_path, words, "check")
    out, _ = gone.communicate(timeout=90)
    assert gone.returncode == 3
    assert out.count("FAIL") == 3
    assert "sessions cannot be written" in out
    assert out.count("mend: ") == 3


def test_watch_goes_on_without_stdin_and_ends_with_q(tmp_path: Path) -> None:
    import numpy as np
    from astropy.io import fits

    folder = tmp_path / "frames"
    folder.mkdir()
    rows = np.arange(120.0)[:, None]
    light = 300 + 2000 * np.exp(-4 * np.log(2) * ((rows - 60) / 5.0) ** 2) * np.ones((1, 400))
    frame = fits.PrimaryHDU(np.random.default_rng(1).poisson(light).astype(np.uint16))
    frame.header["EXPTIME"] = 2.0
    frame.writeto(tmp_path / "HD097633-9430.fits")
    for position, stdin in ((9330, subprocess.DEVNULL), (9380, subprocess.PIPE)):
        watch = start(tmp_path, [str(folder)], "watch", "--json", stdin=stdin)
        assert watch.stdout is not None
        time.sleep(3.0)  # until it watches: the first file must be a new one
        shutil.copy(tmp_path / "HD097633-9430.fits", folder / f"HD097633-{position}.fits")
        seen = json.loads(watch.stdout.readline())
        assert seen["position"] == position
        assert seen["fwhm_px"] == pytest.approx(5.0, abs=0.2)
        if stdin == subprocess.PIPE:
            watch.communicate("q", timeout=20)
        else:
            watch.terminate()
            watch.communicate(timeout=20)
        assert watch.returncode == 0


def test_what_readme_promises_first(tmp_path: Path) -> None:
    done = subprocess.run(
        [*bench.AUTOFOCUS, "run", "--config", str(ROOT / "config/simulator.yaml")],
        capture_output=True, text=True, encoding="utf-8", cwd=tmp_path, env=bench.environment(tmp_path), timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Best focus 93")
    assert "sweep: " in done.stderr
    session = next((tmp_path / "sessions").iterdir())
    assert len(list((session / "frames").glob("*.fits"))) >= 6
    replayed = subprocess.run(
        [*bench.AUTOFOCUS, "replay", str(session), "--json", "--remeasure"],
        capture_output=True, text=True, encoding="utf-8", env=bench.environment(tmp_path), timeout=120,
    )  # fmt: skip
    was, again = json.loads((session / "result.json").read_text(encoding="utf-8")), json.loads(replayed.stdout)
    assert again["diverged_at"] is None
    assert again["best"] == was["best"]
    assert again["samples"] == was["samples"]
