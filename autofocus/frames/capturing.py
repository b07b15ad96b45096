"""Where acquisition programs save their frames: the folder to watch when none is named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from autofocus.frames.naming import is_frame_name

MOST_ENTRIES = 50_000  # looked at in one program's folder: beyond that the newest so far will do
LARGEST_PROFILE = 16 * 1024**2
_FILE_PATH = re.compile(r"<ImageFileSettings\b.*?<FilePath>([^<]+)</FilePath>", re.DOTALL)
_NIGHT = re.compile(r"\$\$.*")


@dataclass(frozen=True, slots=True)
class CaptureFolder:
    """Where a program saves, and when it last did (seconds since 1970)."""

    path: Path
    program: str
    newest_s: float


def newest_capture_folder(
    home: Path | None = None, environment: Mapping[str, str] | None = None
) -> CaptureFolder | None:
    """The folder of N.I.N.A., SharpCap or Ekos into which a FITS frame was saved last; None where there is none.

    It is the program's own folder, not that of the night: watched with its sub-folders, it goes on after midnight.
    """
    surroundings = os.environ if environment is None else environment
    found = [
        CaptureFolder(path, program, newest)
        for program, path in _usual_places(home or Path.home(), surroundings)
        if (newest := _newest_frame_s(path)) is not None
    ]
    return max(found, key=lambda folder: folder.newest_s, default=None)


def _usual_places(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    local = environment.get("LOCALAPPDATA")
    if local:
        for profile in sorted((Path(local) / "NINA" / "Profiles").glob("*.profile")):
            folder = _nina_folder(profile)
            if folder is not None:
                yield "N.I.N.A.", folder
    cloud = environment.get("OneDrive")
    for base in (home, *([Path(cloud)] if cloud else [])):
        yield "N.I.N.A.", base / "Documents" / "N.I.N.A"
        yield "N.I.N.A.", base / "Pictures" / "N.I.N.A"
        for place in ("Desktop", "Documents", "Pictures"):
            yield "SharpCap", base / place / "SharpCap Captures"
    if not local:
        yield "Ekos", home / "Pictures"


def _nina_folder(profile: Path) -> Path | None:
    """Where a N.I.N.A. profile saves images; None where it does not say."""
    try:
        if profile.stat().st_size > LARGEST_PROFILE:
            return None
        text = profile.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return None
    found = _FILE_PATH.search(text)
    named = _NIGHT.sub("", unescape(found[1]).strip()) if found else ""
    return Path(named) if named and Path(named).is_absolute() else None


def _newest_frame_s(folder: Path) -> float | None:
    """When the newest frame in a folder or its sub-folders was saved; the newest sub-folders are looked into first."""
    newest: float | None = None
    todo, seen = [str(folder)], 0
    while todo and seen < MOST_ENTRIES:
        below: list[tuple[float, str]] = []
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        below.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
                    elif is_frame_name(entry.name):
                        newest = max(newest or 0.0, entry.stat().st_mtime)
        except OSError:
            continue
        todo.extend(path for _, path in sorted(below))
    return newest
