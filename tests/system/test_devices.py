"""``simulate`` answers discovery, ``devices --write`` makes a scope.yaml of it, ``run`` focuses with that file."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.system import bench

pytestmark = pytest.mark.system


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*bench.AUTOFOCUS, *words],
        capture_output=True, text=True, encoding="utf-8", cwd=folder, env=bench.environment(folder), timeout=120,
    )  # fmt: skip


def test_from_discovery_to_focus_without_typing_an_address(tmp_path: Path) -> None:
    # a discovery port of its own: whoever else serves a bench on this machine answers at the usual one
    port = ("--discovery-port", str(free_udp_port()))
    with bench.simulate(tmp_path, 1, ["sensor_px=800x300"], port) as address:
        began = time.monotonic()
        listed = call(tmp_path, "devices", "--json", *port)
        assert time.monotonic() - began < 10
        devices = json.loads(listed.stdout)
        assert [(each["kind"], each["address"], each["number"]) for each in devices] == [
            ("camera", address, 0),
            ("focuser", address, 0),
        ]
        assert all(each["name"] and len(each["unique_id"]) == 36 for each in devices)
        written = call(tmp_path, "devices", "--write", "scope.yaml", *port)
        assert written.returncode == 0, written.stderr
        assert f'camera:  {{address: "{address}", device_number: 0}}' in written.stdout
        assert "scope.yaml is written" in written.stderr
        again = call(tmp_path, "devices", "--write", "scope.yaml", *port)
        assert again.returncode == 2
        assert "exists already" in again.stderr
        run = call(tmp_path, "run", "--json", "--config", "scope.yaml", "--set", "focuser.settle_s=0")
        result = json.loads(run.stdout)
        assert (run.returncode, result["outcome"]) == (0, "focused"), run.stderr
        known = bench.truth(address)
        assert abs(result["best"]["position"] - known["optima"]["snr"]) < 12
        assert known["position"] == result["position"]
        assert address in (tmp_path / "scope.yaml").read_text(encoding="utf-8")


def test_simulate_tells_how_to_use_it(tmp_path: Path) -> None:
    words = [*bench.AUTOFOCUS, "simulate", "--set", "sensor_px=800x300"]
    for options, hints in (((), 2), (("--discovery-port", "0"), 1)):
        process = subprocess.Popen(
            [*words, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=bench.environment(tmp_path),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().strip()
        said = [process.stderr.readline().strip() for _ in range(1 + hints)]
        process.terminate()
        assert process.wait(timeout=20) == 0
        left = process.stderr.read()
        process.stdout.close()
        process.stderr.close()
        assert said[0] == "starex, seed 1: camera 0 and focuser 0; Ctrl-C ends it"
        assert said[1] == f"focus it:  autofocus run --set camera.address={address} --set focuser.address={address}"
        assert said[2:] == ["or first:  autofocus devices --write scope.yaml"][: hints - 1]
        assert left == ""


def test_on_alpacas_own_port_and_not_at_all(tmp_path: Path) -> None:
    with bench.simulate(tmp_path, 1, ["sensor_px=800x300"], ("--discovery-port", "32227")) as address:
        found = json.loads(call(tmp_path, "devices", "--json").stdout)
        assert ("focuser", address) in {(each["kind"], each["address"]) for each in found}
    quiet = str(free_udp_port())
    with bench.simulate(tmp_path, 1, ["sensor_px=800x300"], ("--discovery-port", "0")):
        nobody = call(tmp_path, "devices", "--write", "none.yaml", "--json", "--wait", "0.3", "--discovery-port", quiet)
    assert nobody.returncode == 3
    assert "no camera and no focuser answered" in nobody.stderr
    assert not (tmp_path / "none.yaml").exists()
