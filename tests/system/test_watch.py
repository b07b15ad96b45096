"""``autofocus watch`` beside the programs that take the frames, as a process beside theirs."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.system import bench

pytestmark = pytest.mark.system
WRITERS = Path(__file__).with_name("writers.py")
LATEST_S = 60.0
LOADED_S = 2.0  # benchmarks/watch.py holds the program to half a second on a machine that does nothing else
SWEEP = (9430, 9415, 9400, 9385, 9370, 9355, 9340, 9325, 9310)
LINE = re.compile(
    r'HD097633-(\d+)\.fits: FWHM = (\d+\.\d\d)px -> (\d+\.\d\d)" \| NSIG = (\d+\.\d\d) \| position \1(?: \| .+)?'
)


class Watch:
    """A watch in a process of its own, its lines as they come, with the time at which each came."""

    def __init__(self, home: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [*bench.AUTOFOCUS, "watch", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            env=bench.environment(home), cwd=home,
        )  # fmt: skip
        self.lines: queue.Queue[tuple[str, float] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put((line.rstrip("\n"), time.time()))
        self.lines.put(None)

    def next(self, timeout_s: float = LATEST_S) -> tuple[str, float]:
        """The next line and when it came."""
        got = self.lines.get(timeout=timeout_s)
        assert got is not None, self.process.stderr and self.process.stderr.read()
        return got

    def until(self, wanted: str) -> list[str]:
        """Lines up to the first that contains a text."""
        lines = [self.next()[0]]
        while wanted not in lines[-1]:
            lines.append(self.next()[0])
        return lines

    def counsel(self) -> list[str]:
        """The lines that follow a frame: they come together."""
        lines = [self.next()[0]]
        while True:
            try:
                lines.append(self.next(0.4)[0])
            except queue.Empty:
                return lines

    def press(self, key: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(key)
        self.process.stdin.flush()

    def end(self) -> tuple[int, list[str], str]:
        """Press q; the exit code, the lines that were still to come, what stood on stderr."""
        self.press("q")
        return self.over()

    def over(self) -> tuple[int, list[str], str]:
        code = self.process.wait(LATEST_S)
        rest = [got[0] for got in iter(self.lines.get, None)]
        assert self.process.stderr is not None
        return code, rest, self.process.stderr.read()


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Any]:
    """Starts watches; none outlives its test."""
    begun: list[Watch] = []

    def begin(*words: str) -> Watch:
        begun.append(Watch(tmp_path, *words))
        return begun[-1]

    yield begin
    for watch in begun:
        watch.process.kill()
        watch.process.communicate()


def star(path: Path, fwhm: float, seed: int, light: float = 20000.0, **cards: object) -> Path:
    """A frame of a spectrum of a known width."""
    from astropy.io import fits

    rows = np.arange(120.0)[:, None]
    shape = np.exp(-4 * np.log(2) * ((rows - 60) / fwhm) ** 2) * np.ones((1, 400))
    pixels = np.random.default_rng(seed).poisson(300 + light * shape / fwhm).astype(np.uint16)
    unit = fits.PrimaryHDU(pixels)
    unit.header.update({"EXPTIME": 2.0, **cards})
    path.parent.mkdir(exist_ok=True)
    unit.writeto(path)
    return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sources")
    return [star(folder / f"HD097633-{9400 + 15 * at}.fits", 5.0 + at, at) for at in range(4)]


@pytest.mark.parametrize("options", [(), ("--polling",)], ids=["native", "polling"])
def test_each_frame_once_in_order_and_soon_whoever_writes_it(
    options: Sequence[str], watching: Any, sources: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    star(folder / "HD097633-9000.fits", 5.0, 9)
    os.utime(folder / "HD097633-9000.fits", (1e9, 1e9))  # of an earlier night
    watch = watching(str(folder), "--recursive", "--json", *options)
    time.sleep(2.5)
    for kind in ("nina", "sharpcap", "ekos", "copied"):
        written = tmp_path / "frames" / kind
        written.mkdir()
        words = [sys.executable, str(WRITERS), kind, str(written), *map(str, sources)]
        said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=LATEST_S).stdout
        expected = [line.split() for line in said.splitlines()]
        seen = [watch.next() for _ in sources]
        measured = [json.loads(line) for line, _ in seen]
        assert [one["file"] for one in measured] == [name for name, _ in expected], kind
        assert [round(one["fwhm_px"]) for one in measured] == [5, 6, 7, 8], kind
        late = [came - float(whole) for (_, came), (_, whole) in zip(seen, expected, strict=True)]
        assert max(late) < LOADED_S, (kind, late)
        positions = [9400 + 15 * at for at in range(4)] if kind in ("nina", "copied") else [None] * 4
        if kind != "sharpcap":  # the first of files that merely count up cannot be told from a position yet
            assert [one["position"] for one in measured] == positions, kind
    code, rest, errors = watch.end()
    assert (code, rest) == (0, []), errors


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """The sweep of the original's README, taken on the bench; and the truth about it."""
    from autofocus.devices.clock import VirtualClock
    from autofocus.frames.saving import write_frame
    from simulators.bench import Bench
    from simulators.devices import SimulatedCamera, SimulatedFocuser
    from simulators.options import BenchOptions

    folder = tmp_path_factory.mktemp("hd97633")
    clock = VirtualClock()
    made = Bench("starex", 1, clock=clock, options=BenchOptions(start_position=9500, sensor_px=(600, 300)))
    camera, focuser = SimulatedCamera(made, clock), SimulatedFocuser(made, clock)
    for position in SWEEP:
        focuser.move(position)
        clock.sleep(10.0)
        camera.expose(10.0)
        frame = camera.fetch()
        headers = {**frame.headers, "EXPTIME": 10.0, "DATE-OBS": frame.started_utc}
        write_frame(frame, headers, folder / f"HD097633-{position}.fits")
    return folder, {objective: made.truth(objective) for objective in ("fwhm", "nsig", "snr")}  # type: ignore[arg-type]


