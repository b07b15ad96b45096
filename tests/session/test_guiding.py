"""Waiting for the guider, losing it, hopping where it could not follow, and what the moves and the guide star tell."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autofocus.devices.clock import VirtualClock
from autofocus.errors import FrameError
from autofocus.model import Flag, FocusCurves, Frame, Measurement
from autofocus.ports import GuidingState
from autofocus.session.guidestar import blur_radius_px, cloud_note, dim_frames, guide_focus, sentence
from autofocus.session.ledger import Ledger
from autofocus.session.shifts import ImageShift, shift_rates, shift_table
from autofocus.session.steady import Glances, SteadyWatch, change_between
from autofocus.settings import Settings
from tests.session.fakes import Bench, FakeGuider, curves_at, going_to


@dataclass
class ScriptedGuider(FakeGuider):
    """A guider whose exposures end as scripted, and whose star the focuser shifts by a rate."""

    ends: list[GuidingState] = field(default_factory=list)
    px_per_step: float = 0.0
    focuser: Any = None
    left: int = 0

    def move_started(self) -> None:
        super().move_started()
        self.left = self.focuser.at

    def settle(self) -> GuidingState:
        state = super().settle()
        moved = (self.focuser.at - self.left) * self.px_per_step
        return replace(state, shift_px=(0.6 * moved, 0.8 * moved), pixel_scale_arcsec=2.0)

    def exposure_ended(self) -> GuidingState:
        return self.ends.pop(0) if self.ends else self.kept


def guided(bench: Bench, **more: Any) -> ScriptedGuider:
    guider = ScriptedGuider(bench.log, focuser=bench.focuser, **more)
    bench.guider = guider
    bench.sections["guider"] = {"kind": "phd2"}
    return guider


LOST = GuidingState(lost=True, why="the guide star was lost for 5 guide frames")
GONE = GuidingState(settled=False, lost=True, gone=True, waited_s=60.0, why="PHD2 gave no guide step for 60 s")


def test_a_frame_that_lost_its_star_is_repeated_once_and_the_good_one_counts(bench: Bench) -> None:
    guided(bench, ends=[GuidingState(), LOST])
    result = bench.run(going_to((9420, 9400), confirm=False)).result
    assert result["exposures"] == 3
    assert [sample["position"] for sample in result["samples"]] == [9420, 9400]
    assert all(not sample["flags"] for sample in result["samples"])
    assert any("exposure 2 at 9400, which is repeated once" in sentence for sentence in result["warnings"])
    again = bench.log[bench.log.index("move 9400") :]
    assert again[1:7] == ["resume", "guide", "watch", "expose at 9400", "guide", "watch"]


def test_a_star_lost_twice_is_flagged_and_the_run_goes_on(bench: Bench) -> None:
    guided(bench, ends=[LOST, LOST])
    result = bench.run(going_to((9420, 9400), confirm=False)).result
    assert [sample["flags"] for sample in result["samples"]] == [["guiding_lost"], []]
    assert result["exposures"] == 3


def test_lost_twice_ends_the_run_where_the_settings_say_so(bench: Bench) -> None:
    guided(bench, ends=[LOST, LOST])
    bench.sections["guider"]["on_failure"] = "stop"
    ending = bench.run(going_to((9420, 9400), confirm=False))
    assert (ending.exit_code, ending.result["reason"]) == (5, "guiding")
    assert bench.focuser.at == 9400  # where it began


def test_a_guider_that_is_gone_is_replaced_by_the_spectrum_and_asked_no_more(bench: Bench) -> None:
    guided(bench, states=[GuidingState(), GONE])
    result = bench.run(going_to((9420, 9410, 9400), confirm=False)).result
    assert result["outcome"] == "focused"
    assert bench.log.count("guide") == 2
    assert sum("watches the spectrum itself" in sentence for sentence in result["warnings"]) == 1
    # two like glances at each of the two positions that were left, beside the three frames
    assert result["exposures"] == 3 + 2 * 2
    assert all("guiding_lost" not in sample["flags"] for sample in result["samples"])
    assert bench.log.count("close guider") == 1


def test_a_guider_that_is_gone_ends_the_run_where_the_settings_say_so(bench: Bench) -> None:
    guided(bench, states=[GONE])
    bench.sections["guider"]["on_failure"] = "stop"
    assert bench.run(going_to((9420, 9400), confirm=False)).exit_code == 5


def test_steady_watches_the_spectrum_before_each_frame(bench: Bench) -> None:
    bench.sections["guider"] = {"kind": "steady"}
    result = bench.run(going_to((9420, 9410), confirm=False)).result
    assert bench.log.count("expose at 9410") == 3
    assert result["timing"]["guiding_s"] == pytest.approx(4 * 2.5)  # a quarter of 10 s, four times
    assert result["timing"]["exposing_s"] == pytest.approx(20.0)
    assert [sample["exposure_s"] for sample in result["samples"]] == [10.0, 10.0]


def test_a_guide_scope_settles_first_and_then_the_spectrum(bench: Bench) -> None:
    guided(bench)
    bench.sections["guider"]["sees_slit"] = False
    bench.run(going_to((9420,), confirm=False))
    at = bench.log.index("guide")
    assert bench.log[at : at + 6] == ["guide", "expose at 9420", "fetch", "expose at 9420", "fetch", "watch"]


def test_long_moves_are_made_in_hops_once_the_shift_is_known(bench: Bench) -> None:
    """0.15 px a step: half of PHD2's search region is 50 steps."""
    guided(bench, px_per_step=0.15)
    result = bench.run(going_to((9380, 9200), confirm=False)).result
    assert bench.moves()[:5] == [9380, 9335, 9290, 9245, 9200]
    inward = result["image_shift"]["inward"]
    assert inward["px_per_100_steps"] == pytest.approx(15.0)
    assert inward["arcsec_per_100_steps"] == pytest.approx(30.0)
    assert result["image_shift"]["outward"] is None


