"""A watched folder: each frame once, when it is whole, in order of time."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autofocus.errors import FrameError
from autofocus.frames import directory, pending
from autofocus.frames.directory import FolderWatch
from autofocus.frames.pending import Arrival
from tests.frames.conftest import fits_bytes

PIXELS = np.random.default_rng(5).integers(0, 30000, (60, 80), dtype=np.int16)
LATEST_S = 5.0


def frame(number: int = 0, **cards: Any) -> bytes:
    return fits_bytes(PIXELS + np.int16(number), **cards)


class Watched:
    """A folder watched by a thread, and what has arrived."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder, self.got, self.stop = folder, [], threading.Event()
        self.times: list[float] = []
        self.watch = FolderWatch(folder, stop=self.stop, **options)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for arrival in self.watch.arrivals():
            self.got.append(arrival)
            self.times.append(time.monotonic())

    def names(self) -> list[str]:
        return [arrival.path.name for arrival in self.got if not arrival.complaint]

    def until(self, condition: Callable[[], bool]) -> bool:
        end = time.monotonic() + LATEST_S
        while not condition() and time.monotonic() < end:
            time.sleep(0.01)
        return condition()

    def quiet(self, seconds: float = 0.5) -> None:
        time.sleep(seconds)

    def end(self) -> None:
        self.stop.set()
        self.thread.join(5.0)
        assert not self.thread.is_alive()


@pytest.fixture(autouse=True)
def _looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "LEAST_REST_S", 0.1)
    monkeypatch.setattr(directory, "SHARE", 20)


@pytest.fixture(params=[False, True], ids=["native", "polling"])
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    (tmp_path / "old-100.fits").write_bytes(frame())
    os.utime(tmp_path / "old-100.fits", (1e9, 1e9))
    watching = Watched(tmp_path, polling=request.param, recursive=True)
    time.sleep(0.3)
    yield watching
    watching.end()


def test_a_frame_written_at_once_arrives_within_half_a_second(watched: Watched) -> None:
    (watched.folder / "a-9430.FITS").write_bytes(frame(1))
    began = time.monotonic()
    assert watched.until(lambda: watched.names() == ["a-9430.FITS"])
    assert watched.times[0] - began < 0.5
    watched.quiet()
    assert watched.got == [Arrival(watched.folder / "a-9430.FITS")]


def test_a_growing_frame_arrives_when_it_is_whole(watched: Watched) -> None:
    data = frame(2)
    with (watched.folder / "grow.fits").open("wb") as stream:
        for at in range(0, len(data), 3000):
            assert watched.got == []
            stream.write(data[at : at + 3000])
            stream.flush()
            time.sleep(0.12)
    assert watched.until(lambda: watched.names() == ["grow.fits"])


def test_a_frame_whose_bytes_were_reserved_first(watched: Watched) -> None:
    data = frame(3)
    with (watched.folder / "copy.fits").open("wb") as stream:
        stream.truncate(len(data))
        for at in range(0, len(data), 3000):
            stream.seek(at)
            stream.write(data[at : at + 3000])
            stream.flush()
            time.sleep(0.04)
        assert watched.got == []
    assert watched.until(lambda: watched.names() == ["copy.fits"])


def test_a_frame_renamed_into_place_arrives_under_its_last_name(watched: Watched) -> None:
    early = watched.folder / "2f9619ff-8b86-d011-b42d-00cf4fc964ff.fits"
    early.write_bytes(frame(4))
    time.sleep(0.4)
    early.rename(watched.folder / "b-9415.fits")
    (watched.folder / "c.fits.tmp").write_bytes(frame(5))
    (watched.folder / "c.fits.tmp").rename(watched.folder / "c-9400.fits")
    assert watched.until(lambda: sorted(watched.names()) == ["b-9415.fits", "c-9400.fits"])
    watched.quiet()
    assert len(watched.got) == 2


def test_a_replaced_frame_arrives_again_but_a_new_header_or_name_does_not(watched: Watched) -> None:
    path = watched.folder / "preview.fits"
    path.write_bytes(frame(6))
    assert watched.until(lambda: len(watched.got) == 1)
    path.write_bytes(frame(6, OBJECT="solved"))
    watched.quiet()
    assert len(watched.got) == 1
    path.rename(watched.folder / "kept.fits")
    watched.quiet()
    assert len(watched.got) == 1
    path.write_bytes(frame(7))
    assert watched.until(lambda: watched.names() == ["preview.fits", "preview.fits"])


def test_a_burst_arrives_whole_in_order_of_time(watched: Watched) -> None:
    for number in range(12):
        data = frame(number, **{"DATE-OBS": f"2026-11-22T21:14:{59 - number:02}"})
        (watched.folder / f".n{number}").write_bytes(data)
    for number in range(12):
        (watched.folder / f".n{number}").rename(watched.folder / f"n{number}.fits")
    assert watched.until(lambda: len(watched.got) == 12)
    assert sorted(watched.names()) == sorted(f"n{number}.fits" for number in range(12))


def test_a_new_night_folder(watched: Watched) -> None:
    night = watched.folder / "2026-11-23" / "LIGHT"
    night.mkdir(parents=True)
    (night / "d-9385.fits").write_bytes(frame(8))
    assert watched.until(lambda: watched.names() == ["d-9385.fits"])


