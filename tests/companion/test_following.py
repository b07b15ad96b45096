"""Frames are shown at once and in order; advice follows when it is still about the last of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from autofocus.companion.degradation import Change, Steadiness
from autofocus.companion.following import Audience, Following
from autofocus.companion.watch import Companion, Counsel, Setup
from autofocus.model import BestFocus, FocusCurves, Measurement

LATEST_S = 5.0
CURVES = FocusCurves(best=BestFocus("fwhm", 120.0, 1.0, 115.0, 125.0))


class Heard(Audience):
    """Remembers everything in the order it was said."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def frame(self, measurement: Measurement) -> None:
        self.words.append(f"frame {measurement.position:g}")

    def unreadable(self, file: str, error: str) -> None:
        self.words.append(f"unreadable {file} {error}")

    def began(self, why: str) -> None:
        self.words.append(f"began {why}")

    def counsel(self, counsel: Counsel) -> None:
        self.words.append("counsel " + " / ".join(counsel.lines))

    def ended(self, summary: str) -> None:
        self.words.append(f"ended {summary}")

    def changed(self, change: Change) -> None:
        self.words.append(change.kind)

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + LATEST_S
        while not condition():
            assert time.monotonic() < end, self.words
            time.sleep(0.005)


def measured(position: float) -> Measurement:
    return Measurement("a.fits", position, 5.0, 0.1, nsig=100.0, nsig_err=1.0)


def companion(fit: Callable[..., FocusCurves]) -> Companion:
    return Companion("fwhm", fit=fit, design=None)


def follow(following: Following, positions: Sequence[float], star: str = "Vega") -> None:
    for position in positions:
        following.frame(measured(position), Setup(star, 10.0))


def test_frames_do_not_wait_for_a_fit_and_old_advice_is_not_given() -> None:
    heard, release, fitted = Heard(), threading.Event(), []

    def fit(placed: Sequence[Measurement], _objective: object) -> FocusCurves:
        fitted.append(len(placed))
        release.wait(LATEST_S)
        return CURVES

    with Following(companion(fit), Steadiness(), [heard]) as following:
        follow(following, [100, 110, 120, 130])
        heard.until(lambda: bool(fitted))
        follow(following, [140, 150])
        assert heard.words == [f"frame {p}" for p in (100, 110, 120, 130, 140, 150)]
        release.set()
        heard.until(lambda: "counsel best focus 120.0 ± 1.0 (narrowest) / move in about 30 to 120" in heard.words)
    assert [word for word in heard.words if word.startswith("counsel")] == [heard.words[6]]
    assert heard.words[-1] == "ended 6 frames of Vega: best focus 120.0 ± 1.0 (narrowest)"
    assert set(fitted) == {4, 6}


def test_a_series_that_ends_leaves_its_focus_behind() -> None:
    heard = Heard()
    with Following(companion(lambda *_: CURVES), Steadiness(), [heard]) as following:
        follow(following, [100, 120, 140])
        follow(following, [300], star="Deneb")
        heard.until(lambda: any(word.startswith("ended") for word in heard.words))
    assert heard.words[3:5] == ["began another star: Deneb", "frame 300"]
    assert "ended 3 frames of Vega: best focus 120.0 ± 1.0 (narrowest)" in heard.words


def test_what_was_not_yet_said_is_said_at_the_end() -> None:
    heard = Heard()
    with Following(companion(lambda *_: CURVES), Steadiness(), [heard]) as following:
        follow(following, [100, 120, 140])
    assert heard.words[3:] == ["counsel best focus 120.0 ± 1.0 (narrowest) / move in about 20 to 120"]


def test_a_new_series_by_hand() -> None:
    heard = Heard()
    with Following(companion(lambda *_: CURVES), Steadiness(), [heard], advising=False) as following:
        following.new_series()
        follow(following, [100])
        following.new_series()
        follow(following, [110, 120])
    assert heard.words == ["frame 100", "began by hand", "frame 110", "frame 120"]


def test_a_focuser_at_rest_gets_no_more_advice() -> None:
    heard = Heard()
    with Following(companion(lambda *_: CURVES), Steadiness(), [heard]) as following:
        follow(following, [100, 110, 130, 120, 120, 120, 120])
        heard.until(lambda: not following._questions)
        said = len([word for word in heard.words if word.startswith("counsel")])
        for _ in range(3):
            follow(following, [120])
            time.sleep(0.2)
        assert len([word for word in heard.words if word.startswith("counsel")]) == said


def test_a_fault_of_ours_in_a_fit_is_a_sentence() -> None:
    heard = Heard()

    def broken(*_: object) -> FocusCurves:
        raise ZeroDivisionError("ours")

    with Following(companion(broken), Steadiness(), [heard]) as following:
        follow(following, [100, 120, 140])
        heard.until(lambda: any("ZeroDivisionError: ours" in word for word in heard.words))
        following.unreadable("b.fits", "it is empty")
    assert "unreadable b.fits it is empty" in heard.words
