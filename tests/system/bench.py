"""The program as its users meet it: ``autofocus`` as a subprocess, over sockets, against ``autofocus simulate``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AUTOFOCUS = (sys.executable, "-m", "autofocus")
RUN_LIMIT_S = 240.0
SMALL = ("sensor_px=800x300", "cooling_c_per_h=0")


@dataclass(frozen=True)
class Case:
    """A bench, and what is set in the run on it."""

    name: str
    bench: Sequence[str] = ()
    settings: Sequence[str] = ()
    seed: int = 1
    options: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What a run said and left, and what the bench knows of it."""

    exit_code: int
    result: dict[str, Any]
    truth: dict[str, Any]
    stdout: str
    stderr: str
    folder: Path
    before: dict[str, Any] = field(default_factory=dict)


def environment(home: Path) -> dict[str, str]:
    """Our own, with a home of its own for locks, and no proxy between us and the bench."""
    own = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "LOCALAPPDATA": str(home), "NO_PROXY": "*"}
    return {**os.environ, **own, "PYTHONWARNINGS": "default", "PYTHONIOENCODING": "utf-8"}


@contextmanager
def simulate(home: Path, seed: int, bench: Sequence[str], options: Sequence[str] = ()) -> Iterator[str]:
    """The address of a bench in a process of its own."""
    assignments = [word for assignment in bench for word in ("--set", assignment)]
    words = [
        *AUTOFOCUS,
        "simulate",
        "--seed",
        str(seed),
        "--speed",
        "500",
        "--discovery-port",
        "0",
        *assignments,
        *options,
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment(home))
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "autofocus simulate did not say its address"
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()


def truth(address: str, exposure_s: float = 10.0) -> dict[str, Any]:
    """What the bench knows and the engine may not ask."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{address}/simulator/v1/truth?exposure_s={exposure_s}", timeout=20) as answer:
        known: dict[str, Any] = json.load(answer)
    return known


def write_config(folder: Path, address: str, settings: Sequence[str] = ()) -> list[str]:
    """A scope.yaml in the folder; the words of the command line that name it and what is set besides."""
    path = folder / "scope.yaml"
    path.write_text(
        f'camera: {{address: "{address}", exposure_s: 10}}\n'
        f'focuser: {{address: "{address}", settle_s: 0.05}}\n'
        f"session: {{directory: {json.dumps(str(folder / 'sessions'))}, save_frames: false}}\n",
        encoding="utf-8",
    )
    return ["--config", str(path), *(word for setting in settings for word in ("--set", setting))]


def start(folder: Path, words: Sequence[str], *command: str, **options: Any) -> subprocess.Popen[str]:
    """Begin a command in the background."""
    piped: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    return subprocess.Popen([*AUTOFOCUS, *command, *words], env=environment(folder), cwd=folder, **{**piped, **options})


def wait_for_motion(address: str, start_position: float, inward_steps: int = 0) -> None:
    """Wait until the run has moved the focuser; with ``inward_steps`` by more than that, away from its first place."""
    deadline = time.monotonic() + 60
    while True:
        at = truth(address)["position"]
        if at != start_position and (inward_steps == 0 or at < start_position - inward_steps):
            return
        assert time.monotonic() < deadline, "the run never moved the focuser"
        time.sleep(0.05)


def focus(folder: Path, case: Case) -> Outcome:
    """One whole run on a bench of its own."""
    folder.mkdir(parents=True)
    with simulate(folder, case.seed, case.bench) as address:
        words = write_config(folder, address, case.settings)
        before = truth(address)
        done = subprocess.run(
            [*AUTOFOCUS, "run", "--json", *words, *case.options],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=RUN_LIMIT_S,
            env=environment(folder),
            cwd=folder,
        )
        after = truth(address)
    result = json.loads(done.stdout)
    return Outcome(done.returncode, result, after, done.stdout, done.stderr, folder, before)
