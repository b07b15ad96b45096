"""Files to numbers: positions judged among names, failures that end nothing, series gathered from anywhere."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autofocus.errors import FrameError, JournalError, SettingsError
from autofocus.frames import measuring
from autofocus.frames.measuring import FileMeasurer, MeasuredFile, UnreadableFile, measure_arrivals
from autofocus.frames.pending import Arrival
from autofocus.frames.recorded import gather_series
from autofocus.measure.reading import Reading
from autofocus.model import Frame, Measurement
from autofocus.session.events import SampleMeasured, to_line
from autofocus.settings import MeasureSettings
from tests.frames.conftest import fits_bytes


def counted(frame: Frame, settings: MeasureSettings) -> Reading:
    """In place of measuring: the mean as NSIG, the half window used as FWHM."""
    if frame.headers.get("OBJECT") == "bug":
        raise ZeroDivisionError("a fault of ours")
    window = 50.0 if settings.half_window_px == "auto" else float(settings.half_window_px)
    return Reading(Measurement(frame.name, frame.position, window, nsig=float(frame.pixels.mean())))


@pytest.fixture
def measurer() -> FileMeasurer:
    return FileMeasurer(MeasureSettings(), measure=counted)


def put(folder: Path, name: str, **cards: Any) -> Path:
    path = folder / name
    path.write_bytes(fits_bytes(np.full((8, 9), 7, "i2"), **cards))
    return path


def test_the_first_frame_waits_for_what_is_being_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that import scipy at once may each get half of it: a frame was lost that way."""
    done: list[str] = []

    def load() -> None:
        time.sleep(0.3)
        done.append("loaded")

    def measure(frame: Frame, settings: MeasureSettings) -> Reading:
        done.append("measured")
        return counted(frame, settings)

    monkeypatch.setattr(measuring, "_load", load)
    measurer = FileMeasurer(MeasureSettings(), measure=measure)
    measurer.prepare()
    for name in ("a.fits", "b.fits"):
        measurer(put(tmp_path, name))
    assert done == ["loaded", "measured", "measured"]


def test_position_from_the_name_unless_names_count_up(tmp_path: Path, measurer: FileMeasurer) -> None:
    first = measurer(put(tmp_path, "x-101.fits"))
    assert (first.measurement.position, first.withdrawn) == (101, ())
    second = measurer(put(tmp_path, "x-102.fits"))
    assert (second.measurement.position, second.withdrawn) == (None, ("x-101.fits",))
    assert measurer(put(tmp_path, "x-103.fits")).withdrawn == ()


def test_one_file_alone_is_judged_by_its_neighbours(tmp_path: Path, measurer: FileMeasurer) -> None:
    put(tmp_path, "x-102.fits")
    assert measurer(put(tmp_path, "x-101.fits")).measurement.position is None
    put(tmp_path, "HD-9415.fits")
    assert measurer(put(tmp_path, "HD-9430.fits")).measurement.position == 9430


def test_a_counted_name_contradicts_no_header(tmp_path: Path, measurer: FileMeasurer) -> None:
    put(tmp_path, "x-102.fits", FOCUSPOS=9400)
    found = measurer(put(tmp_path, "x-101.fits", FOCUSPOS=9430)).measurement
    assert (found.position, found.notes) == (9430, ())
    noted = measurer(put(tmp_path, "y-9415.fits", FOCUSPOS=9430)).measurement
    assert noted.notes == ("the header says position 9430, the name 9415",)


def test_the_setup_comes_from_the_header_then_the_name(tmp_path: Path, measurer: FileMeasurer) -> None:
    full = measurer(put(tmp_path, "x-101.fits", OBJECT="HD 97633 ", EXPTIME=10.0, GAIN=100, FOCTEMP=4.5))
    assert (full.setup.star, full.setup.exposure_s, full.setup.gain) == ("HD 97633", 10.0, 100)
    assert full.measurement.temperature_c == 4.5
    assert measurer(put(tmp_path, "HD097633-9430.fits")).setup.star == "HD097633"
    assert measurer(put(tmp_path, "2026-11-22_21-14-05_10.00s-9415.fits")).setup.star == ""


def test_a_failure_is_one_complaint_and_the_watch_goes_on(tmp_path: Path, measurer: FileMeasurer) -> None:
    arrivals = [
        Arrival(tmp_path / "gone.fits"),
        Arrival(put(tmp_path, "bug.fits", OBJECT="bug")),
        Arrival(tmp_path / "slow.fits", "it is not whole"),
        Arrival(put(tmp_path, "good-9430.fits")),
    ]
    found = list(measure_arrivals(arrivals, measurer))
    assert [one.error for one in found if isinstance(one, UnreadableFile)] == [
        "there is no such file",
        "could not be measured (ZeroDivisionError: a fault of ours)",
        "it is not whole",
    ]
    assert isinstance(found[3], MeasuredFile)
    assert found[3].measurement.nsig == 7


def test_a_faulty_pattern_shows_before_the_first_frame() -> None:
    with pytest.raises(SettingsError):
        FileMeasurer(MeasureSettings(), position_pattern="(")


def test_a_folder_of_frames(tmp_path: Path, measurer: FileMeasurer) -> None:
    put(tmp_path, "HD-9415.fits", **{"DATE-OBS": "2026-11-22T21:15:00"})
    put(tmp_path, "HD-9430.fits", **{"DATE-OBS": "2026-11-22T21:14:00"})
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE")
    os.utime(tmp_path / "broken.fits", (1e9, 1e9))  # it has long stopped growing
    series = gather_series([tmp_path], measurer)
    assert [one.position for one in series.measurements] == [9430, 9415]
    assert [one.file for one in series.unreadable] == ["broken.fits"]


def test_frame_numbers_are_taken_back_over_the_series(tmp_path: Path, measurer: FileMeasurer) -> None:
    paths = [put(tmp_path, f"HD-{number}.fits") for number in (101, 102, 103)]
    assert [one.position for one in gather_series(paths, measurer).measurements] == [None, None, None]


def test_auto_window_is_one_for_the_series(tmp_path: Path) -> None:
    paths = [put(tmp_path, f"HD-{number}.fits") for number in (9430, 9415)]
    measurer = FileMeasurer(MeasureSettings(half_window_px="auto"), measure=counted)
    assert {one.fwhm_px for one in gather_series(paths, measurer).measurements} == {100.0}  # two FWHM of 50


def test_a_session_folder_by_its_journal_then_its_table(tmp_path: Path, measurer: FileMeasurer) -> None:
    (tmp_path / "points.csv").write_text("position,nsig\n9400,3\n")
    assert gather_series([tmp_path], measurer).measurements[0].position == 9400
    event = SampleMeasured(number=1, target=9430, name="a", measurement=Measurement("a.fits", 9430, 5.0))
    (tmp_path / "events.jsonl").write_text(to_line(event) + "\n" + to_line(event)[:20])
    assert [one.position for one in gather_series([tmp_path], measurer).measurements] == [9430]
    (tmp_path / "points.csv").unlink()
    (tmp_path / "events.jsonl").write_text("")
    with pytest.raises(JournalError, match="no measured frame"):
        gather_series([tmp_path], measurer)


@pytest.mark.parametrize("names", [["nothing.csv"], ["nothing.fits"], ["."], ["nothing.csv", "nothing.fits"], []])
def test_nothing_to_read_is_a_fault(tmp_path: Path, measurer: FileMeasurer, names: list[str]) -> None:
    with pytest.raises(FrameError):
        gather_series([tmp_path / name for name in names], measurer)
