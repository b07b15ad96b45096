"""What a real PHD2 said, word by word, and what it means."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofocus.devices.phd2_state import GuideStep, Phd2State
from autofocus.devices.settling import judge, scatter_px

TRANSCRIPTS = Path(__file__).resolve().parents[3] / "shared/data/phd2"


def transcript(name: str) -> list[dict[str, Any]]:
    path = TRANSCRIPTS / name
    if not path.is_file():
        pytest.skip(f"{TRANSCRIPTS} is absent")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def fed(name: str, until: float = math.inf) -> Phd2State:
    """The state after what PHD2 sent up to a time."""
    state = Phd2State()
    for line in transcript(name):
        if line["dir"] == "<" and line["t"] <= until:
            state = state.feed(line["msg"], line["t"])
    return state


def judged_at(state: Phd2State, moved: float, *, settle_time_s: float = 4.0, usual: float = 0.15) -> Any:
    return judge(state.steps_since(moved), settle_px=1.5, settle_time_s=settle_time_s, usual_scatter_px=usual)


def first_settled(name: str, moved: float, usual: float, settle_time_s: float = 4.0) -> float:
    """When the rule first says settled after a move."""
    state = Phd2State()
    for line in transcript(name):
        if line["dir"] != "<":
            continue
        state = state.feed(line["msg"], line["t"])
        if line["t"] > moved and judged_at(state, moved, settle_time_s=settle_time_s, usual=usual).settled:
            return float(line["t"])
    return math.inf


@pytest.mark.real
def test_the_states_of_a_recorded_session_are_followed() -> None:
    expected = {0.1: "Stopped", 2.0: "Looping", 20.0: "Calibrating", 42.52: "Guiding", 60.0: "Guiding",
                110.0: "Paused", 118.0: "Guiding", 125.0: "Paused", 135.0: "LostLock", 140.0: "Guiding",
                144.5: "Stopped", 147.0: "Looping", 158.0: "Guiding"}  # fmt: skip
    found = {at: fed("session.jsonl", at).state for at in expected}
    assert found == expected
    last = fed("session.jsonl")
    assert last.version == "2.6.14"
    assert last.steps[0] == GuideStep(43.177, -0.226, -0.313, 1.69, 49313, 20.19, (0.188, 0.0))
    assert len(last.losses) == 24
    assert last.exposure_s == 0.5  # from GuideParamChange, "500 ms"


@pytest.mark.real
def test_every_answer_of_app_state_agrees_with_the_events() -> None:
    for name in ("session.jsonl", "edge_cases.jsonl"):
        state, asked = Phd2State(), set()
        for line in transcript(name):
            message = line["msg"]
            if line["dir"] == ">" and message.get("method") == "get_app_state":
                asked.add(message["id"])
            elif line["dir"] == "<" and message.get("id") in asked:
                # Looping with a star selected is "Selected" when asked; no event tells the two apart
                told = "Looping" if message["result"] == "Selected" else message["result"]
                assert state.state == told, line
            elif line["dir"] == "<":
                state = state.feed(message, line["t"])


@pytest.mark.real
def test_before_any_move_the_star_rests() -> None:
    state = fed("session.jsonl", 63.0)
    steps = [step for step in state.steps if step.at > 48.5]
    assert scatter_px(steps) == pytest.approx(0.14, abs=0.03)
    assert judged_at(state, 50.0).settled
    assert state.frame_time_s == pytest.approx(0.63, abs=0.02)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "moved", "usual", "shift", "rested"),
    [
        ("session.jsonl", 67.92, 0.14, 5.0, 73.5),  # 5 px: 3.97, 2.99 is the first raw error
        ("session.jsonl", 75.97, 0.14, 12.0, 84.5),
        ("edge_cases.jsonl", 53.61, 0.45, 8.0, 62.0),
    ],
)
def test_a_shift_is_seen_and_waited_for(name: str, moved: float, usual: float, shift: float, rested: float) -> None:
    first = fed(name).steps_since(moved)[0]
    assert math.hypot(first.dx_px, first.dy_px) == pytest.approx(shift, rel=0.05)
    settled = first_settled(name, moved, usual)
    assert moved + 4.0 < settled <= rested + 4.0 + 1.0
    # and what settled is what came after the star was back
    assert all(math.hypot(s.dx_px, s.dy_px) < 1.5 for s in fed(name, settled).steps_since(settled - 4.0))


@pytest.mark.real
def test_the_smoothed_distance_would_have_missed_what_raw_steps_show() -> None:
    """PHD2 called the 2.5 px shift settled with its star lost half the time; raw steps over 4 s take longer."""
    assert first_settled("edge_cases.jsonl", 20.08, 0.45) > 24.56


@pytest.mark.real
def test_a_paused_guider_never_settles_though_phd2_says_so() -> None:
    state = fed("session.jsonl", 116.25)  # SettleDone, Status 0, just arrived
    verdict = judged_at(state, 108.3)
    assert not verdict.settled
    assert state.steps_since(108.3) == ()
    assert not state.guiding
    assert state.words == "PHD2 is paused"


@pytest.mark.real
def test_a_lost_star_is_counted_in_frames() -> None:
    state = fed("session.jsonl", 137.4)
    assert state.longest_loss(131.5) == 23
    assert state.star_is_lost
    assert fed("session.jsonl", 138.5).longest_loss(138.0) == 0
    assert not fed("session.jsonl", 138.5).star_is_lost


def steps(*offsets: float, gap: float = 1.0) -> list[GuideStep]:
    return [GuideStep(gap * number, offset, 0.0) for number, offset in enumerate(offsets)]


def test_a_star_still_on_its_way_has_not_settled() -> None:
    """Three raw errors coming down by two thirds a frame: their mean is short, their scatter is not."""
    verdict = judge(steps(4.0, 1.2, 0.4, 0.1), settle_px=1.5, settle_time_s=3.0, usual_scatter_px=0.3)
    assert verdict.offset_px == pytest.approx(1.425)
    assert not verdict.settled
    assert "still moves" in verdict.why
    unknown = judge(steps(4.0, 1.2, 0.4, 0.1), settle_px=1.5, settle_time_s=3.0, usual_scatter_px=math.nan)
    assert not unknown.settled
    creeping = judge(
        steps(*(1.4 - 0.25 * n for n in range(10))), settle_px=1.5, settle_time_s=3.0, usual_scatter_px=0.1
    )
    assert not creeping.settled


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_seeing_alone_never_times_out(seed: int) -> None:
    """Seeing three times what it was before the run, and offsets within the tolerance, settle within twelve frames."""
    import numpy as np

    drawn = np.random.default_rng(seed).normal(0.0, 0.6, (12, 2))
    shown = [GuideStep(float(n), float(x), float(y)) for n, (x, y) in enumerate(drawn)]
    assert any(
        judge(shown[:count], settle_px=1.5, settle_time_s=5.0, usual_scatter_px=0.2 * math.sqrt(2)).settled
        for count in range(3, 13)
    )


def test_an_offset_and_too_short_a_stretch_have_not_settled() -> None:
    assert "2.0 px from" in judge(steps(2.0, 2.0, 2.0), settle_px=1.5, settle_time_s=2.0, usual_scatter_px=1.0).why
    assert (
        "do not yet span 5 s" in judge(steps(0.0, 0.0, 0.0), settle_px=1.5, settle_time_s=5.0, usual_scatter_px=1.0).why
    )
    assert not judge(steps(0.0, 0.0), settle_px=1.5, settle_time_s=0.0, usual_scatter_px=1.0).settled
    assert judge(steps(0.0, 0.1, 0.0), settle_px=1.5, settle_time_s=0.0, usual_scatter_px=1.0).settled


def test_a_step_counts_only_when_its_exposure_began_after_the_move() -> None:
    state = Phd2State(exposure_s=2.0)
    for at in (10.0, 12.5, 15.0, 17.5):
        state = state.feed({"Event": "GuideStep", "dx": 0.0, "dy": 0.0}, at)
    assert [step.at for step in state.steps_since(12.4)] == [15.0, 17.5]
    assert [step.at for step in state.steps_since(12.6)] == [17.5]


def test_what_phd2_took_back_is_turned_into_the_camera() -> None:
    calibration = {"calibrated": True, "xAngle": 90.0, "yAngle": 180.0}
    state = Phd2State().informed({"get_calibration_data": calibration, "get_exposure": 500})
    guide = {"Event": "GuideStep", "dx": 0.0, "dy": 3.0, "RADistanceGuide": 2.0, "DECDistanceGuide": 0.5}
    state = state.feed(guide, 5.0)
    assert state.corrected_px(4.0, 6.0) == pytest.approx((-0.5, 2.0))
    assert state.corrected_px(5.5, 6.0) == (0.0, 0.0)
    assert Phd2State().feed(guide, 5.0).corrected_px(4.0, 6.0) == (0.0, 0.0)


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    ["dx", "dy", "HFD", "StarMass", "SNR", "State", "Name", "Value", "RADistanceGuide", "PHDVersion"]
)
events = st.sampled_from(
    ["GuideStep", "AppState", "Version", "GuideParamChange", "Resumed", "StarLost", "NeverHeardOf"]
)


@given(events | json_values, st.dictionaries(fields, json_values, max_size=6))
def test_no_message_ends_a_run(event: Any, message: dict[str, Any]) -> None:
    state = Phd2State().feed({**message, "Event": event}, 1.0).informed({"get_calibration_data": message, **message})
    assert all(math.isfinite(step.dx_px) and math.isfinite(step.dy_px) for step in state.steps)
