"""One run for each way to misbehave: it ends in time, says what was wrong, and the focuser is where that promises."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autofocus.session.journal import EVENTS
from simulators.alpaca_server import truth_object
from simulators.bench import Bench
from simulators.faulty_server import FaultyBenchServer
from simulators.options import BenchOptions
from tests.system import bench as bench_runs

pytestmark = pytest.mark.system

AT_ONCE = 2  # runs that compute, one for each processor of a small machine
WAITING_AT_ONCE = 3  # beside them: runs that end in a device's failure mostly wait for it
LIMIT_S = 300.0
SPEED = 300.0
FURTHEST_STEPS = 10.0
FOCUSED, NO_FOCUS, DEVICE, FRAME = (
    ("focused", None, 0),
    ("no_focus", ..., 4),
    ("failed", "device", 3),
    ("failed", "frame", 6),
)
BEST, START, SAID = "at best focus", "where it began", "where the message says"


@dataclass(frozen=True)
class Case:
    """A fault, how a run with it ends, where the focuser is then, and a word of what is said of it."""

    faults: tuple[str, ...]
    ending: tuple[str, Any, int]
    focuser: str
    said: str = ""
    settings: tuple[str, ...] = ()
    speed: float = SPEED
    refused: bool = False

    @property
    def waits(self) -> bool:
        """Whether the run waits more than it computes."""
        return self.ending is DEVICE

    def __str__(self) -> str:
        return "+".join(self.faults)


CASES = [
    # first, for it waits longest
    Case(("vanished",), DEVICE, SAID, "(connection refused); trying until "),
    # what a run survives: several at once
    Case(("stuck_once", "disconnected", "transposed"), FOCUSED, BEST, "rows and columns exchanged"),
    Case(("barely_short", "cloud"), FOCUSED, BEST, settings=("focuser.position_tolerance_steps=2",)),
    Case(("play_grows", "slow_order"), FOCUSED, BEST, settings=("focuser.backlash_steps=60",)),
    Case(("moved_by_others", "reset", "truncated_once"), FOCUSED, BEST),
    Case(("answer_lost", "order_lost", "nan_temperature"), FOCUSED, BEST),
    Case(("old_position", "download_cut", "order_cut", "status_500", "web_page:/33"), FOCUSED, BEST),
    Case(("indi", "black_once"), FOCUSED, BEST, settings=("camera.exposure_s=2",), speed=5.0),
    Case(("restart", "restart_in_move:5"), FOCUSED, BEST),
    Case(("other_port",), FOCUSED, BEST),
    # what ends it
    Case(("stuck",), DEVICE, SAID, "did not move"),
    Case(("never_at_rest",), DEVICE, START, "still says that it moves"),
    Case(("slow",), DEVICE, SAID, "still says that it moves"),
    Case(("count_lost",), DEVICE, SAID, "count may have been reset"),
    Case(("always_moved_by_others",), DEVICE, SAID, "another program"),
    Case(("never_ready",), DEVICE, START, "no image ready"),
    Case(("exposure_fails",), DEVICE, START, "the exposure failed"),
    Case(("stale_frame",), FRAME, START, "equal in every pixel"),
    Case(("truncated",), FRAME, START, "damaged image"),
    Case(("star_leaves",), NO_FOCUS, START, settings=("search.max_exposures=12",)),
    Case(("control_characters",), DEVICE, SAID, "busy", refused=True),
]


@dataclass(frozen=True)
class Ended:
    """What a run said and left, and what the bench knew before and after it."""

    exit_code: int
    result: dict[str, Any]
    stderr: str
    took_s: float
    start: int
    truth: dict[str, Any]


class OwnBench(Bench):
    """A bench that no run beside takes for its own which it has lost: they look for it by its number."""

    def unique_id(self, device: str) -> str:
        """Its own for every bench, though their seeds are the same."""
        return f"{super().unique_id(device)}-{id(self)}"


def run(folder: Path, case: Case) -> Ended:
    """Focus on a bench with the fault, in a process of its own."""
    folder.mkdir()
    options = BenchOptions(speed=case.speed, sensor_px=(800, 300), cooling_c_per_h=0.0)
    bench = OwnBench("starex", 3, options=options)
    start = bench.focuser.position(0.0)
    with FaultyBenchServer(bench, case.faults) as server:
        quick = ("camera.download_timeout_s=4", "focuser.move_timeout_s=3", "focuser.settle_s=0.15", *case.settings)
        words = bench_runs.write_config(folder, server.address, quick)
        began = time.monotonic()
        done = subprocess.run(
            [*bench_runs.AUTOFOCUS, "run", "--json", *words],
            capture_output=True, text=True, encoding="utf-8", timeout=LIMIT_S, cwd=folder,
            env=bench_runs.environment(folder) | {"OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        took_s = time.monotonic() - began
        truth = truth_object(bench)
    assert "Traceback" not in done.stderr, done.stderr
    return Ended(done.returncode, json.loads(done.stdout), done.stderr, took_s, start, truth)


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Ended]]]:
    """The runs of the cases that were asked for, begun all at once."""
    home = tmp_path_factory.mktemp("faults")
    cases = (item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec"))
    asked = {case for case in cases if isinstance(case, Case)}
    with ThreadPoolExecutor(AT_ONCE) as computing, ThreadPoolExecutor(WAITING_AT_ONCE) as waiting:
        yield {
            str(case): (waiting if case.waits else computing).submit(run, home / str(number), case)
            for number, case in enumerate(CASES)
            if case in asked
        }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_run_survives_or_ends_cleanly(case: Case, runs: dict[str, Future[Ended]]) -> None:
    done = runs[str(case)].result()
    result, truth = done.result, done.truth
    outcome, reason, exit_code = case.ending
    assert (result["outcome"], done.exit_code) == (outcome, exit_code), result["message"]
    assert reason is ... or result["reason"] == reason
    assert case.said in " ".join([result["message"], *result["warnings"]])

    assert result["position"] in (truth["position"], None)
    if case.focuser == BEST:
        assert abs(truth["tube"] - truth["optima"]["snr"]) <= FURTHEST_STEPS
    elif case.focuser == START:
        assert truth["position"] == truth["tube"] == done.start == result["position"]
        assert f"The focuser is back at {done.start}" in result["message"]
    elif truth["position"] != done.start:
        stands = "Where it stands is not known" if result["position"] is None else f"stands at {result['position']}"
        assert "could not be brought back" in result["message"]
        assert stands in result["message"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_its_session_is_whole(case: Case, runs: dict[str, Future[Ended]]) -> None:
    done = runs[str(case)].result()
    assert (done.result["session"] is None) == case.refused
    if case.refused:  # before it began, so there is no session
        return
    folder = Path(done.result["session"])
    assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == done.result
    text = (folder / EVENTS).read_text(encoding="utf-8")
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["event"] for event in events].count("SessionStarted") == 1
    assert events[-1]["event"] == "SessionEnded"
    assert sum(event["event"] == "SampleMeasured" for event in events) == len(done.result["samples"])
    written = text + done.stderr + json.dumps(done.result)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]|\\u00(0[0-8]|1[0-9a-f]|7f)", written), "a control character"


def test_the_command_line_lays_faults(tmp_path: Path) -> None:
    simulate = [*bench_runs.AUTOFOCUS, "simulate", "--json", "--fault"]
    wrong = subprocess.run(
        [*simulate, "stucked"], capture_output=True, text=True, env=bench_runs.environment(tmp_path), timeout=60
    )
    assert wrong.returncode == 2
    assert "did you mean stuck?" in wrong.stderr
    words = [*simulate, "always_500:1-", "--set", "sensor_px=200x100"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=bench_runs.environment(tmp_path)) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        try:
            assert said["faults"] == ["always_500:1-"]
            assert bench_runs.truth(said["truth_address"])["exposures"] == 0
            check = [*bench_runs.AUTOFOCUS, "check", *bench_runs.write_config(tmp_path, said["address"])]
            checked = subprocess.run(
                check, capture_output=True, text=True, env=bench_runs.environment(tmp_path), timeout=120
            )
            assert checked.returncode == 3
            assert "HTTP 500" in checked.stdout
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_a_full_disk_does_not_keep_the_focuser_away(tmp_path: Path) -> None:
    import resource

    bench = Bench("starex", 3, options=BenchOptions(speed=SPEED, sensor_px=(800, 300), cooling_c_per_h=0.0))
    start = bench.focuser.position(0.0)
    with FaultyBenchServer(bench, ["old_position:99"]) as server:
        words = bench_runs.write_config(tmp_path, server.address, ["session.save_frames=true"])
        # No file may pass 300 kB: the frames (480 kB each) meet the same error as on a full disk.
        done = subprocess.run(
            [*bench_runs.AUTOFOCUS, "run", "--json", *words],
            capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path, env=bench_runs.environment(tmp_path),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
        )  # fmt: skip
    result = json.loads(done.stdout)
    assert (done.returncode, result["outcome"], result["reason"]) == (7, "failed", "storage"), done.stderr
    assert "cannot be written" in result["message"]
    assert result["position"] == bench.focuser.position(bench.now()) == start
    kept = json.loads((Path(result["session"]) / "result.json").read_text())
    assert {**kept, "warnings": ()} == {**result, "warnings": ()}, "the report met the same limit"