def test_the_first_long_move_is_begun_by_a_short_one(bench: Bench) -> None:
    guided(bench, px_per_step=0.01)
    bench.run(going_to((9200,), confirm=False))
    assert bench.moves()[:2] == [9371, 9200]  # twice the spacing at most; then all at once


def shift(outward: int, inward: int, px: tuple[float, float]) -> ImageShift:
    return ImageShift(9400, outward, inward, px, 1.5, 6.0)


def test_image_shifts_of_both_directions_come_apart_also_where_every_outward_move_overshot() -> None:
    rng = np.random.default_rng(4)
    out, back = np.array([0.02, 0.01]), np.array([-0.03, 0.005])
    moves = [(0, 15)] * 6 + [(80, 20), (100, 30), (60, 20)]
    shifts = [shift(o, i, tuple(o * out + i * back + rng.normal(0, 0.05, 2))) for o, i in moves]
    outward, inward = shift_rates(shifts)
    assert outward is not None
    assert inward is not None
    for rate, true in ((outward, out), (inward, back)):
        assert rate.px_per_step == pytest.approx(float(np.hypot(*true)), abs=4 * rate.error_px_per_step)
        assert rate.error_px_per_step < 0.004
    assert (outward.moves, inward.moves) == (3, 9)


def test_directions_that_were_only_moved_together_are_not_told_apart() -> None:
    assert shift_rates([shift(80, 20, (1.0, 0.0)), shift(40, 10, (0.5, 0.0))]) == (None, None)
    assert shift_rates([]) == (None, None)
    assert shift_table([]) is None
    one = shift_table([shift(0, 10, (0.3, 0.4))])
    assert one is not None
    assert one["inward"]["px_per_100_steps"] == pytest.approx(5.0)
    assert one["inward"]["arcsec_per_100_steps"] == pytest.approx(7.5)
    assert math.isnan(one["inward"]["px_err"])
    assert one["moves"][0]["shift_arcsec"] == pytest.approx(0.75)


def guide_series(best: float, *, seed: int = 1, scatter: float = 0.04) -> list[Measurement]:
    rng = np.random.default_rng(seed)
    return [
        Measurement(
            position=float(x),
            guide_hfd_px=float(np.hypot(2.5, 0.08 * (x - best)) * (1 + scatter * rng.standard_normal())),
            guide_mass=float(50000 * (1 + 0.03 * rng.standard_normal())),
            nsig=500.0,
            window_fraction=1.0,
        )
        for x in range(9300, 9450, 15)
    ]


def test_the_guide_star_has_a_focus_of_its_own() -> None:
    misses = []
    for seed in range(8):
        found = guide_focus(guide_series(9352.0, seed=seed), curves_at(9380.0))
        assert found is not None
        assert found.offset_steps == pytest.approx(found.curve.position - 9380.0)
        misses.append((found.curve.position - 9352.0) / found.curve.uncertainty)
    assert np.sqrt(np.mean(np.square(misses))) < 2.0
    told = sentence(replace(found, offset_steps=-28.0, offset_err_steps=3.0))
    assert "28.0 ± 3.0 steps inward of the slit's focus" in told
    assert "agrees with the slit's focus" in sentence(replace(found, offset_steps=4.0, offset_err_steps=3.0))


def test_no_guide_focus_where_there_is_none_to_see() -> None:
    assert guide_focus(guide_series(9000.0), curves_at(9380.0)) is None  # beyond the positions
    flat = [replace(one, guide_hfd_px=2.5 + 0.1 * (index % 3)) for index, one in enumerate(guide_series(9350.0))]
    assert guide_focus(flat, curves_at(9380.0)) is None
    assert guide_focus(guide_series(9350.0)[:4], curves_at(9380.0)) is None
    assert guide_focus([Measurement(position=1.0)], FocusCurves()) is None


