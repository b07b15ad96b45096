"""The guider against a PHD2 that says what it is told to: settling, every state, and every way it can go away."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from autofocus.devices.clock import RealClock
from autofocus.devices.phd2 import Phd2Guider
from autofocus.devices.phd2_link import Phd2Link
from autofocus.errors import GuidingError
from autofocus.settings import GuiderSettings
from tests.devices.fake_phd2 import FakePhd2

GAP_S = 0.02


@pytest.fixture
def phd2() -> Iterator[FakePhd2]:
    fake = FakePhd2(answers={"get_exposure": 10})
    yield fake
    fake.close()


def settings(address: str, **more: Any) -> GuiderSettings:
    given = {"kind": "phd2", "address": address, "settle_time_s": 0.05, "settle_timeout_s": 1.0, **more}
    return GuiderSettings.model_validate(given)


@contextmanager
def steps(phd2: FakePhd2, offset: Callable[[int], tuple[float, float]], **fields: Any) -> Iterator[None]:
    """Guide steps as long as this lasts; ``offset`` says where the star is by the number of the step."""
    end = threading.Event()

    def guide() -> None:
        number = 0
        while not end.wait(GAP_S):
            dx, dy = offset(number)
            phd2.step(dx, dy, **fields)
            number += 1

    thread = threading.Thread(target=guide)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def jitter(number: int) -> tuple[float, float]:
    return (0.1, -0.1) if number % 2 else (-0.1, 0.1)


@contextmanager
def opened(phd2: FakePhd2, **more: Any) -> Iterator[Phd2Guider]:
    guider = Phd2Guider(settings(phd2.address, **more), RealClock())
    try:
        with steps(phd2, jitter):
            guider.open()
        yield guider
    finally:
        guider.close()


def wait_for(condition: Callable[[], bool], seconds: float = 3.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def test_opening_learns_what_phd2_is_and_how_the_star_scatters(phd2: FakePhd2) -> None:
    with opened(phd2) as guider:
        assert guider.state.version == "2.6.14"
        assert guider.state.pixel_scale_arcsec == 1.5
        assert guider._usual_scatter_px == pytest.approx(0.1 * math.sqrt(2), rel=0.15)
        assert 'guiding, 1.50" per pixel' in guider.state.facts


def test_it_waits_until_the_shift_is_taken_back_and_reports_it(phd2: FakePhd2) -> None:
    with opened(phd2) as guider:
        guider.move_started()
        guider.move_ended()
        back = (6.0, 2.0, 0.6, 0.2)

        def offset(number: int) -> tuple[float, float]:
            dx, dy = jitter(number)
            return (dx + (back[number - 2] if 2 <= number < 6 else 6.0 if number < 2 else 0.0), dy)

        with steps(phd2, offset, hfd=3.5, mass=5000.0):
            state = guider.settle()
    assert state.settled, state.why
    assert not state.lost
    assert state.waited_s >= 6 * GAP_S
    assert state.shift_px is not None
    assert state.shift_px[0] == pytest.approx(6.0, abs=0.3)
    assert (state.hfd_px, state.mass, state.pixel_scale_arcsec) == (3.5, 5000.0, 1.5)


def test_a_star_that_stays_away_is_unsettled_but_not_gone(phd2: FakePhd2) -> None:
    with opened(phd2, settle_timeout_s=0.4) as guider, steps(phd2, lambda n: (3.0, 0.0)):
        state = guider.settle()
    assert (state.settled, state.lost, state.gone) == (False, False, False)
    assert "3.0 px from the lock position" in state.why


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("Paused", "is paused"),
        ("LoopingExposures", "only loops"),
        ("GuidingStopped", "is stopped"),
        ("StarLost", "lost its star"),
    ],
)
def test_a_silent_guider_is_gone_and_its_state_is_named(phd2: FakePhd2, event: str, words: str) -> None:
    with opened(phd2, settle_timeout_s=0.3) as guider:
        phd2.say(event)
        state = guider.settle()
    assert (state.settled, state.gone) == (False, True)
    assert words in state.why


def test_calibrating_does_not_count_as_waiting(phd2: FakePhd2) -> None:
    with opened(phd2, settle_timeout_s=0.3) as guider:
        phd2.say("StartCalibration")
        wait_for(lambda: guider.state.state == "Calibrating")

        def finish() -> None:
            time.sleep(0.5)
            phd2.say("StartGuiding")
            for number in range(12):
                phd2.step(*jitter(number))
                time.sleep(GAP_S)

        thread = threading.Thread(target=finish)
        thread.start()
        state = guider.settle()
        thread.join()
    assert state.settled, state.why
    assert state.waited_s > 0.5


def test_what_does_not_guide_is_refused_or_started(phd2: FakePhd2) -> None:
    phd2.state = "Stopped"
    guider = Phd2Guider(settings(phd2.address), RealClock())
    with pytest.raises(GuidingError, match=r"PHD2 is stopped: .*start_if_stopped"):
        guider.open()
    guider.close()

    def start(params: Any) -> int:
        assert set(params["settle"]) == {"pixels", "time", "timeout"}
        phd2.state = "Guiding"
        phd2.say("StartGuiding")
        return 0

    phd2.answers |= {"set_connected": 0, "guide": start}
    with opened(phd2, start_if_stopped=True) as guider:
        assert guider.state.guiding
    methods = [method for method, _ in phd2.asked]
    assert methods.index("set_connected") < methods.index("guide")


def test_pausing_during_moves(phd2: FakePhd2) -> None:
    def paused(params: Any) -> int:
        phd2.say("Paused" if params[0] else "Resumed")
        return 0

    phd2.answers["set_paused"] = paused
    with opened(phd2, pause_during_moves=True) as guider:
        guider.move_started()
        wait_for(lambda: guider.state.state == "Paused")
        guider.move_ended()
        wait_for(lambda: guider.state.state == "Guiding")
        guider.move_started()
    assert [params for method, params in phd2.asked if method == "set_paused"] == [[True], [False], [True], [False]]


def test_losing_the_star_during_an_exposure(phd2: FakePhd2) -> None:
    with opened(phd2) as guider:
        guider.exposure_started()
        for kind in "SLLSLS":  # two frames in a row are a flicker
            phd2.step(0.0, 0.0, hfd=2.5, mass=900.0) if kind == "S" else phd2.say("StarLost")
        wait_for(lambda: len(guider.state.losses) == 3 and not guider.state.star_is_lost)
        kept = guider.exposure_ended()
        assert (kept.lost, kept.hfd_px, kept.mass) == (False, 2.5, 900.0)

        guider.exposure_started()
        for _ in range(3):
            phd2.say("StarLost")
        phd2.step(0.0, 0.0)
        wait_for(lambda: len(guider.state.losses) == 6 and not guider.state.star_is_lost)
        lost = guider.exposure_ended()
        assert lost.lost
        assert "for 3 guide frames" in lost.why


def test_nobody_there_and_then_somebody() -> None:
    absent = FakePhd2()
    absent.close()
    link = Phd2Link(absent.address)
    link.open()
    with pytest.raises(GuidingError, match="Enable Server"):
        link.ask("get_app_state")
    late = FakePhd2(port=absent.port)
    try:
        wait_for(lambda: link.connected)
        assert link.ask("get_app_state") == "Guiding"
        late.close()  # killed
        wait_for(lambda: not link.connected)
        assert link.state.state == "Unknown"
        again = FakePhd2(port=absent.port, state="Stopped")
        wait_for(lambda: link.connected and link.state.state == "Stopped")
        again.close()
    finally:
        late.close()
        link.close()


@pytest.mark.parametrize("greets_after_s", [0.0, 0.3])
def test_killed_and_restarted_within_one_settling(phd2: FakePhd2, greets_after_s: float) -> None:
    """The link finds PHD2 again, has it connect and guide, and goes on; also where PHD2 is slow to say what it does."""
    with opened(phd2, settle_timeout_s=5.0, start_if_stopped=True) as guider:
        guider.move_started()
        guider.move_ended()
        phd2.close()
        answers = {"get_exposure": 10, "set_connected": 0}
        again = FakePhd2(port=phd2.port, state="Stopped", answers=answers, greets_after_s=greets_after_s)

        def start(_: Any) -> int:
            again.state = "Guiding"
            again.say("StartGuiding")
            return 0

        again.answers["guide"] = start
        try:
            with steps_once_guiding(again):
                state = guider.settle()
        finally:
            again.close()
    assert state.settled, state.why


@contextmanager
def steps_once_guiding(phd2: FakePhd2) -> Iterator[None]:
    end = threading.Event()

    def guide() -> None:
        number = 0
        while not end.wait(GAP_S):
            if phd2.state == "Guiding":
                phd2.step(*jitter(number))
                number += 1

    thread = threading.Thread(target=guide)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_refusals_silence_and_nonsense(phd2: FakePhd2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autofocus.devices.phd2_link.ANSWER_S", 0.1)
    link = Phd2Link(phd2.address)
    link.open()
    try:
        wait_for(lambda: link.connected)
        with pytest.raises(GuidingError, match="PHD2 refused nosuch: method not found"):
            link.ask("nosuch")
        phd2.answers["slow"] = lambda _: time.sleep(0.3)
        with pytest.raises(GuidingError, match="did not answer slow"):
            link.ask("slow")
        phd2.raw(b"\xff\xfe{[\r\n[1, 2]\r\nnull\r\n" + b'{"jsonrpc": "2.0", "id": [], "result": 1}\r\n')
        phd2.raw(b"[" * 100_000 + b"\r\n")
        phd2.step(1.0, 2.0)
        wait_for(lambda: len(link.state.steps) == 1)
        phd2.raw(b"x" * (1 << 21))  # no line of PHD2's: the connection is dropped, and made anew
        wait_for(lambda: len(phd2._connections) == 2)
    finally:
        link.close()
