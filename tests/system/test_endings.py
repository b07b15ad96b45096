"""What ends a run from outside: an impatient user, a closed terminal, no stdin, a full disk, a read-only one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system import bench
from tests.system.bench import start, wait_for_motion

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.name == "nt", reason="signals, terminals and mounts of POSIX")]
MINUTE = 60.0


def result_in(folder: Path) -> dict[str, Any]:
    """The result of the only session there."""
    (session,) = (folder / "sessions").iterdir()
    kept: dict[str, Any] = json.loads((session / "result.json").read_text(encoding="utf-8"))
    return kept


def test_a_second_ctrl_c_ends_a_run_at_once_and_says_where_the_focuser_stands(slow_bench: str, tmp_path: Path) -> None:
    before = bench.truth(slow_bench)["position"]
    run = start(tmp_path, bench.write_config(tmp_path, slow_bench), "run", "--json")
    wait_for_motion(slow_bench, before)
    run.send_signal(signal.SIGINT)
    time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=MINUTE)
    result = json.loads(out)
    stands = bench.truth(slow_bench)["position"]
    assert (run.returncode, result["outcome"], result["reason"]) == (130, "aborted", "interrupted"), err
    assert result["position"] in (stands, None)
    if stands != before:
        assert f"could not be brought back to {before} (the run was ended at once)" in result["message"]
    assert result_in(tmp_path)["message"] == result["message"]


def test_a_third_ctrl_c_ends_the_process_and_the_next_run_names_the_way_back(slow_bench: str, tmp_path: Path) -> None:
    before = bench.truth(slow_bench)["position"]
    words = bench.write_config(tmp_path, slow_bench)
    run = start(tmp_path, words, "run", "--json")
    wait_for_motion(slow_bench, before)
    while run.poll() is None:
        run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=MINUTE)
    assert run.returncode == 130
    if not out:  # ended before it could come home
        again = start(tmp_path, words, "run", "--json", "--set", "search.time_limit_s=0.1")
        out, _ = again.communicate(timeout=MINUTE)
        assert "--recover" in " ".join(json.loads(out)["warnings"])


def test_a_run_needs_no_stdin(tmp_path: Path) -> None:
    with bench.simulate(tmp_path, 1, bench.SMALL) as address:
        words = bench.write_config(tmp_path, address, ["search.max_exposures=5"])
        run = start(tmp_path, words, "run", "--json", preexec_fn=lambda: os.close(0))
        out, err = run.communicate(timeout=2 * MINUTE)
    assert (run.returncode, json.loads(out)["reason"]) == (4, "exposure_limit"), err
    assert "Traceback" not in err


def test_a_closed_terminal_ends_a_run_in_order(slow_bench: str, tmp_path: Path) -> None:
    import fcntl
    import pty
    import termios

    before = bench.truth(slow_bench)["position"]
    ours, theirs = pty.openpty()

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    words = bench.write_config(tmp_path, slow_bench)
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    run = start(tmp_path, words, "run", preexec_fn=own_terminal, **streams)
    os.close(theirs)
    os.set_blocking(ours, False)
    deadline = time.monotonic() + MINUTE
    while bench.truth(slow_bench)["position"] == before:
        assert time.monotonic() < deadline
        with_suppressed_read(ours)
        time.sleep(0.05)
    os.close(ours)
    run.wait(timeout=MINUTE)
    result = result_in(tmp_path)
    assert (result["outcome"], result["reason"]) == ("aborted", "interrupted")
    assert result["position"] == bench.truth(slow_bench)["position"] == before
    assert run.returncode == 130


def with_suppressed_read(terminal: int) -> None:
    """Take what the terminal shows, so that its writer is not held up."""
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:
        return


# -- disks ---------------------------------------------------------------------------------------------------------


def mount(folder: Path, *options: str) -> bool:
    """Put a small file system in memory there; False where that is not allowed."""
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    return shutil.which("mount") is not None and subprocess.run(words, capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    if not mount(folder, "size=1400k"):
        pytest.skip("needs root to mount a small disk; test_faults.py meets the same error by a limit on file sizes")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up_ends_a_run_with_the_focuser_back(small_disk: Path, tmp_path: Path) -> None:
    with bench.simulate(tmp_path, 1, bench.SMALL) as address:
        before = bench.truth(address)["position"]
        settings = [f"session.directory={small_disk}/sessions", "session.save_frames=true"]
        run = start(tmp_path, bench.write_config(tmp_path, address, settings), "run", "--json")
        out, err = run.communicate(timeout=2 * MINUTE)
        after = bench.truth(address)["position"]
    result = json.loads(out)
    assert (run.returncode, result["outcome"], result["reason"]) == (7, "failed", "storage"), err
    assert "No space left on device" in result["message"]
    assert result["position"] == before == after
    assert 1 <= result["exposures"] <= 6
    (session,) = (small_disk / "sessions").iterdir()
    assert not list(session.glob("frames/.*")), "half a frame was left"
    assert "Traceback" not in err


def test_a_session_folder_that_cannot_be_written_touches_no_device(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    mounted = os.geteuid() == 0 and mount(folder, "ro")
    if not mounted:
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere but on a read-only disk, and none can be mounted here")
        folder.mkdir(exist_ok=True)
        folder.chmod(0o555)
    try:
        with bench.simulate(tmp_path, 1, bench.SMALL) as address:
            settings = [f"session.directory={folder}/sessions"]
            run = start(tmp_path, bench.write_config(tmp_path, address, settings), "run", "--json")
            out, err = run.communicate(timeout=MINUTE)
            truth = bench.truth(address)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    result = json.loads(out)
    assert (run.returncode, result["reason"], result["session"]) == (7, "storage", None), err
    assert "session.directory" in result["message"]
    assert truth["exposures"] == 0
    assert "Traceback" not in err