def test_the_ring_of_a_far_guide_star_is_foreseen() -> None:
    seen = guide_series(9375.0, scatter=0.0)
    expected = math.hypot(2.5, 0.08 * 300) / math.sqrt(2)
    assert blur_radius_px(9675.0, seen) == pytest.approx(expected, rel=1e-6)
    assert blur_radius_px(9675.0, seen[:3]) is None


def test_mass_tells_a_cloud_from_a_star_beside_the_slit() -> None:
    seen = guide_series(9375.0)
    assert cloud_note(2.5, 20000.0, seen).startswith("a cloud: the guide star had ")
    assert cloud_note(2.5, 45000.0, seen) == ""
    assert cloud_note(40.0, 100.0, seen) == ""  # no other guide star was so wide: nothing to compare with
    assert cloud_note(math.nan, math.nan, seen) == ""
    nsig = replace(curves_at(9380.0).fwhm, metric="nsig", line=((9300.0, 500.0), (9375.0, 500.0), (9450.0, 500.0)))
    curves = FocusCurves(nsig=nsig)
    dim = [replace(one, nsig=200.0) if index in (4, 6) else one for index, one in enumerate(seen)]
    dim[4] = replace(dim[4], guide_mass=20000.0)
    said = dim_frames(dim, curves)
    assert [line.partition(":")[0].split(" holds")[0] for line in said] == ["frame 5 at 9360", "frame 7 at 9390"]
    assert said[0].endswith("a cloud")
    assert said[1].endswith("the star stood beside the slit")


class Glimpses:
    """A camera that shows one measurement after another; the last one stays."""

    def __init__(self, clock: VirtualClock, shown: list[Measurement | None]) -> None:
        self.clock, self.shown = clock, shown

    def expose(self, exposure_s: float) -> None:
        self.clock.sleep(exposure_s)

    def fetch(self) -> Frame:
        if self.shown[0] is None:
            self.shown.pop(0)
            raise FrameError("half an image")
        return Frame(raw=np.zeros((1, 1)))

    def measure(self, _frame: Frame, _settings: Any) -> Any:
        return SimpleNamespace(measurement=self.shown.pop(0) if len(self.shown) > 1 else self.shown[0])


def watch(*shown: Measurement | None) -> tuple[GuidingState, Ledger]:
    clock = VirtualClock()
    camera = Glimpses(clock, list(shown))
    sections = {"camera": {"address": "c:1", "exposure_s": 8}, "focuser": {"address": "f:1"}}
    settings = Settings.model_validate(sections)
    ledger = Ledger(clock)
    glances = Glances(camera, camera.measure, settings, ledger)  # type: ignore[arg-type]
    return SteadyWatch(glances, settings, clock).settle(), ledger


def glimpse(center: float, nsig: float, *flags: Flag) -> Measurement:
    return Measurement(center_px=center, nsig=nsig, nsig_err=5.0, flags=flags)


DARK = glimpse(math.nan, math.nan, Flag.NO_TRACE)


def test_the_spectrum_is_steady_when_two_frames_in_a_row_agree() -> None:
    state, ledger = watch(glimpse(104.0, 100.0), glimpse(101.0, 300.0), glimpse(100.0, 480.0), glimpse(100.2, 500.0))
    assert (state.settled, state.waited_s, ledger.glances) == (True, 8.0, 4)
    assert watch(glimpse(100.0, 500.0), None, glimpse(100.0, 500.0), glimpse(100.0, 510.0))[0].waited_s == 8.0


def test_what_never_comes_to_rest_times_out_and_the_dark_is_not_waited_for() -> None:
    wild = [glimpse(100.0 + 5.0 * (n % 2), 500.0) for n in range(60)]
    state, _ = watch(*wild)
    assert not state.settled
    assert state.waited_s == 60.0
    assert "still moves by 5.0 px" in state.why
    dark, _ = watch(DARK)
    assert (dark.settled, dark.waited_s) == (True, 6.0)
    assert "no spectrum bright enough" in dark.why


def test_changes_are_judged_against_noise_and_seeing() -> None:
    assert change_between(glimpse(1.0, 500.0), glimpse(1.5, 560.0), 1.5) == ""
    assert "light" in change_between(glimpse(1.0, 500.0), glimpse(1.0, 700.0), 1.5)
    assert "comes and goes" in change_between(DARK, glimpse(1.0, 500.0), 1.5)
    assert change_between(glimpse(math.nan, 500.0), glimpse(1.0, 500.0), 1.5) != ""
