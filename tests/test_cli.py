"""The command line in process: what is printed where, exit codes, and that a user's mistake is never a traceback."""

from __future__ import annotations

import csv
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from autofocus import __version__
from autofocus.cli import main
from autofocus.cli.stopping import stopping

HD97633 = (
    (9280, 8.06, 310.20), (9310, 6.10, 377.00), (9340, 4.50, 455.00), (9355, 4.30, 492.00), (9370, 4.90, 513.00),
    (9385, 5.70, 517.00), (9400, 6.80, 501.00), (9430, 9.40, 437.00), (9460, 12.10, 342.00),
)  # fmt: skip


class Said:
    """What a command said, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def autofocus(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*words: str) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Said(int(ended.value.code or 0), out, err)

    return call


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("position", "fwhm", "nsig"), *HD97633])
    return path


def test_version_before_and_behind_a_command(autofocus) -> None:
    assert autofocus("--version").out == f"autofocus {__version__}\n"
    assert autofocus("run", "--version").out == f"autofocus {__version__}\n"


def test_no_command_shows_help(autofocus) -> None:
    said = autofocus()
    assert "run" in said.out + said.err
    for name in ("run", "watch", "measure", "analyze", "replay", "check", "devices", "simulate", "init"):
        assert f"Usage: autofocus {name}" in autofocus(name, "--help").out


@pytest.mark.parametrize(
    "words",
    [("run", "--nonsense"), ("nonsense",), ("measure",), ("simulate", "--port", "70000"), ("simulate", "--seed", "x")],
)
def test_wrong_usage_ends_with_2(autofocus, words: tuple[str, ...]) -> None:
    said = autofocus(*words)
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("autofocus")
    assert "--help" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--json", "--nonsense"),
        ("run", "--json"),
        ("run", "--json", "--config", "absent.yaml"),
        ("run", "--json", "--set", "search.spacing_step=3"),
        ("analyze", "--json"),
        ("analyze", "--json", "--objective", "best", "x.csv"),
        ("replay", "--json"),
    ],
)
def test_a_failure_is_one_result_object_too(autofocus, words: tuple[str, ...]) -> None:
    said = autofocus(*words)
    assert said.code == 2
    result = json.loads(said.out)
    assert (result["schema"], result["outcome"], result["reason"]) == (1, "failed", "settings")
    assert result["message"]
    assert result["best"] is None
    assert result["position"] is None
    assert result["samples"] == []
    assert set(result["timing"]) >= {"total_s", "exposing_s", "moving_s", "settling_s", "fetching_s", "measuring_s"}


def test_every_fault_of_the_settings_is_said(autofocus, tmp_path: Path) -> None:
    (tmp_path / "scope.yaml").write_text(
        'camera: {address: "a:1"}\nfocuser: {adress: "b:1", settle_s: -1}\n', encoding="utf-8"
    )
    said = autofocus("run")
    assert said.code == 2
    lines = said.err.splitlines()
    assert [line.split(": ")[2] for line in lines] == ["focuser.address", "focuser.adress", "focuser.settle_s"]
    assert all(line.startswith("autofocus run: scope.yaml:2:") for line in lines)
    checked = autofocus("check", "--json")
    assert checked.code == 2
    checks = json.loads(checked.out)["checks"]
    assert [check["verdict"] for check in checks] == ["fail"] * 3
    assert "did you mean address?" in checks[1]["detail"]
    assert all(check["mend"] for check in checks)
    assert autofocus("check").out.count("mend: ") == 1  # the same one for all three


def test_init_writes_once(autofocus, tmp_path: Path) -> None:
    assert autofocus("init").code == 0
    before = (tmp_path / "scope.yaml").read_bytes()
    again = autofocus("init")
    assert again.code == 2
    assert "exists already" in again.err
    assert (tmp_path / "scope.yaml").read_bytes() == before
    assert (tmp_path / "scope.schema.json").is_file()
    assert autofocus("init", str(tmp_path / "absent" / "scope.yaml")).code == 2


def test_an_unreachable_camera_fails_within_its_deadline(autofocus, tmp_path: Path) -> None:
    addresses = ("--set", "camera.address=127.0.0.1:9", "--set", "focuser.address=u:geheim@127.0.0.1:9")
    began = time.monotonic()
    said = autofocus("run", "--json", *addresses, "--set", f"session.directory={tmp_path / 's'}")
    assert time.monotonic() - began < 30
    result = json.loads(said.out)
    assert (said.code, result["outcome"], result["reason"]) == (3, "failed", "device")
    assert "127.0.0.1:9" in result["message"]
    assert result["exposures"] == result["moves"] == 0
    everything = said.out + said.err + "".join(p.read_text("utf-8") for p in (tmp_path / "s").rglob("*") if p.is_file())
    assert "geheim" not in everything


def test_analyze_finds_both_optima_of_a_table(autofocus, sweep: Path) -> None:
    said = autofocus("analyze", str(sweep), "--json")
    result = json.loads(said.out)
    assert said.code == 0, said.err
    assert result["outcome"] == "focused"
    assert result["position"] is None
    assert 9345 < result["curves"]["fwhm"]["position"] < 9360
    assert 9370 < result["curves"]["nsig"]["position"] < 9390
    assert result["objective"] == "nsig", "without a gain the signal-to-noise cannot be predicted"
    assert any("signal-to-noise" in warning for warning in result["warnings"])
    human = autofocus("analyze", str(sweep))
    assert human.out.startswith("Best focus")
    narrow = json.loads(autofocus("analyze", str(sweep), "--json", "--objective", "fwhm").out)
    assert narrow["objective"] == "fwhm"
    assert narrow["best"]["position"] == narrow["curves"]["fwhm"]["position"]


def test_analyze_maps_columns_and_says_why_there_is_no_focus(autofocus, tmp_path: Path, sweep: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(
        sweep.read_text(encoding="utf-8").replace("position,fwhm,nsig", "cam_foc,width,x"), encoding="utf-8"
    )
    said = autofocus("analyze", str(other), "--json", "--csv-columns", "position=cam_foc,fwhm_px=width")
    assert said.code == 0
    assert json.loads(said.out)["curves"]["nsig"] is None
    assert autofocus("analyze", str(other), "--json").code == 6
    few = tmp_path / "few.csv"
    few.write_text("position,fwhm\n1,5\n2,4\n", encoding="utf-8")
    said = autofocus("analyze", str(few), "--json")
    assert (said.code, json.loads(said.out)["reason"]) == (4, "too_few_samples")


def test_analyze_without_anything_readable_is_a_frame_fault(autofocus, tmp_path: Path) -> None:
    said = autofocus("analyze", str(tmp_path / "absent.csv"), "--json")
    assert (said.code, json.loads(said.out)["reason"]) == (6, "frame")
    (tmp_path / "empty").mkdir()
    assert autofocus("analyze", str(tmp_path / "empty")).code == 6


def test_replay_of_what_is_no_session_is_a_storage_fault(autofocus, tmp_path: Path) -> None:
    said = autofocus("replay", str(tmp_path), "--json")
    assert (said.code, json.loads(said.out)["reason"]) == (7, "storage")


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Three frames of a spectrum of 5 px FWHM on row 60, positions in their names; and a file that is no frame."""
    import numpy as np
    from astropy.io import fits

    folder = tmp_path / "frames"
    folder.mkdir()
    rows = np.arange(120.0)[:, None]
    for number, position in enumerate((9430, 9330, 9380)):
        rng = np.random.default_rng(number)
        light = 2000 * np.exp(-4 * np.log(2) * ((rows - 60) / 5.0) ** 2) * np.ones((1, 400))
        unit = fits.PrimaryHDU(rng.poisson(300 + light).astype(np.uint16))
        unit.header["EXPTIME"] = 2.0
        unit.header["DATE-OBS"] = f"2026-11-22T20:0{number}:00.0"
        unit.writeto(folder / f"HD097633-{position}.fits")
    (folder / "broken.fits").write_bytes(b"SIMPLE  = not a frame")
    return folder


