"""Where the parts meet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autofocus import wiring
from autofocus.devices.clock import RealClock
from autofocus.scopefile import load


def test_a_report_that_fails_is_told_in_the_result_and_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def fail(*_: object) -> None:
        raise RuntimeError("no paper")

    monkeypatch.setattr("autofocus.views.report.write_report", fail)
    directory = json.dumps(str(tmp_path / "sessions"))
    given = ["simulator.seed=1", "simulator.speed=500", "search.time_limit_s=1", f"session.directory={directory}"]
    settings = load(None, given)
    ending = wiring.focus(settings, RealClock())
    assert ending.folder is not None
    told = "the report could not be written: RuntimeError: no paper"
    assert ending.result["warnings"][-1] == told
    assert json.loads((ending.folder / "result.json").read_text(encoding="utf-8")) == ending.result
