"""A run on somebody else's simulator: alpaca-simulators, whose stars are sharpest at focuser position 10000.

It is a server that nobody here wrote and that Alpaca's rules do not fit in many places (docs/simulators.md). Its field
is drawn by cabaret from a catalogue, here one of our own in SQLite, so that nothing is asked of the network.
"""

from __future__ import annotations

import json
import math
import random
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system import bench

pytestmark = pytest.mark.system
BEST_FOCUS = 10_000
FIELD = (75.0, 20.0)  # degrees of right ascension and declination
SENSOR_PX = 512
STARS = 14


def write_catalogue(path: Path) -> Path:
    """Stars about the field's centre, in the table that cabaret reads."""
    chance = random.Random(5)
    half_deg = math.degrees(SENSOR_PX * 10e-6 / 8.0) / 2.0  # pixels of 10 µm behind 8 m
    rows = [
        (
            FIELD[0] + chance.uniform(-half_deg, half_deg) / math.cos(math.radians(FIELD[1])),
            FIELD[1] + chance.uniform(-half_deg, half_deg),
            0.0,
            0.0,
            chance.uniform(11.0, 14.5),
        )
        for _ in range(STARS)
    ]
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("create table gaia_sources (ra real, dec real, pmra real, pmdec real, phot_g_mean_mag real)")
        base.executemany("insert into gaia_sources values (?, ?, ?, ?, ?)", rows)
    return path


def write_config(folder: Path) -> Path:
    """The simulator's own settings, with our sky."""
    template = resources.files("alpaca_simulators") / "config" / "template.yaml"
    config: dict[str, Any] = yaml.safe_load(template.read_text(encoding="utf-8"))
    camera, telescope = (config["devices"][kind][0] for kind in ("camera", "telescope"))
    for key in ("cameraxsize", "cameraysize", "numx", "numy"):
        camera[key] = SENSOR_PX
    telescope |= {"rightascension": FIELD[0] / 15.0, "declination": FIELD[1], "tracking": True}
    config["tap_source"] = str(write_catalogue(folder / "stars.sqlite"))
    path = folder / "simulators.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of alpaca-simulators in a process of its own."""
    home = tmp_path_factory.mktemp("simulators")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "uvicorn", "alpaca_simulators.main:app", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**bench.environment(home), "ASTRA_SIMULATORS_CONFIG": str(write_config(home)), "MPLBACKEND": "agg"}
    with (home / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log, env=environment, cwd=home)
        try:
            wait_until_it_answers(process, f"http://127.0.0.1:{port}/")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_until_it_answers(process: subprocess.Popen[bytes], url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 90
    while True:
        try:
            with opener.open(url, timeout=5):
                return
        except OSError:
            assert process.poll() is None, "alpaca-simulators ended by itself"
            assert time.monotonic() < deadline, "alpaca-simulators does not answer"
            time.sleep(0.2)


def focused(folder: Path, address: str, *settings: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, result and stderr of a run."""
    config = folder / "scope.yaml"
    config.write_text(
        f'camera: {{address: "{address}", exposure_s: 0.5}}\n'
        f'focuser: {{address: "{address}", settle_s: 0}}\n'
        "measure: {mode: stars}\n"
        "search: {spacing_steps: 50, tolerance_steps: 8}\n"
        f"session: {{directory: {json.dumps(str(folder / 'sessions'))}, save_frames: false}}\n",
        encoding="utf-8",
    )
    words = ["run", "--json", "--config", str(config), *(word for one in settings for word in ("--set", one))]
    done = subprocess.run(
        [*bench.AUTOFOCUS, *words],
        capture_output=True, text=True, encoding="utf-8", timeout=bench.RUN_LIMIT_S,
        env=bench.environment(folder), cwd=folder,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


def put_focuser(address: str, position: int) -> None:
    """Where the run is to begin."""
    form = urllib.parse.urlencode({"Position": position, "ClientID": 1, "ClientTransactionID": 1}).encode()
    asked = urllib.request.Request(f"http://{address}/api/v1/focuser/0/move", form, method="PUT")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
        assert json.load(answer)["ErrorNumber"] == 0


@pytest.mark.parametrize("off", [-300, 300, -1500, 1500])
def test_stars_are_focused_from_near_and_far(simulators: str, tmp_path: Path, off: int) -> None:
    put_focuser(simulators, BEST_FOCUS + off)
    code, result, err = focused(tmp_path, simulators)
    assert (code, result["outcome"]) == (0, "focused"), result["message"] + err
    assert result["objective"] == "fwhm"
    assert result["start_position"] == BEST_FOCUS + off
    best = result["best"]
    assert abs(best["position"] - BEST_FOCUS) < best["uncertainty"] < 10.0, best
    assert result["position"] == round(best["position"])
    assert result["curves"]["fwhm"]["position"] == best["position"]
