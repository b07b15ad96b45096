"""What a run leaves behind, and that failing to leave it fails nothing; the commands that make pictures and reports."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autofocus import wiring
from autofocus.cli import main
from autofocus.devices.clock import VirtualClock
from autofocus.frames.saving import write_frame
from autofocus.model import Frame
from autofocus.scopefile import load
from autofocus.session.engine import Ending
from autofocus.settings import SessionSettings
from autofocus.views.afterwards import leave_reports
from tests.views.conftest import SERIES, picture


@pytest.fixture
def autofocus(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, words)))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err

    return call


def size(path: Path) -> tuple[int, int]:
    return Image.open(io.BytesIO(path.read_bytes())).size


def test_both_reports_are_left(session, tmp_path):
    assert leave_reports(session, SessionSettings(nina_report=str(tmp_path / "nina"))) == []
    assert "Best focus 9373" in (session / "report.html").read_text(encoding="utf-8")
    (report,) = (tmp_path / "nina").glob("*.json")
    assert json.loads(report.read_text(encoding="utf-8"))["CalculatedFocusPoint"]["Position"] == 9373


def test_no_n_i_n_a_report_unless_asked_for(session):
    before = set(session.parent.rglob("*.json"))
    assert leave_reports(session, SessionSettings()) == []
    assert set(session.parent.rglob("*.json")) == before


def test_a_report_that_cannot_be_written_is_a_sentence_and_the_other_is_written(session, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    faults = leave_reports(session, SessionSettings(nina_report=str(tmp_path / "file" / "nina")))
    assert [fault.partition(":")[0] for fault in faults] == ["the N.I.N.A. report could not be written"]
    assert (session / "report.html").exists()
    monkeypatch.setattr("autofocus.views.report.report_html", lambda account: 1 / 0)
    assert [fault.partition(":")[0] for fault in leave_reports(session, SessionSettings())] == [
        "the report could not be written"
    ]
    assert len(leave_reports(tmp_path / "nowhere", SessionSettings())) == 1


def test_a_run_leaves_its_report_and_one_that_cannot_stays_focused(session, tmp_path, monkeypatch):
    result = json.loads((session / "result.json").read_text(encoding="utf-8"))
    monkeypatch.setattr("autofocus.session.engine.run", lambda *_, **__: Ending(result, 0, session))
    monkeypatch.setattr("autofocus.views.nina.nina_report", lambda *_: 1 / 0)
    sets = ["camera.address=127.0.0.1:1", "focuser.address=127.0.0.1:1"]
    ending = wiring.focus(load(None, [*sets, f"session.nina_report={tmp_path.as_posix()}/nina"]), VirtualClock())
    assert (ending.result["outcome"], ending.exit_code) == ("focused", 0)
    fault = "the N.I.N.A. report could not be written: ZeroDivisionError: division by zero"
    assert ending.result["warnings"] == [*result["warnings"], fault]
    assert "Best focus 9373" in (session / "report.html").read_text(encoding="utf-8")
    assert wiring.focus(load(None, sets), VirtualClock()).result == result


def test_report_makes_page_and_picture_again(autofocus, session, tmp_path):
    code, out, _ = autofocus("report", session, "--png", tmp_path / "curves.png")
    assert code == 0
    assert out.splitlines() == [str(session / "report.html"), str(tmp_path / "curves.png")]
    assert size(tmp_path / "curves.png") == (1200, 900)
    code, out, _ = autofocus("report", session, "--output", tmp_path / "else.html", "--json")
    assert json.loads(out) == {"report": str(tmp_path / "else.html")}
    code, _, err = autofocus("report", tmp_path / "nowhere")
    assert code == 7
    assert "nowhere is no session: there is no such folder" in err


def test_measure_draws_one_picture_for_each_file(autofocus, tmp_path):
    for number in (2, 4):
        frame = picture(number, SERIES[number - 1]).frame
        whole = Frame(raw=frame.raw, name=f"HD1-{number}.fits", exposure_s=10.0)
        write_frame(whole, {"EXPTIME": 10.0}, tmp_path / f"HD1-{number}.fits")
    code, out, _ = autofocus("measure", "HD1-2.fits", "HD1-4.fits", "--picture", "out.png", "--columns", "300:600")
    assert code == 0
    assert len(out.splitlines()) == 2
    assert size(tmp_path / "out-HD1-2.png")[0] == size(tmp_path / "out-HD1-4.png")[0] == 900
    code, _, _ = autofocus("measure", "HD1-2.fits", "--picture", "one.png", "--columns", "300:600")
    pixels = np.asarray(Image.open(tmp_path / "one.png").convert("L"))
    assert pixels[140:161].mean() > 2 * pixels[20:60].mean()  # the trace, in its window
    code, _, err = autofocus("measure", "HD1-2.fits", "--picture", "nowhere/one.png", "--columns", "300:600")
    assert code == 7
    assert "cannot be written" in err


def test_analyze_reports_a_folder_of_frames_and_a_session(autofocus, session, tmp_path):
    _, out, _ = autofocus("analyze", session, "--report", "session.html", "--json")
    assert json.loads(out)["outcome"] in ("focused", "no_focus")
    assert (tmp_path / "session.html").read_text(encoding="utf-8").count("data:image/png") >= 6
    for number, one in enumerate(SERIES[:5], 1):
        frame = picture(number, one).frame
        write_frame(frame, {"EXPTIME": 10.0, "FOCUSPOS": int(one.position)}, tmp_path / f"frame{number}.fits")
    files = sorted(tmp_path.glob("frame*.fits"))
    autofocus("analyze", *files, "--report", "frames.html", "--columns", "300:600")
    assert (tmp_path / "frames.html").read_text(encoding="utf-8").count("data:image/png") >= 5
