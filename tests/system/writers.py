"""How acquisition programs and network copies write files: run as a process of its own.

``python writers.py KIND FOLDER SOURCE...`` writes copies of the sources and prints, for each, its final name and
when it was whole (seconds since 1970).
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path


def nina(folder: Path, sources: list[Path]) -> Iterator[Path]:
    """N.I.N.A.: saved under a GUID, then renamed to what the user's pattern says."""
    for source in sources:
        saved = folder / f"{uuid.uuid4()}.fits"
        _in_parts(saved, source.read_bytes(), pause_s=0.02)
        time.sleep(0.3)
        yield saved.rename(folder / source.name)


def sharpcap(folder: Path, sources: list[Path]) -> Iterator[Path]:
    """SharpCap: numbered, at once, as fast as they come, into a folder of its own that is made with the first."""
    inside = folder / "2026-11-22" / "Capture" / "21_14_05"
    inside.mkdir(parents=True)
    for number, source in enumerate(sources, 1):
        path = inside / f"Capture_{number:05d}.fits"
        path.write_bytes(source.read_bytes())
        yield path


def ekos(folder: Path, sources: list[Path]) -> Iterator[Path]:
    """Ekos: the header first, then the pixels as they come off the camera."""
    inside = folder / "Light"
    inside.mkdir()
    for number, source in enumerate(sources, 1):
        path = inside / f"HD097633_Light_{number:03d}.fits"
        _in_parts(path, source.read_bytes(), pause_s=0.08)
        yield path


def copied(folder: Path, sources: list[Path]) -> Iterator[Path]:
    """A slow network copy: the bytes are reserved first, and filled with pauses."""
    for source in sources:
        path, data = folder / source.name, source.read_bytes()
        with path.open("wb") as stream:
            stream.truncate(len(data))
            for at in range(0, len(data), len(data) // 5):
                time.sleep(0.25)
                stream.seek(at)
                stream.write(data[at : at + len(data) // 5])
                stream.flush()
        yield path


def _in_parts(path: Path, data: bytes, *, pause_s: float) -> None:
    with path.open("wb") as stream:
        for at in range(0, len(data), len(data) // 6):
            stream.write(data[at : at + len(data) // 6])
            stream.flush()
            time.sleep(pause_s)


WRITERS: dict[str, Callable[[Path, list[Path]], Iterator[Path]]] = {
    "nina": nina, "sharpcap": sharpcap, "ekos": ekos, "copied": copied,
}  # fmt: skip


def main() -> None:
    kind, folder, *sources = sys.argv[1:]
    for path in WRITERS[kind](Path(folder), [Path(source) for source in sources]):
        print(path.name, time.time(), flush=True)


if __name__ == "__main__":
    main()