def test_strange_names_links_in_circles_and_other_files(watched: Watched) -> None:
    (watched.folder / "loop").symlink_to(watched.folder, target_is_directory=True)
    (watched.folder / "notes.txt").write_text("x")
    (watched.folder / "folder.fits").mkdir()
    (watched.folder / "gone.fits").symlink_to(watched.folder / "nowhere")
    odd = "a 'b' \"c\"\nŽ\x1b[31m-9430.fits"
    (watched.folder / odd).write_bytes(frame(9))
    assert watched.until(lambda: watched.names() == [odd])
    watched.quiet()
    assert len(watched.got) == 1


def test_a_folder_that_vanishes_and_returns(tmp_path: Path) -> None:
    for polling in (False, True):
        folder = tmp_path / f"night{polling}"
        folder.mkdir()
        watching = Watched(folder, polling=polling)
        time.sleep(0.3)
        shutil.rmtree(folder)
        assert watching.until(lambda: len(watching.got) == 1)  # noqa: B023
        assert "gone" in watching.got[0].complaint
        watching.quiet()
        folder.mkdir()
        time.sleep(0.4)
        (folder / "e-9370.fits").write_bytes(frame(10))
        assert watching.until(lambda: watching.names() == ["e-9370.fits"])  # noqa: B023
        assert len(watching.got) == 2
        watching.end()


def test_a_stuck_file_is_reported_once_and_measured_if_it_completes(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "STUCK_S", 0.4)
    data = frame(11)
    path = watched.folder / "slow.fits"
    path.write_bytes(data[:5000])
    assert watched.until(lambda: len(watched.got) == 1)
    assert watched.got[0].complaint == f"it is not whole: 5000 of {2880 + PIXELS.nbytes} bytes are there"
    watched.quiet()
    assert len(watched.got) == 1
    with path.open("ab") as stream:
        stream.write(data[5000:6000])
    watched.quiet()
    assert len(watched.got) == 1
    with path.open("ab") as stream:
        stream.write(data[6000:])
    assert watched.until(lambda: watched.names() == ["slow.fits"])


def test_deleted_before_it_was_whole(watched: Watched) -> None:
    path = watched.folder / "brief.fits"
    path.write_bytes(frame(12)[:3000])
    time.sleep(0.2)
    path.unlink()
    watched.quiet()
    assert watched.got == []


def test_once_delivers_what_is_there_in_order_of_time_and_ends(tmp_path: Path) -> None:
    for name, at in (("z.fits", 1000), ("b10.fits", 2000), ("b9.fits", 2000), ("a.fits", 3000)):
        (tmp_path / name).write_bytes(frame())
        os.utime(tmp_path / name, (at, at))
    (tmp_path / "first.fits").write_bytes(frame(**{"DATE-OBS": "1970-01-01T00:00:01.5"}))
    (tmp_path / "bad.fits").write_bytes(b"no")
    os.utime(tmp_path / "bad.fits", (500, 500))
    arrivals = list(FolderWatch(tmp_path, once=True).arrivals())
    delivered = [a.path.name for a in arrivals if not a.complaint]
    assert delivered == ["first.fits", "z.fits", "b9.fits", "b10.fits", "a.fits"]
    assert [(a.path.name, a.complaint) for a in arrivals if a.complaint] == [("bad.fits", "it is not a FITS file")]


def test_since_and_pattern(tmp_path: Path) -> None:
    for name, at in (("a1.fits", 1000), ("a2.fits", 2000), ("b2.fits", 2000)):
        (tmp_path / name).write_bytes(frame())
        os.utime(tmp_path / name, (at, at))
    arrivals = list(FolderWatch(tmp_path, once=True, since_s=1500, pattern="a*").arrivals())
    assert [a.path.name for a in arrivals] == ["a2.fits"]


def test_what_came_while_the_command_was_starting_is_new(tmp_path: Path) -> None:
    for name, at in (("before.fits", 1000), ("after.fits", 2000)):
        (tmp_path / name).write_bytes(frame())
        os.utime(tmp_path / name, (at, at))
    watching = Watched(tmp_path, began_s=1500.0)
    assert watching.until(lambda: watching.names() == ["after.fits"])
    watching.end()


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="no such folder"):
        next(FolderWatch(tmp_path / "x").arrivals())


def test_ten_thousand_old_files_leave_it_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "SHARE", 400)
    for number in range(10_000):
        (tmp_path / f"old_{number:05}.fits").touch()
    watching = Watched(tmp_path, polling=True)
    time.sleep(0.4)
    began_cpu, began = time.process_time(), time.monotonic()
    time.sleep(0.5)
    share = (time.process_time() - began_cpu) / (time.monotonic() - began)
    (tmp_path / "new-9430.fits").write_bytes(frame())
    assert watching.until(lambda: watching.names() == ["new-9430.fits"])
    watching.end()
    assert share < 0.05  # this process does nothing else; the aim of 0.005 is measured over minutes in benchmarks


def test_bytes_that_were_reserved_before_they_came_are_no_frame_yet(watched: Watched) -> None:
    data = frame(7)
    with (watched.folder / "slow-9430.fits").open("wb") as stream:
        stream.truncate(len(data))
        for at in range(0, len(data), len(data) // 3):
            watched.quiet(0.35)  # a network that pauses for longer than a file must be steady
            assert watched.got == []
            stream.seek(at)
            stream.write(data[at : at + len(data) // 3])
            stream.flush()
    assert watched.until(lambda: watched.names() == ["slow-9430.fits"])
    watched.quiet()
    assert len(watched.got) == 1


def test_a_frame_that_truly_ends_in_zeros_is_measured_too(watched: Watched) -> None:
    (watched.folder / "dark-9430.fits").write_bytes(fits_bytes(np.zeros((60, 80), dtype=np.int16)))
    assert watched.until(lambda: watched.names() == ["dark-9430.fits"])
