from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from autofocus.cli.lines import result_lines
from autofocus.errors import DeviceUnreachable, FocuserBusy
from autofocus.session import history, lock
from autofocus.session.history import Unfinished
from autofocus.session.journal import EVENTS
from tests.session.fakes import BEST, Bench, failing, going_to

KEY = "foc:2222/focuser/0"


def killed_run(bench: Bench, *, left_at: int = 9363) -> Path:
    """A session whose journal ends with the second motion, and the focuser on its way."""
    ending = bench.run(going_to((9450, 9350)))
    path = ending.folder / EVENTS
    lines = path.read_text().splitlines(keepends=True)
    moving = [number for number, line in enumerate(lines) if '"FocuserMoving"' in line]
    path.write_text("".join(lines[: moving[1] + 1]) + '{"event":"Focu')
    (ending.folder / "result.json").unlink()
    bench.focuser.at = left_at
    bench.clock.sleep(3600.0)
    bench.log.clear()
    return ending.folder


def test_a_killed_run_is_found_with_where_it_began(bench: Bench) -> None:
    folder = killed_run(bench)
    assert history.unfinished(bench.folder / "sessions", KEY) == Unfinished(folder, 9400, 9350, absolute=True)
    assert history.unfinished(bench.folder / "sessions", "another:1/focuser/0") is None
    assert history.unfinished(bench.folder / "no such folder", KEY) is None


def test_the_next_run_says_so_and_recover_puts_the_focuser_back_first(bench: Bench) -> None:
    folder = killed_run(bench)
    bench.sections["focuser"]["backlash_steps"] = 40
    ending = bench.run(going_to((9450,), outcome="no_focus"), recover=True)
    assert bench.moves()[:2] == [9440, 9400]
    assert ending.result["start_position"] == 9400
    assert bench.focuser.at == 9400
    assert any(folder.name in event.why for event in bench.events if type(event).__name__ == "PhaseChanged")
    assert folder.name in ending.result["recovery"]


def test_of_several_killed_runs_in_a_row_the_first_tells_where_the_focuser_belongs(bench: Bench) -> None:
    first = killed_run(bench, left_at=9363)
    second = killed_run(bench, left_at=9371)
    assert first != second
    ending = bench.run(going_to((9450,), outcome="no_focus"))
    assert first.name in ending.result["warnings"][0]
    assert "begun at 9400" in ending.result["warnings"][0]
    bench.clock.sleep(60.0)
    assert bench.run(going_to((9450,), outcome="no_focus"), recover=True).result["start_position"] == 9400


def test_a_run_killed_after_the_one_before_was_put_back_goes_back_to_its_own_start(bench: Bench) -> None:
    killed_run(bench)
    bench.run(going_to((9450,), outcome="no_focus"), recover=True)
    bench.clock.sleep(60.0)
    bench.focuser.at = 9390  # moved by hand
    later = killed_run(bench)
    assert history.unfinished(bench.folder / "sessions", KEY) == Unfinished(later, 9390, 9350, absolute=True)


def test_where_nothing_was_killed_recover_says_so_and_moves_nothing(bench: Bench) -> None:
    ending = bench.run(going_to((9400,), outcome="no_focus"), recover=True)
    assert "Nothing to recover" in ending.result["recovery"]
    assert ending.result["recovery"] in result_lines(ending.result)
    assert ending.exit_code == 4  # that of the run, as without --recover
    assert ending.result["warnings"] == []
    assert bench.moves() == []
    assert bench.run(going_to((9400,), outcome="no_focus")).result["recovery"] is None


def test_without_recover_the_run_goes_on_and_names_it(bench: Bench) -> None:
    folder = killed_run(bench)
    ending = bench.run(going_to((9450,)))
    assert ending.result["start_position"] == 9363
    (warning,) = ending.result["warnings"]
    assert folder.name in warning
    assert "--recover" in warning
    assert "9400" in warning
    assert bench.run(going_to((9450,))).result["warnings"] == []


