"""How soon a frame is measured after it is whole, and what the watch costs while nothing happens.

``python -m benchmarks.watch``: ``autofocus watch`` runs as a process on a folder of 10,000 old frames, native and
polling; the frames of a sweep are dropped into it, half of them while a fit is at work. Aim: each line within 0.5 s of
the frame being whole, less than 0.5 % of a core while idle. The idle cost is read from /proc (Linux);
elsewhere it is left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import Queue

import numpy as np

from autofocus.frames.saving import write_frame
from autofocus.model import Frame

SENSOR = (1000, 1500)  # rows, columns
POSITIONS = range(9430, 9300, -15)
AIM_LATE_S, AIM_IDLE_PERCENT = 0.5, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=int, default=10_000, help="frames that are there already")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of idleness to measure")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        sources = [star(Path(place) / f"{position}.fits", position) for position in POSITIONS]
        folder = Path(place) / "frames"
        folder.mkdir()
        for number in range(asked.old):
            path = folder / f"old_{number:05d}x.fits"
            path.write_bytes(b"SIMPLE")
            os.utime(path, (1e9, 1e9))
        print(f"{asked.old} old frames, {asked.frames} new ones of {SENSOR[1]} x {SENSOR[0]} pixels")
        for options in ([], ["--polling"]):
            watched(folder, sources, options, asked)


def star(path: Path, position: int) -> Path:
    """A frame of a sweep: a spectrum whose width grows with the distance from 9370."""
    width = 4.5 * np.hypot(1.0, (position - 9370) / 25.0)
    rows = np.arange(float(SENSOR[0]))[:, None]
    light = 300 + 9000 / width * np.exp(-4 * np.log(2) * ((rows - SENSOR[0] / 2) / width) ** 2) * np.ones(
        (1, SENSOR[1])
    )
    pixels = np.random.default_rng(1).poisson(light).astype(np.uint16)
    write_frame(Frame(raw=pixels), {"EXPTIME": 10.0, "FOCPOS": position, "OBJECT": "HD 97633"}, path)
    return path


def watched(folder: Path, sources: list[Path], options: list[str], asked: argparse.Namespace) -> None:
    """Measure one way of watching and print it."""
    words = [sys.executable, "-m", "autofocus", "watch", str(folder), *options]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        lines: Queue[tuple[str, float]] = Queue()
        reader = threading.Thread(target=read, args=(process, lines), daemon=True)
        reader.start()
        time.sleep(12.0)
        idle = idle_percent(process.pid, asked.idle)
        late = [drop(folder, sources[number % len(sources)], number, lines) for number in range(asked.frames)]
        process.terminate()
        reader.join(30.0)
    named = "polling" if options else "native "
    said = "not measured here" if idle is None else f"{idle:.2f} % of a core"
    verdict = "ok" if max(late) < AIM_LATE_S and (idle or 0.0) < AIM_IDLE_PERCENT else "MISSED"
    print(f"{named}  late: median {statistics.median(late):.3f} s, worst {max(late):.3f} s   idle: {said}   {verdict}")


def read(process: subprocess.Popen[str], lines: Queue[tuple[str, float]]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if not line.startswith(" "):
            lines.put((line, time.monotonic()))


def drop(folder: Path, source: Path, number: int, lines: Queue[tuple[str, float]]) -> float:
    """Drop one frame, every other one right behind the last, so that its fit is under way; how late its line came."""
    path = folder / f"new_{number}x.fits"
    shutil.copyfile(source, path)
    whole = time.monotonic()
    line, came = lines.get(timeout=30)
    assert line.startswith(path.name), line
    path.unlink()
    time.sleep(0.3 if number % 2 else 2.0)
    return came - whole


def idle_percent(pid: int, seconds: float) -> float | None:
    """The share of a core that a process uses."""
    before = cpu_s(pid)
    time.sleep(seconds)
    after = cpu_s(pid)
    return None if before is None or after is None else 100 * (after - before) / seconds


def cpu_s(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
