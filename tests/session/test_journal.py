from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autofocus.errors import JournalError
from autofocus.frames.fits import read_frame
from autofocus.frames.saving import write_frame
from autofocus.model import Flag, Frame, Measurement
from autofocus.session import events, journal, pictures
from autofocus.session.journal import Journal, read_events, read_measurements, read_picture
from autofocus.settings import MeasureSettings
from tests.session.fakes import Bench, going_to

NOW = datetime(2026, 11, 22, 21, 14, 5, 900000, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.create(tmp_path, NOW, write_frame)
    yield opened
    opened.close()


def test_the_folder_is_named_by_the_second_and_a_second_session_in_it_gets_a_suffix(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        opened = Journal.create(tmp_path / "new" / "s", NOW, write_frame)
        names.append(opened.folder.name)
        opened.close()
    assert names == ["2026-11-22T21-14-05", "2026-11-22T21-14-05-2", "2026-11-22T21-14-05-3"]


def test_every_event_is_on_disk_before_anybody_else_hears_of_it(bench: Bench) -> None:
    checked = []

    def listener(event: events.Event) -> None:
        folder = next((bench.folder / "sessions").iterdir())
        last = (folder / "events.jsonl").read_text().splitlines()[-1]
        checked.append(json.loads(last)["event"] == type(event).__name__)

    bench.run(going_to((9450, 9400)), listeners=[listener])
    assert len(checked) > 20
    assert all(checked)


def test_the_session_folder_holds_what_contract_promises(bench: Bench) -> None:
    ending = bench.run(going_to((9450, 9350)), write_frame=write_frame)
    folder = ending.folder
    assert json.loads((folder / "result.json").read_text()) == ending.result
    assert sorted(path.name for path in (folder / "frames").iterdir()) == [
        "0001-9450.fits",
        "0002-9350.fits",
        "0003-9380.fits",
    ]
    with (folder / "points.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["position"] for row in rows] == ["9450", "9350", "9380"]
    assert [float(row["fwhm_px"]) for row in rows] == [one["fwhm_px"] for one in ending.result["samples"]]
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
    header = read_frame(folder / "frames" / "0002-9350.fits").headers
    assert header["FOCUSPOS"] == header["FOCPOS"] == 9350
    assert header["EXPTIME"] == header["EXPOSURE"] == 10.0
    assert (header["INSTRUME"], header["FOCNAME"], header["EGAIN"]) == ("Fake camera", "Fake focuser", 0.8)
    assert (header["CCD-TEMP"], header["FOCTEMP"], header["FOCUSTEM"]) == (-10.0, 4.5, 4.5)
    assert (header["GAIN"], header["OFFSET"], header["XPIXSZ"], header["YPIXSZ"]) == (100.0, 10.0, 2.4, 2.4)
    assert (header["XBINNING"], header["YBINNING"], header["ROWORDER"]) == (1, 1, "TOP-DOWN")
    assert header["DATE-OBS"].startswith("2026-01-01T00:00:1")
    assert {"OBJECT", "SWCREATE"} <= set(header)


def test_without_frames_a_preview_of_each_is_kept(bench: Bench) -> None:
    bench.sections["session"]["save_frames"] = False
    ending = bench.run(going_to((9450, 9350)))
    assert not (ending.folder / "frames").exists()
    picture = read_picture(ending.folder, "0001-9450")
    assert picture is not None
    assert picture.profile == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert picture.profile_start_px == 18
    assert picture.window_px == (-10.0, 50.0)
    assert picture.trace_px[0] == (0.0, 20.0)
    assert picture.trace_px[-1] == (59.0, 20.0)
    assert picture.frame is not None
    assert picture.frame.pixels.mean() == pytest.approx(9450)


def test_the_last_frames_are_whole_and_older_ones_previews(store: Journal) -> None:
    rng = np.random.default_rng(1)
    for number in range(5):
        frame = Frame(raw=rng.integers(0, 60000, (1300, 2000), dtype="u2"), name=f"f{number}")
        reading = SimpleNamespace(measurement=Measurement(), profile=None, trace=None)
        store.put(pictures.picture_of(frame, reading, MeasureSettings()), Measurement())  # type: ignore[arg-type]
    newest, oldest = store.get("f4"), store.get("f0")
    assert newest is not None
    assert newest.frame is not None
    assert newest.frame.shape == (1300, 2000)
    assert oldest is not None
    assert oldest.frame is not None
    assert oldest.frame.shape == (1300 // 4, 2000 // 4)
    assert oldest.frame.headers["PIXSIDE"] == 4
    assert oldest.frame.pixels.mean() == pytest.approx(30000, rel=0.01)


def test_a_thumbnail_averages_whole_squares() -> None:
    raw = np.arange(5 * 1300, dtype="f4").reshape(5, 1300)
    small, side = pictures.thumbnail(Frame(raw=raw))
    assert side == 3
    assert small.shape == (1, 433)
    assert small[0, 1] == pytest.approx(raw[:3, 3:6].mean())


@pytest.mark.parametrize("name", ["../secret", "a/b", "", "a\\b", "C:x", "x" * 65, ".", "a\n"])
def test_no_name_becomes_a_path(store: Journal, name: str) -> None:
    assert store.get(name) is None
    assert read_picture(store.folder, name) is None
    with pytest.raises(JournalError):
        store.save(Frame(raw=np.zeros((2, 2)), name=name), {})


def test_a_spoilt_preview_is_a_fault_of_the_journal(store: Journal) -> None:
    (store.folder / "previews").mkdir()
    (store.folder / "previews" / "f.npz").write_bytes(b"PK\x03\x04 and then rubbish")
    with pytest.raises(JournalError, match="preview of frame f"):
        store.get("f")


def test_torn_lines_are_passed_over_and_what_follows_is_read(tmp_path: Path) -> None:
    lines = [
        events.to_line(events.Warned(message="one")),
        '{"event":"Warned","mess',
        "\udcff\x00\xff".encode("utf-8", "surrogatepass").decode("latin-1"),
        events.to_line(events.Warned(message="two")),
        '{"event":"Warned","message":"thr',
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert list(read_events(tmp_path)) == [events.Warned(message="one"), events.Warned(message="two")]


def test_after_a_write_that_failed_half_way_the_next_event_has_a_line_of_its_own(store: Journal, monkeypatch) -> None:
    whole = store._events
    halves = iter([True])

    class Disk:
        def write(self, text: str) -> None:
            if next(halves, False):
                whole.write(text[:20])
                whole.flush()
                raise OSError(28, "No space left on device")
            whole.write(text)

        def flush(self) -> None:
            whole.flush()

    monkeypatch.setattr(store, "_events", Disk())
    with pytest.raises(JournalError, match="No space left on device"):
        store(events.Warned(message="lost"))
    store(events.Warned(message="kept"))
    monkeypatch.undo()
    assert list(read_events(store.folder)) == [events.Warned(message="kept")]


def test_measurements_are_read_back_in_order(bench: Bench) -> None:
    ending = bench.run(going_to((9450, 9350)))
    assert [one.position for one in read_measurements(ending.folder)] == [9450, 9350, 9380]


def test_points_keep_the_reason_why_a_sample_was_not_used() -> None:
    taken = [Measurement("a.fits", 9400.0, 5.0, flags=(Flag.CLOUDED, Flag.LOW_SNR), used=False, why="a cloud")]
    rows = list(csv.DictReader(journal.points_table(taken, {}).splitlines()))
    assert (rows[0]["flags"], rows[0]["used"], rows[0]["why"]) == ("clouded low_snr", "False", "a cloud")
    assert rows[0]["nsig"] == ""