def test_the_sweep_of_hd97633_dropped_one_by_one(
    watching: Any, sweep: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder, (taken, truth) = tmp_path / "tonight", sweep
    folder.mkdir()
    watch = watching(str(folder), "--plate-scale", "0.89", "--log", "nights.csv")
    time.sleep(2.5)
    told: list[list[str]] = []
    for position in SWEEP:
        (folder / f"HD097633-{position}.fits").write_bytes((taken / f"HD097633-{position}.fits").read_bytes())
        line, _ = watch.next()
        found = LINE.fullmatch(line)
        assert found, line
        assert int(found[1]) == position
        assert float(found[3]) == pytest.approx(0.89 * float(found[2]), abs=0.01)
        told.append(watch.counsel())
    assert told[0] == ["  2 more positions until the first estimate"]
    assert told[1] == ["  1 more position until the first estimate"]
    assert all(lines[0].startswith("  focus is not bracketed yet: move in about ") for lines in told[2:4])
    assert told[-1][0].startswith("  best focus 93")
    assert re.fullmatch(r"  move out about \d+ to 93\d\d", told[-1][1])
    code, rest, errors = watch.end()
    assert code == 0, errors
    answer = rest[-1]
    assert answer.startswith("  9 frames of HD097633: best focus ")
    places = dict(zip(("snr", "fwhm", "nsig"), re.findall(r"(\d{4}(?:\.\d+)?) ± (\d+(?:\.\d+)?)", answer), strict=True))
    for objective, (place, error) in places.items():
        assert abs(float(place) - truth[objective]) < 4 * float(error) + 1, (objective, answer, truth)
        assert float(error) < 10, answer
    assert "(FWHM and NSIG disagree by " in answer
    table = (tmp_path / "nights.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 1 + len(SWEEP)
    analyzed = subprocess.run(
        [*bench.AUTOFOCUS, "analyze", "--json", "--objective", "fwhm", "nights.csv"],
        capture_output=True, text=True, encoding="utf-8", cwd=tmp_path, env=bench.environment(tmp_path), timeout=60,
    )  # fmt: skip
    assert abs(json.loads(analyzed.stdout)["best"]["position"] - truth["fwhm"]) < 10


def test_a_sequence_that_loses_its_focus_ends_the_watch_and_calls_for_help(watching: Any, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    called, script = tmp_path / "called.json", tmp_path / "call for help.py"
    script.write_text(
        f"import json, os, sys\njson.dump([sys.argv[1:], os.environ['AUTOFOCUS_FILE']], open({str(called)!r}, 'w'))\n",
        encoding="utf-8",
    )
    command = f'"{sys.executable}" "{script}" urgent'
    for number in range(11):
        width = 5.0 + 0.05 * (-1) ** number if number < 8 else 7.5
        star(
            folder / f"$(touch pwned);`touch pwned`&{number:02d}x.fits",
            width,
            number,
            FOCPOS=9380,
            FOCTEMP=9.0 - 0.2 * number,
        )
    code, rest, errors = watching(str(folder), "--existing", "--until-degraded", "--notify", command, "--beep").over()
    assert code == 4, errors
    said = [line for line in rest if line.startswith("  refocus now: FWHM 5.0")]
    assert len(said) == 1
    assert said[0].endswith("; it is 2.0 degrees colder than at the start")
    words, file = json.loads(called.read_text())
    assert words == ["urgent", said[0].strip()]
    assert file == "$(touch pwned);`touch pwned`&10x.fits"
    assert not list(tmp_path.rglob("pwned"))
    assert errors.count("\a") == 11 + 3


def test_series_by_hand_and_by_star_do_not_mix(watching: Any, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    watch = watching(str(folder))
    time.sleep(2.5)
    star(folder / "Vega-9400.fits", 5.0, 1)
    watch.until("2 more positions")
    watch.press("n")
    time.sleep(0.3)
    star(folder / "Vega-9410.fits", 5.0, 2)
    assert watch.until("2 more positions")[0] == "  new series: by hand"
    star(folder / "Deneb-9420.fits", 5.0, 3)
    assert watch.until("2 more positions")[0] == "  new series: another star: Deneb"
    (folder / "broken.fits").write_bytes(b"SIMPLE  = nonsense")
    assert watch.next()[0].startswith("broken.fits: ")
    assert watch.end()[0] == 0


def test_what_cannot_be_is_said_before_anything_is_watched(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for words, text in (
        (("--notify", "no-such-command-anywhere"), "there is no command"),
        (("--log", "other.csv"), "it holds another table"),
        (("--since", "yesterday"), "give 21:30"),
    ):
        done = subprocess.run(
            [*bench.AUTOFOCUS, "watch", str(tmp_path), *words],
            capture_output=True, text=True, encoding="utf-8", env=bench.environment(tmp_path), cwd=tmp_path, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert text in done.stderr
    nowhere = subprocess.run(
        [*bench.AUTOFOCUS, "watch"],
        capture_output=True, text=True, encoding="utf-8", env=bench.environment(tmp_path), cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert nowhere.returncode == 6
    assert "autofocus watch DIR" in nowhere.stderr
