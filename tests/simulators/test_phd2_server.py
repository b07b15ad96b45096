"""The bench's PHD2: the same star under the same sky, and the protocol as the real one speaks it."""

from __future__ import annotations

import json
import math
import socket
from typing import Any

import numpy as np
import pytest

from simulators.bench import Bench
from simulators.guide_star import SCALE_ARCSEC, GuideCamera
from simulators.options import BenchOptions
from simulators.phd2_guiding import Phd2, Refusal
from simulators.phd2_server import Phd2Server


class Hand:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Night:
    """A PHD2 on a bench, frame by frame."""

    def __init__(self, **options: Any) -> None:
        self.clock = Hand()
        given = {"guiding_px": 0.0, "cooling_c_per_h": 0.0, "image_shift_px_per_100_steps": 10.0, **options}
        self.bench = Bench("starex", 1, clock=self.clock, options=BenchOptions(**given))
        self.events: list[dict[str, Any]] = []
        offset = self.bench.options.guide_focus_offset_steps
        self.phd2 = Phd2(self.bench, self.events.append, focus_offset_steps=offset, guiding=self.bench.options.guider)

    def guide(self, frames: int = 1) -> list[dict[str, Any]]:
        before = len(self.events)
        for _ in range(frames):
            start = self.clock.now
            self.clock.now += self.phd2.exposure_s
            self.phd2.tick(start, self.clock.now)
        return self.events[before:]

    def move(self, steps: int) -> None:
        focuser = self.bench.focuser
        focuser.move(focuser.position(self.clock.now) + steps, self.clock.now)
        self.clock.now = max(focuser.arrival(), self.clock.now) + 0.001


def lengths(events: list[dict[str, Any]]) -> list[float]:
    return [math.hypot(event["dx"], event["dy"]) for event in events if event["Event"] == "GuideStep"]


def test_a_move_displaces_the_star_by_the_bench_s_own_shift_and_guiding_takes_it_back() -> None:
    night = Night()
    night.guide(3)
    night.move(60)
    expected = 6.0 * night.bench.instrument.plate_scale_arcsec_per_px / SCALE_ARCSEC
    errors = lengths(night.guide(6))
    assert errors[0] == pytest.approx(expected, rel=0.01)
    assert errors[1] == pytest.approx(0.3 * expected, rel=0.02)
    assert errors[-1] < 0.2
    assert math.hypot(*night.bench.shift.at(night.clock.now)) < 0.3
    # what was, stays: a frame exposed before the correction still shows the star displaced
    assert math.hypot(*night.bench.shift.at(night.clock.now - 6.0)) == pytest.approx(6.0, rel=0.01)


def test_a_jump_beyond_the_search_region_loses_the_star_until_it_comes_back() -> None:
    night = Night(image_shift_px_per_100_steps=40.0)
    night.guide(2)
    night.move(100)
    lost = night.guide(4)
    assert [event["Event"] for event in lost] == ["StarLost"] * 4
    assert night.phd2.call("get_app_state", None) == "LostLock"
    night.move(-90)
    assert [event["Event"] for event in night.guide(2)] == ["GuideStep"] * 2


def test_hfd_and_mass_follow_the_focus_of_the_guide_camera() -> None:
    night = Night(guide_focus_offset_steps=-40.0, image_shift_px_per_100_steps=0.0, start_offset_steps=0)
    best = night.bench.instrument.focus_steps - 40.0
    camera = GuideCamera(night.bench, -40.0)
    hfd, mass = {}, {}
    for offset in (-300, -60, 0, 60, 300):
        night.bench.focuser.move(round(best) + offset, night.clock.now)
        night.clock.now = night.bench.focuser.arrival() + 0.1
        seen = [camera.look(night.clock.now, night.clock.now + 1.0) for _ in range(30)]
        hfd[offset] = float(np.mean([one.hfd_px for one in seen]))
        mass[offset] = float(np.mean([one.mass for one in seen]))
    assert hfd[0] < hfd[60] < hfd[300]
    assert hfd[60] == pytest.approx(hfd[-60], rel=0.05)
    radius = 300 * night.bench.instrument.blur_radius_px_per_step * camera.px_per_slit_px
    assert hfd[300] == pytest.approx(math.hypot(hfd[0], math.sqrt(2.0) * radius), rel=0.05)
    assert mass[60] == pytest.approx(mass[0], rel=0.05)
    assert mass[300] == pytest.approx(mass[0] * min(1.0, (7.0 / radius) ** 2), rel=0.05)


def test_pausing_stopping_and_guiding_again() -> None:
    night = Night(guider=False)
    assert night.phd2.state == "Stopped"
    assert night.guide(2) == []
    night.phd2.call("guide", {"settle": {"pixels": 1.5, "time": 2, "timeout": 20}})
    told = [event["Event"] for event in night.guide(4)]
    assert told.count("GuideStep") == 4
    done = [event for event in night.events if event["Event"] == "SettleDone"]
    assert [event["Status"] for event in done] == [0]
    night.phd2.call("set_paused", [True])
    night.move(60)
    assert night.guide(3) == []
    assert math.hypot(*night.bench.shift.at(night.clock.now)) == pytest.approx(6.0, rel=0.02)
    night.phd2.call("set_paused", [False])
    assert lengths(night.guide(1))[0] > 3.0
    night.phd2.call("stop_capture", None)
    assert [event["Event"] for event in night.events[-2:]] == ["GuidingStopped", "LoopingExposuresStopped"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("guide", None, -32602), ("guide", [{"pixels": 1.0, "time": 2}], -32602), ("set_paused", ["x"], -32602),
        ("nosuch", None, -32601), ("set_exposure", [0], 1), ("set_connected", [False], 1),
    ],
)  # fmt: skip
def test_what_the_real_one_refuses_is_refused(method: str, params: Any, code: int) -> None:
    with pytest.raises(Refusal) as refused:
        Night().phd2.call(method, params)
    assert refused.value.code == code


def test_over_its_socket() -> None:
    bench = Bench("starex", 1, options=BenchOptions(speed=50.0))
    with Phd2Server(bench) as server, socket.create_connection((server.host, server.port), 5.0) as client:
        lines = client.makefile("rb")
        assert json.loads(lines.readline())["PHDVersion"] == "2.6.14"
        assert json.loads(lines.readline()) | {"Timestamp": 0} == {
            "Event": "AppState", "Timestamp": 0, "Host": "bench", "Inst": 1, "State": "Guiding",
        }  # fmt: skip
        client.sendall(b'{"method": "get_pixel_scale", "id": 7}\r\n[{"method": "nosuch", "id": 8}]\r\n{bad\r\n')
        answers, steps = [], 0
        while len(answers) < 3 or steps < 3:
            message = json.loads(lines.readline())
            steps += isinstance(message, dict) and message.get("Event") == "GuideStep"
            if not isinstance(message, dict) or "jsonrpc" in message:
                answers.append(message)
    assert answers[0] == {"jsonrpc": "2.0", "result": SCALE_ARCSEC, "id": 7}
    assert answers[1][0]["error"]["code"] == -32601
    assert (answers[2]["error"]["code"], answers[2]["id"]) == (-32700, None)