def test_measure_prints_a_line_or_an_object_for_each_file_in_order(autofocus, frames: Path) -> None:
    names = ["HD097633-9430.fits", "broken.fits", "HD097633-9330.fits"]
    paths = [str(frames / name) for name in names]
    said = autofocus("measure", *paths, "--plate-scale", "0.89")
    assert said.code == 0
    lines = said.out.splitlines()
    assert [line.partition(":")[0] for line in lines] == names
    width, arcsec = lines[0].partition("FWHM = ")[2].partition("px -> ")[::2]
    assert float(width) == pytest.approx(5.0, abs=0.15)
    assert float(arcsec.partition('"')[0]) == pytest.approx(0.89 * float(width), abs=0.01)
    said = autofocus("measure", *paths, "--json")
    objects = [json.loads(line) for line in said.out.splitlines()]
    assert [made["file"] for made in objects] == names
    assert set(objects[1]) == {"file", "error"}
    assert objects[0]["position"] == 9430
    assert objects[0]["center_px"] == pytest.approx(60.0, abs=0.1)
    # all the light of 2000 ADU peak: the area of the Gaussian, per second
    assert objects[0]["nsig"] == pytest.approx(2000 * 5.0 * 1.0645 / 2.0, rel=0.01)
    assert autofocus("measure", str(frames / "broken.fits")).code == 6


def test_options_are_named_as_they_were_given(autofocus, frames: Path) -> None:
    said = autofocus("measure", str(frames / "broken.fits"), "--columns", "5", "--half-window", "1")
    assert said.code == 2
    assert said.err.splitlines() == [
        "autofocus measure: --columns: give columns as A:B, two whole numbers, for example 1500:1600",
        "autofocus measure: --half-window: should be greater than or equal to 2 or 'auto' (got 1)",
    ]
    assert autofocus("measure", str(frames / "broken.fits"), "--position-pattern", "(").code == 2


def test_watch_once_measures_in_order_of_time(autofocus, frames: Path) -> None:
    (frames / "broken.fits").unlink()
    said = autofocus("watch", str(frames), "--once", "--json")
    assert said.code == 0, said.err
    assert [json.loads(line)["position"] for line in said.out.splitlines()] == [9430, 9330, 9380]
    assert autofocus("watch", str(frames / "absent"), "--once").code == 6


def test_stop_signals_reach_the_command_and_are_given_back() -> None:
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with stopping(lambda: heard.append(1)):
        for number in before:
            threading.Timer(0.0, signal.raise_signal, [number]).run()
    assert heard == [1, 1]
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.skipif(os.name == "nt", reason="SIGHUP is not there")
def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping(lambda: None):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
