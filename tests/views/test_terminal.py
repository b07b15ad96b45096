from __future__ import annotations

import contextlib
import io

import pytest
from rich.console import Console

from autofocus.devices.clock import VirtualClock
from autofocus.model import BestFocus, CurveFit, Flag, FocusCurves, Measurement
from autofocus.session import events
from autofocus.session.state import SessionState, apply
from autofocus.views import curveplot, terminal
from autofocus.views.terminal import TerminalView

CURVES = FocusCurves(
    fwhm=CurveFit("fwhm", "hyperbola", 9402.0, 1.4, 6.0, 5, 0.99, line=((9360.0, 10.0), (9402.0, 6.0), (9440.0, 10.0))),
    best=BestFocus("snr", 9402.0, 1.4, 9396.0, 9409.0),
)


def a_session() -> list[events.Event]:
    def sample(number: int, position: int, fwhm: float, **more) -> events.SampleMeasured:
        measured = Measurement(
            f"{number}.fits", float(position), fwhm, 0.05, nsig=3000 / fwhm, nsig_err=2.0, snr=80.0, cost_s=12.0, **more
        )
        return events.SampleMeasured(
            elapsed_s=12.0 * number, number=number, target=position, name=f"{number}", measurement=measured
        )

    return [
        events.SessionStarted(
            session="s", start_position=9440, camera="cam", focuser="foc", max_exposures=40, time_limit_s=1800
        ),
        events.SweepPlanned(phase="sweep", positions=(9440, 9400, 9360), why="a first sweep", exposures_left=2),
        events.FocuserMoving(elapsed_s=0.1, target=9480, overshoot=True),
        events.FocuserMoved(elapsed_s=0.5, position=9480, target=9480),
        events.FocuserMoved(elapsed_s=1.0, position=9440, target=9440),
        events.ExposureStarted(elapsed_s=2.0, number=1, position=9440, exposure_s=10.0),
        sample(1, 9440, 10.0),
        sample(2, 9400, 6.01),
        sample(3, 9360, 10.0, flags=(Flag.GUIDING_UNSETTLED,), verdict="\x1b[2Jgone"),
        events.CurveFitted(elapsed_s=36.0, curves=CURVES),
        events.ExposureStarted(elapsed_s=40.0, number=4, position=9402, exposure_s=10.0, phase="confirm"),
    ]


def state_after(given: list[events.Event]) -> SessionState:
    state = SessionState()
    for event in given:
        state = apply(state, event)
    return state


def rendered(given: list[events.Event], *, width: int = 100, height: int = 40, encoding: str = "utf-8") -> str:
    clock = VirtualClock()
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    console = Console(file=out, width=width, height=height, force_terminal=False)
    view = TerminalView(console, clock, lambda: None)
    for event in given:
        view(event)
    clock.sleep(4.0)
    console.print(view._render())
    out.flush()
    return out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_the_headline_says_phase_exposure_and_time_left() -> None:
    shown = rendered(a_session())
    first = shown.splitlines()[0]
    # 3 measured, 2 of the estimate left, one of them exposing: 5 in all, 2 × 12 s, 4 s of which have passed
    assert "sweeping across the focus" in first
    assert "exposure 4 of about 5" in first
    assert "about 0:20 left" in first
    assert "Exposing 10 s at 9402, 6 s to go   [focuser at 9440]" in shown


def test_the_best_point_is_marked_and_curves_and_flags_are_shown() -> None:
    shown = rendered(a_session())
    marked = [line for line in shown.splitlines() if line.startswith("*")]
    assert len(marked) == 1
    assert "9400" in marked[0]
    assert "6.010 ± 0.050" in marked[0]
    assert "FWHM, px: best at 9402.0 ± 1.4" in shown
    assert "NSIG, ADU/s" in shown
    assert "●" in shown
    assert "guiding_unsettled" in shown


def test_nothing_from_outside_steers_the_terminal() -> None:
    shown = rendered([*a_session(), events.Warned(message="bad \x1b]0;title\x07 name")])
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\\x1b[2Jgone" in shown
    assert "\\x1b]0;title\\x07" in shown


def test_markup_of_others_is_shown_as_it_is() -> None:
    assert "[red]x[/nothing]" in rendered([*a_session(), events.Warned(message="[red]x[/nothing]")])


@pytest.mark.parametrize(("width", "height"), [(100, 24), (60, 30), (40, 12), (200, 60)])
def test_it_fits_the_terminal(width: int, height: int) -> None:
    lines = rendered(a_session(), width=width, height=height).splitlines()
    assert max(len(line) for line in lines) <= width
    if height >= 24:
        assert len(lines) <= height


def test_a_terminal_without_unicode_gets_ascii_curves() -> None:
    shown = rendered(a_session(), encoding="cp1252")
    assert "o" in "".join(shown.splitlines()[3:10])
    assert "?" not in "".join(shown.splitlines()[2:10])


def test_the_end_says_the_outcome() -> None:
    ended = events.SessionEnded(
        elapsed_s=60.0, outcome="no_focus", reason="not_bracketed", message="It lies further in.", position=9440
    )
    shown = rendered([*a_session(), ended])
    assert shown.splitlines()[0].startswith("no_focus (not_bracketed)  ·  4 exposures  ·  1:00")
    assert "It lies further in." in shown


def test_q_and_ctrl_c_stop_and_question_mark_helps() -> None:
    stops: list[int] = []
    view = TerminalView(Console(file=io.StringIO()), VirtualClock(), lambda: stops.append(1))
    for key in ("x", "?", "q", "\x03"):
        view.press(key)
    assert len(stops) == 2
    assert "Ending the run in order" in str(terminal.doing(SessionState(doing="Exposing"), 0.0, len(stops)))


def test_the_curve_lies_where_its_values_are() -> None:
    rows = curveplot.draw(
        [(0.0, 10.0), (5.0, 0.0), (10.0, 10.0)],
        [(0.0, 10.0), (5.0, 0.0), (10.0, 10.0)],
        5.0,
        width=21,
        height=7,
        signs=curveplot.ASCII,
    )
    assert [row.count("o") for row in rows] == [2, 0, 0, 0, 0, 0, 1]
    assert rows[6][10] == "o"
    assert {row[10] for row in rows[:5]} == {"|"}
    assert rows[3].index(".") == pytest.approx(5, abs=1)  # half way down at half way in


def test_a_curve_without_points_is_blank() -> None:
    assert curveplot.draw([(1.0, float("nan"))], (), None, width=10, height=2) == [" " * 10] * 2


def test_the_terminal_is_left_with_its_cursor_also_after_a_fault() -> None:
    out = io.StringIO()
    view = TerminalView(Console(file=out, force_terminal=True, width=100, height=40), VirtualClock(), lambda: None)
    with contextlib.suppress(RuntimeError), view:
        for event in a_session():
            view(event)
        raise RuntimeError
    hidden, shown = out.getvalue().rfind("\x1b[?25l"), out.getvalue().rfind("\x1b[?25h")
    assert 0 <= hidden < shown
    assert "exposure 4 of about 5" in out.getvalue()
