"""ASCOM's OmniSim, whose picture does not depend on its focuser: every call, a run that says so, everything as found.

Start OmniSim (docs/simulators.md) and set ``AUTOFOCUS_OMNISIM=127.0.0.1:32323``. The same is always tried on a
stand-in, the bench showing one picture without noise, so that this file is known to work.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from autofocus.devices.camera import AlpacaCamera
from autofocus.devices.clock import RealClock
from autofocus.devices.focuser import AlpacaFocuser
from autofocus.settings import CameraSettings, FocuserSettings
from tests.system import bench

VARIABLE = "AUTOFOCUS_OMNISIM"
SETTINGS = {
    "camera": ("binx", "biny", "startx", "starty", "numx", "numy", "gain", "offset", "readoutmode", "connected"),
    "focuser": ("position", "tempcomp", "connected"),
}
FOREIGN = {"BinX": 2, "BinY": 2, "StartX": 10, "StartY": 20, "NumX": 200, "NumY": 150}
STEPS = 3000  # how far to either side the run may go: OmniSim moves 400 steps a second

pytestmark = [pytest.mark.system, pytest.mark.omnisim]


class OtherClient:
    """Another program at the same devices, which has its own settings there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._base = f"http://{address}/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, path: str) -> dict[str, Any]:
        answer = self._session.get(f"{self._base}/{path}", params={"ClientID": 9, "ClientTransactionID": 1}, timeout=10)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def value(self, path: str) -> Any:
        body = self.get(path)
        assert body["ErrorNumber"] == 0, body["ErrorMessage"]
        return body["Value"]

    def put(self, path: str, **form: object) -> None:
        answer = self._session.put(
            f"{self._base}/{path}", data={"ClientID": 9, "ClientTransactionID": 1} | form, timeout=10
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["ErrorNumber"] == 0, answer.text

    def settings(self) -> dict[str, Any]:
        """What stands in the devices; for what they do not have the error's number."""
        found = {}
        for kind, members in SETTINGS.items():
            for member in members:
                body = self.get(f"{kind}/0/{member}")
                found[f"{kind}.{member}"] = body["Value"] if body["ErrorNumber"] == 0 else body["ErrorNumber"]
        return found

    def take_over(self) -> None:
        """Connect both devices, and set the camera to a part of its sensor, binned."""
        for kind in SETTINGS:
            self.put(f"{kind}/0/connected", Connected="true")
            self.wait(f"{kind}/0/connected", True)
        for name, value in FOREIGN.items():
            self.put(f"camera/0/{name.lower()}", **{name: value})

    def leave(self) -> None:
        """The whole sensor again."""
        for name, value in (("BinX", 1), ("BinY", 1), ("StartX", 0), ("StartY", 0)):
            self.put(f"camera/0/{name.lower()}", **{name: value})
        self.put("camera/0/numx", NumX=self.value("camera/0/cameraxsize"))
        self.put("camera/0/numy", NumY=self.value("camera/0/cameraysize"))
        self._session.close()

    def wait(self, path: str, wanted: object, within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while self.value(path) != wanted:
            assert time.monotonic() < deadline, path
            time.sleep(0.05)


@pytest.fixture(params=["omnisim", "stand-in"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OtherClient]:
    if request.param == "omnisim":
        address = os.environ.get(VARIABLE)
        if not address:
            pytest.skip(f"{VARIABLE} is not set: start ASCOM OmniSim (docs/simulators.md), {VARIABLE}=127.0.0.1:32323")
        one = OtherClient(address)
        one.take_over()
        yield one
        one.leave()
        return
    options = ("--fault", "fixed_picture", "--speed", "20")
    with bench.simulate(tmp_path, 1, ["sensor_px=800x600", "cooling_c_per_h=0"], options) as address:
        one = OtherClient(address)
        one.take_over()
        yield one
        one.leave()


def test_every_call_of_the_focuser(client: OtherClient) -> None:
    focuser = AlpacaFocuser(FocuserSettings(address=client.address, settle_s=0.0), RealClock())
    focuser.open()
    assert focuser.facts.name == client.value("focuser/0/name")
    start = focuser.position()
    assert start == client.value("focuser/0/position")
    for target in (start + 60, start - 40, start):
        assert focuser.move(target) == target == client.value("focuser/0/position")
        assert client.value("focuser/0/ismoving") is False
    temperature = focuser.temperature()
    assert temperature is None or -60 < temperature < 60
    client.put("focuser/0/move", Position=start + 4000)
    focuser.halt()
    client.wait("focuser/0/ismoving", False)
    assert start <= focuser.position() < start + 4000
    assert focuser.move(start) == start
    focuser.close()
    assert client.value("focuser/0/connected") is True  # it was before us


def test_every_call_of_the_camera(client: OtherClient) -> None:
    before = client.settings()
    camera = AlpacaCamera(CameraSettings(address=client.address), RealClock())
    camera.open()
    facts = camera.facts
    assert (facts.width_px, facts.height_px) == (
        client.value("camera/0/cameraxsize"),
        client.value("camera/0/cameraysize"),
    )
    camera.expose(0.2)
    whole = camera.fetch()
    assert whole.raw.shape == (facts.height_px, facts.width_px)
    assert whole.raw.max() > whole.raw.min() >= 0
    assert whole.exposure_s == 0.2
    camera.use_subframe(64, 32, 160, 100)
    camera.expose(0.4)
    part = camera.fetch()
    assert part.raw.shape == (100, 160)
    assert client.value("camera/0/startx") == 64
    temperature = camera.temperature()
    assert temperature is None or -60 < temperature < 60
    client.put("camera/0/startexposure", Duration=30.0, Light="true")
    camera.abort()
    client.wait("camera/0/camerastate", 0)
    camera.close()
    assert client.settings() == before


def test_a_run_finds_no_focus_and_leaves_everything_as_it_was(client: OtherClient, tmp_path: Path) -> None:
    before = client.settings()
    start = before["focuser.position"]
    limits = (f"focuser.min_position={start - STEPS}", f"focuser.max_position={start + STEPS}")
    words = bench.write_config(
        tmp_path,
        client.address,
        (*limits, "camera.exposure_s=0.5", "search.time_limit_s=200", "focuser.backlash_steps=10"),
    )
    done = subprocess.run(
        [*bench.AUTOFOCUS, "run", "--json", *words],
        capture_output=True, text=True, encoding="utf-8", timeout=bench.RUN_LIMIT_S + 60,
        env=bench.environment(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert (done.returncode, result["outcome"]) == (4, "no_focus"), result["message"] + done.stderr
    assert result["best"] is None
    assert result["start_position"] == result["position"] == start
    assert f"The focuser is back at {start}" in result["message"]
    assert {one["position"] for one in result["samples"]} > {start}  # it looked elsewhere too
    assert client.settings() == before
