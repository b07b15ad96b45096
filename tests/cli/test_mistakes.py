"""What a user gets wrong: each mistake is named in words, with its exit code, and with --json as one object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autofocus.cli import main
from simulators.options import parse_options


@pytest.fixture
def autofocus(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err

    return call


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("watch", "nowhere"), 6, "frame"),
        (("report", "."), 7, "storage"),
        (("report", "nowhere"), 7, "storage"),
        (("watch", ".", "--columns", "5"), 2, "settings"),
        (("check", "--nonsense"), 2, "settings"),
        (("simulate", "--instrument", "toy"), 2, "settings"),
        (("watch", "--once"), 6, "frame"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_every_failure_is_one_object(
    autofocus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], code: int, reason: str
) -> None:
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    given, out, err = autofocus(*words, "--json")
    assert given == code
    made = json.loads(out)
    assert (made["outcome"], made["reason"]) == ("failed", reason)
    assert made["error"] in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replay", "nowhere"), "nowhere is no session: there is no such folder"),
        (("replay", "."), ". is no session: it has no events.jsonl"),
        (("report", "nowhere"), "nowhere is no session: there is no such folder"),
        (("init", "absent/scope.yaml"), "there is no folder absent; make it first"),
        (("analyze", "nowhere"), "nowhere: there is no such file or folder"),
        (("analyze", "nowhere.csv"), "nowhere.csv: there is no such file"),
        (("analyze", "nowhere.fits"), "nowhere.fits: there is no such file"),
        (("watch", "nowhere"), "nowhere: there is no such folder"),
        (("run", "--config", "nowhere.yaml"), "nowhere.yaml: there is no such file; 'autofocus init' writes one"),
        (("mesure", "x.fits"), "autofocus: there is no command 'mesure'; did you mean measure?"),
        (("foo",), "autofocus: there is no command 'foo' ('autofocus --help' lists them all)"),
        (("analyze", "x", "--columns", "1600:1500"), "autofocus analyze: --columns: columns A:B need 0 <= A < B"),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else None,
)
def test_what_is_wrong_is_said_in_words(autofocus, words: tuple[str, ...], said: str) -> None:
    code, out, err = autofocus(*words)
    assert code in {2, 6, 7}
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


def test_no_command_is_a_fault_that_shows_what_there_is(autofocus) -> None:
    code, out, err = autofocus()
    assert code == 2
    assert "simulate" in out
    assert err == ""


def test_a_watch_that_finds_nothing_says_so(autofocus, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert autofocus("watch", "empty", "--once") == (0, "", "autofocus watch: there are no FITS frames in empty\n")


@pytest.mark.parametrize("command", [("watch", ".", "--once"), ("measure", "a.fits")])
def test_frames_none_of_which_can_be_read_are_a_fault(autofocus, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "a.fits").write_bytes(b"nonsense")
    code, out, err = autofocus(*command)
    assert (code, out) == (6, "a.fits: it is not a FITS file\n")
    assert err == f"autofocus {command[0]}: none of the files could be read\n"
    code, out, _ = autofocus(*command, "--json")
    assert code == 6
    assert json.loads(out) == {"file": "a.fits", "error": "it is not a FITS file"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("notes.txt", "Clear sky, little wind.\nFocus is 9400.\n", "its first line is 'Clear sky, little wind.'"),
        ("events.jsonl", '{"event": "SessionStarted"}\n{"event": "Settled"}\n', "of a session name the folder"),
        ("half.json", '{"MeasurePoints": [', "it is not whole or not JSON"),
    ],
)
def test_analyze_of_something_else_says_what_it_is_not(
    autofocus, tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    code, _, err = autofocus("analyze", name)
    assert code == 6
    assert said in err


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("backlash_steps=lots", "backlash_steps=lots: give a whole number"),
        ("seeing_arcsec=wide", "seeing_arcsec=wide: give a number"),
        ("seeing_arcsec=inf", "seeing_arcsec=inf: give a number"),
        ("sensor_px=800", "sensor_px=800: give WIDTHxHEIGHT in pixels"),
        ("backlash=40", "backlash=40: did you mean backlash_steps?"),
        ("qqq=40", "qqq=40: unknown; the bench knows speed, "),
        ("vertical", "vertical: give it as KEY=VALUE"),
    ],
)
def test_a_bench_option_is_refused_in_words(autofocus, assignment: str, said: str) -> None:
    code, out, err = autofocus("simulate", "--set", assignment)
    assert (code, out) == (2, "")
    assert err.startswith(f"autofocus simulate: {said}")
    assert parse_options(["sensor_px=80x40", "backlash_steps=3"]).sensor_px == (80, 40)


def test_two_optima_apart_are_told_and_no_warning(autofocus, tmp_path: Path) -> None:
    rows = [(9280, 8.06, 310.2), (9310, 6.1, 377), (9340, 4.5, 455), (9355, 4.3, 492), (9370, 4.9, 513),
            (9385, 5.7, 517), (9400, 6.8, 501), (9430, 9.4, 437), (9460, 12.1, 342)]  # fmt: skip
    table = "position,fwhm,nsig\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows)
    (tmp_path / "sweep.csv").write_text(table, encoding="utf-8")
    _, out, _ = autofocus("analyze", "sweep.csv")
    apart = [line for line in out.splitlines() if "FWHM and NSIG disagree by" in line]
    assert len(apart) == 1
    assert apart[0].startswith("  FWHM")
    assert any(line.startswith("warning: signal-to-noise cannot be predicted") for line in out.splitlines())
    _, out, _ = autofocus("analyze", "sweep.csv", "--json")
    assert any(one.startswith("FWHM and NSIG disagree") for one in json.loads(out)["warnings"])  # for programs