def test_a_run_without_focus_in_between_leaves_the_way_back_open(bench: Bench) -> None:
    folder = killed_run(bench)
    for _ in range(2):
        ending = bench.run(going_to((9450,), outcome="no_focus"))
        assert folder.name in ending.result["warnings"][0]
        bench.clock.sleep(60.0)
    assert bench.focuser.at == 9363
    assert bench.run(going_to((9450,), outcome="no_focus"), recover=True).result["start_position"] == 9400
    bench.clock.sleep(60.0)
    bench.focuser.at = 9380  # moved by hand since: that is a new place of its own
    ending = bench.run(going_to((9450,), outcome="no_focus"), recover=True)
    assert (ending.result["start_position"], ending.result["warnings"]) == (9380, [])


def test_a_recovery_that_fails_leaves_the_killed_run_to_be_recovered(bench: Bench) -> None:
    killed_run(bench)
    bench.focuser.fault = failing("move", DeviceUnreachable("nobody answers"))
    assert bench.run(going_to((9450,)), recover=True).exit_code == 3
    bench.focuser.fault = lambda operation: None
    ending = bench.run(going_to((9450,)), recover=True)
    assert ending.result["start_position"] == 9400


def test_a_relative_focuser_goes_back_by_the_steps_it_was_sent() -> None:
    assert Unfinished(Path(), 0, -50, absolute=False).return_target(0) == 50
    assert Unfinished(Path(), 9400, 9350, absolute=True).return_target(0) == 9400


def test_a_spoilt_journal_in_between_is_passed_over(bench: Bench) -> None:
    folder = killed_run(bench)
    spoilt = folder.with_name("2027-01-01T00-00-00")
    spoilt.mkdir()
    (spoilt / EVENTS).write_text('{"event": "SessionStarted", "start_position": "here"}\n')
    found = history.unfinished(bench.folder / "sessions", KEY)
    assert found is not None
    assert found.folder == folder


def test_where_focus_was_before_is_told_to_the_search(bench: Bench) -> None:
    told = []

    def begin(task):
        told.append(task.focused_before)
        return going_to((9450, 9350))(task)

    for _ in range(2):
        bench.run(begin)
        bench.clock.sleep(100.0)
    bench.run(going_to((9450,), outcome="no_focus"))
    spoilt = bench.run(begin).folder / "result.json"
    assert told == [(), (BEST,), (BEST, BEST)]
    spoilt.write_text('{"outcome": "focused", "position": "here"}')
    assert history.focused_before(bench.folder / "sessions", KEY) == (BEST, BEST)
    assert history.focused_before(bench.folder / "sessions", "another:1/focuser/0") == ()
    assert history.focused_before(bench.folder / "no such folder", KEY) == ()


def test_sessions_are_ordered_by_second_and_by_number(tmp_path: Path) -> None:
    stamps = ["2026-11-22T21-14-05", "2026-11-22T21-14-05-2", "2026-11-22T21-14-05-10", "2026-11-22T21-14-06"]
    for stamp in stamps:
        (tmp_path / stamp).mkdir()
        (tmp_path / stamp / EVENTS).touch()
    assert [folder.name for folder in history.session_folders(tmp_path)] == stamps[::-1]


def test_one_focuser_is_held_once_and_others_are_free(tmp_path: Path) -> None:
    with lock.hold(KEY, tmp_path) as held:
        held.note(tmp_path / "2026-11-22T21-14-05")
        with (
            pytest.raises(FocuserBusy, match=f"process {os.getpid()}, session .*2026-11-22T21-14-05"),
            lock.hold(KEY, tmp_path),
        ):
            pass
        with lock.hold("other:1/focuser/0", tmp_path):
            pass
    with lock.hold(KEY, tmp_path):
        pass


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    holder = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from autofocus.session import lock
        with lock.hold({KEY!r}, Path({str(tmp_path)!r})):
            print("held", flush=True)
            sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(FocuserBusy, match=str(other.pid)), lock.hold(KEY, tmp_path):
            pass
        other.kill()
        other.wait()
        with lock.hold(KEY, tmp_path):
            pass


def test_keys_of_focusers_do_not_collide_in_their_files(tmp_path: Path) -> None:
    with lock.hold("a/b:1", tmp_path), lock.hold("a_b:1", tmp_path):
        assert len(list(tmp_path.iterdir())) == 2
