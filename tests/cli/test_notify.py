"""A command of the user's own, without a shell."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from autofocus.cli.notify import Notifier
from autofocus.companion.degradation import Change
from autofocus.errors import SettingsError
from autofocus.model import Measurement

LOST = Change("degraded", "refocus now: FWHM 5.00 -> 7.00, +40 %; 2 degrees colder")


def command(tmp_path: Path, body: str) -> str:
    script = tmp_path / "a script.py"
    script.write_text(f"import json, os, sys\n{body}\n", encoding="utf-8")
    return f'"{sys.executable}" "{script}" one'


def test_the_sentence_is_one_argument_and_the_name_is_in_the_environment(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    body = f"json.dump([sys.argv[1:], os.environ['AUTOFOCUS_FILE']], open({str(out)!r}, 'w'))"
    notifier = Notifier(command(tmp_path, body))
    notifier.frame(Measurement("$(reboot) & del *.fits"))
    notifier.changed(Change("faded", "a cloud"))
    notifier.wait()
    assert not out.exists()
    notifier.changed(LOST)
    notifier.wait()
    assert json.loads(out.read_text()) == [["one", LOST.message], "$(reboot) & del *.fits"]


def test_a_command_that_fails_is_told_of(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    notifier = Notifier(command(tmp_path, "print('to stderr'); sys.exit(3)"))
    notifier.changed(LOST)
    notifier.wait()
    out, err = capfd.readouterr()
    assert out == ""
    assert "to stderr" in err
    assert "--notify: the command ended with 3" in err


@pytest.mark.parametrize("words", ["no-such-command-anywhere", "'unclosed", ""])
def test_what_is_no_command_is_said_at_once(words: str) -> None:
    with pytest.raises(SettingsError, match="--notify"):
        Notifier(words)
