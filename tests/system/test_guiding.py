"""A whole run beside a guider on one bench: what waiting for the guider is good for."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from autofocus.settings import GuiderSettings
from simulators.bench import Bench
from simulators.options import parse_options
from tests.system import bench

SPEED = 15
SHIFT_PX_PER_100_STEPS = 12.0
NIGHT = (
    "sensor_px=1200x500",
    "cooling_c_per_h=0",
    "start_offset_steps=45",
    f"image_shift_px_per_100_steps={SHIFT_PX_PER_100_STEPS}",
    "guide_exposure_s=3",
)
SEED = 3
GUIDED = (f"guider.settle_time_s={5 / SPEED}", "guider.settle_timeout_s=20")

pytestmark = pytest.mark.system


def focus(folder: Path, kind: str) -> dict[str, Any]:
    """The result of one run on the night, with a PHD2 that guides whether or not we wait for it."""
    folder.mkdir()
    words = [word for assignment in NIGHT for word in ("--set", assignment)]
    serving = [*bench.AUTOFOCUS, "simulate", "--seed", str(SEED), "--speed", str(SPEED), "--phd2-port", "0", *words]
    process = subprocess.Popen(serving, stdout=subprocess.PIPE, text=True, env=bench.environment(folder))
    try:
        assert process.stdout is not None
        address, guide_address = (process.stdout.readline().strip() for _ in range(2))
        asked = (f"guider.kind={kind}", f"guider.address={json.dumps(guide_address)}", *GUIDED)
        more = ("search.objective=nsig", "focuser.settle_s=0", "search.max_exposures=20")
        config = bench.write_config(folder, address, (*asked, *more))
        done = subprocess.run(
            [*bench.AUTOFOCUS, "run", "--json", *config],
            capture_output=True, text=True, encoding="utf-8", timeout=bench.RUN_LIMIT_S,
            env=bench.environment(folder), cwd=folder,
        )  # fmt: skip
    finally:
        process.terminate()
        process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    home = tmp_path_factory.mktemp("guiding")
    with ThreadPoolExecutor(2) as pool:
        both = {kind: pool.submit(focus, home / kind, kind) for kind in ("phd2", "none")}
        return {kind: future.result() for kind, future in both.items()}


@pytest.fixture(scope="module")
def truth() -> Bench:
    return Bench("starex", SEED, options=parse_options(NIGHT))


def light_kept(result: dict[str, Any], truth: Bench) -> list[float]:
    """The light of each frame in parts of what the noiseless curve holds at its position; 0 without a trace."""
    return [
        (sample["nsig"] or 0.0) / (sample["window_fraction"] or 1.0) / truth.nsig(sample["position"])
        for sample in result["samples"]
    ]


def test_with_guiding_the_light_curve_is_the_true_one(runs: dict[str, Any], truth: Bench) -> None:
    result = runs["phd2"]
    assert result["outcome"] == "focused", result["message"]
    kept = light_kept(result, truth)
    # seeing scatters by 6 % from frame to frame and wanders by 5 %, the air's transparency by 2 %
    assert statistics.median(kept) == pytest.approx(1.0, abs=0.06)
    assert min(kept) > 0.8
    curve = result["curves"]["nsig"]
    assert abs(curve["position"] - truth.truth("nsig")) < 3 * curve["uncertainty"] + 1
    assert curve["value"] == pytest.approx(truth.nsig(truth.truth("nsig")), rel=0.1)
    assert not any(flag.startswith("guiding") for sample in result["samples"] for flag in sample["flags"])


def test_without_waiting_it_is_visibly_not(runs: dict[str, Any], truth: Bench) -> None:
    kept = light_kept(runs["none"], truth)[1:]  # before the first frame nothing moved
    assert min(kept) < 0.6
    assert statistics.median(kept) < 0.85


def test_the_run_tells_of_guiding_and_image_shift(runs: dict[str, Any], truth: Bench) -> None:
    result = runs["phd2"]
    assert result["timing"]["guiding_s"] > 5 / SPEED * len(result["samples"])
    assert all(sample["guide_hfd_px"] > 1 and sample["guide_mass"] > 0 for sample in result["samples"])
    true_rate = SHIFT_PX_PER_100_STEPS * truth.instrument.plate_scale_arcsec_per_px
    for way in ("inward", "outward"):
        rate = result["image_shift"][way]
        assert rate["arcsec_per_100_steps"] == pytest.approx(true_rate, rel=0.15)
    assert runs["none"]["image_shift"] is None
    assert runs["none"]["guide"] is None
    guide = result["guide"]
    if guide["position"] is not None:  # a run of few positions need not show it
        sharpest = truth.instrument.focus_steps + truth.options.guide_focus_offset_steps
        assert abs(guide["position"] - sharpest) < 4 * guide["uncertainty"] + 2


@pytest.mark.skipif("AUTOFOCUS_PHD2" not in os.environ, reason="AUTOFOCUS_PHD2=host:port names no real PHD2")
def test_a_real_phd2_guides_settles_loses_its_star_and_comes_back() -> None:
    """Drives a real PHD2 (its simulator will do): connect, guide, shift by set_lock_position, star loss and return."""
    from autofocus.devices.clock import RealClock
    from autofocus.devices.phd2 import Phd2Guider

    clock = RealClock()
    asked = GuiderSettings(
        kind="phd2", address=os.environ["AUTOFOCUS_PHD2"], start_if_stopped=True, settle_time_s=4, settle_timeout_s=90
    )
    guider = Phd2Guider(asked, clock)
    try:
        guider.open()
        assert guider.settle().settled
        x, y = guider._link.ask("get_lock_position")
        guider.move_started()
        guider._link.ask("set_lock_position", [x + 4.0, y + 3.0, True])
        guider.move_ended()
        shifted = guider.settle()
        assert shifted.settled, shifted.why
        assert shifted.shift_px is not None
        assert math.hypot(*shifted.shift_px) == pytest.approx(5.0, abs=1.0)
        usual = guider._link.ask("get_exposure")
        guider.exposure_started()
        guider._link.ask("set_exposure", [10])
        clock.sleep(5.0)
        guider._link.ask("set_exposure", [usual])
        assert guider.exposure_ended().lost
        assert guider.settle().settled
    finally:
        guider.close()
