"""Hundreds of runs with random faults: each ends, tells truly where the focuser stands, and leaves its records."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from autofocus.devices.clock import RealClock
from autofocus.errors import DeviceError, DeviceTimeout, DeviceUnreachable, FrameError, GuidingError
from autofocus.session.journal import EVENTS, read_events
from autofocus.session.records import exit_code
from tests.session.fakes import BEST, Bench, FakeGuider, going_to, write_frame

OPERATIONS = ("open", "position", "move", "expose", "fetch", "temperature", "write", "guide")
FAULTS: tuple[Any, ...] = (
    DeviceUnreachable("nobody answers"),
    DeviceTimeout("too late"),
    DeviceError("stuck"),
    FrameError("half an image"),
    GuidingError("the star is gone"),
    OSError(28, "No space left on device"),
    RuntimeError("our own fault"),
    KeyboardInterrupt(),
    "stop",
    "stop twice",
)
REASONS = {"device", "guiding", "frame", "storage", "internal"}


class Storm:
    """Raises a few random faults at random calls."""

    def __init__(self, bench: Bench, rng: random.Random) -> None:
        self.bench = bench
        self.calls: dict[str, int] = {}
        self.planned = [
            (rng.choice(OPERATIONS), rng.randint(1, 8), rng.choice((1, 1, 2, 10**6)), rng.choice(FAULTS))
            for _ in range(rng.choice((0, 1, 1, 2, 3)))
        ]

    def __call__(self, operation: str) -> None:
        count = self.calls[operation] = self.calls.get(operation, 0) + 1
        for planned, first, times, fault in self.planned:
            if planned == operation and first <= count < first + times:
                self.strike(fault)

    def strike(self, fault: Any) -> None:
        if isinstance(fault, str):
            for _ in range(1 + fault.endswith("twice")):
                self.bench.clock.stop()
        else:
            raise fault


class GuiderInStorm(FakeGuider):
    storm: Storm

    def settle(self) -> Any:
        self.storm("guide")
        return super().settle()


def in_storm(folder: Path, seed: int) -> tuple[Bench, Any]:
    bench, rng = Bench(folder), random.Random(seed)
    storm = Storm(bench, rng)
    bench.focuser.fault = bench.camera.fault = storm
    bench.guider = GuiderInStorm(bench.log)
    bench.guider.storm = storm
    bench.sections["focuser"]["backlash_steps"] = rng.choice((0, 40))

    def write(frame: Any, headers: Any, path: Path) -> None:
        storm("write")
        write_frame(frame, headers, path)

    outcome = rng.choice(("focused", "no_focus"))
    return bench, bench.run(going_to((9450, 9400, 9350), (9375,), outcome=outcome), write_frame=write)


@pytest.mark.parametrize("seed", range(200))
def test_a_run_in_a_storm(tmp_path: Path, seed: int) -> None:
    bench, ending = in_storm(tmp_path, seed)
    result = ending.result
    assert ending.exit_code == exit_code(result)
    stands = bench.focuser.at
    assert result["position"] in (stands, None)
    if result["outcome"] == "focused":
        assert stands == BEST
    elif result["start_position"] is not None and stands != 9400:
        assert "could not be brought back to 9400" in result["message"]
        assert result["outcome"] in ("failed", "aborted")
    assert result["outcome"] in ("focused", "no_focus", "aborted") or result["reason"] in REASONS
    for name in ("focuser", "camera"):
        assert bench.log.count(f"close {name}") >= bench.log.count(f"open {name}")
    if ending.folder is None:  # refused before it began
        assert (result["session"], result["exposures"], result["moves"]) == (None, 0, 0)
        assert not list((tmp_path / "sessions").glob("*"))
        return
    assert json.loads((ending.folder / "result.json").read_text()) == result
    kinds = [type(event).__name__ for event in read_events(ending.folder)]
    assert (kinds.count("SessionStarted"), kinds[-1]) == (1, "SessionEnded")
    measured = [json.loads(line)["event"] for line in (ending.folder / EVENTS).read_text().splitlines()]
    assert measured.count("SampleMeasured") == len(result["samples"])


def test_a_download_that_hangs_does_not_hold_up_the_way_home_nor_a_second_stop(bench: Bench) -> None:
    clock = RealClock()
    bench.clock = bench.focuser.clock = bench.camera.clock = clock  # type: ignore[assignment]
    bench.focuser.speed = 1e5
    bench.sections["camera"]["exposure_s"] = bench.sections["focuser"]["settle_s"] = 0.01
    bench.overlapped = True
    released = threading.Event()

    def hang(operation: str) -> None:
        if operation == "fetch":
            clock.stop()
            threading.Timer(0.3, clock.stop).start()
            assert released.wait(10.0)

    bench.camera.fault = hang
    ending = bench.run(going_to((9450, 9350)))
    assert not released.is_set()
    released.set()
    assert ending.exit_code == 130
    assert bench.focuser.at == 9400 == ending.result["position"]
    assert ending.result["timing"]["total_s"] < 5.0
