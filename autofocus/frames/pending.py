"""Files on their way to being whole: when a candidate is ready, when to complain about it, and in what order."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autofocus.errors import FrameError
from autofocus.frames.fits import GZIP_MAGIC, Glance, find_image, glance
from autofocus.frames.naming import GUID, stem

STEADY_S = 0.1  # a whole file must not have changed for so long: copies may reserve all their bytes first
HOLLOW_S = 2.0  # a slow copy into reserved bytes pauses; a frame that truly ends in zeros waits so long
STUCK_S = 5.0
RENAME_S = 2.0  # N.I.N.A. saves under a GUID and renames
PROBE_BYTES, MOST_PROBES = 1024**2, 64
LOOK_INSIDE_S = 0.5

Signature = tuple[int, int]


def signature(path: Path) -> Signature | None:
    """Size and time of change of a file, or None where there is none (any more)."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame that is whole, or (with a complaint) a file that should be one and is not."""

    path: Path
    complaint: str = ""


@dataclass(slots=True)
class Pending:
    """One candidate: how it looked last, since when it has not changed, and what is inside."""

    path: Path
    first_seen_s: float
    changed_s: float
    last: Signature | None = None
    complained: bool = False
    inside: Glance | None = None
    inside_s: float = 0.0

    @classmethod
    def of(cls, path: Path, now_s: float, *, complained: bool = False) -> Pending:
        """A candidate just noticed; a file that by its own date is old already need not prove itself by waiting."""
        seen = signature(path)
        age = max(0.0, time.time() - seen[1] / 1e9) if seen else 0.0
        return cls(path, now_s - age, now_s - age, seen, complained)

    @property
    def fresh(self) -> bool:
        """Whether it may still be changing, by its own date."""
        return self.changed_s + STEADY_S > time.monotonic()

    def look(self, now_s: float) -> str:
        """Look at the file again: ``gone``, ``waiting``, ``ready`` or ``stuck`` (to be complained about)."""
        seen = signature(self.path)
        if seen is None:
            return "gone"
        if seen != self.last:
            self.last, self.changed_s, self.inside = seen, now_s, None
        still_s = now_s - self.changed_s
        if still_s < STEADY_S or (now_s - self.first_seen_s < RENAME_S and GUID.match(stem(self.path.name))):
            return "waiting"
        if self.inside is None or now_s - self.inside_s >= LOOK_INSIDE_S:  # Windows: its writer may let go of it late
            self.inside, self.inside_s = glance(self.path), now_s
        if self.inside.hollow and still_s < HOLLOW_S:
            return "waiting"
        if not self.inside.missing:
            return "ready"
        return "stuck" if still_s >= STUCK_S else "waiting"

    @property
    def order(self) -> tuple[float, float, list[object]]:
        """Where it comes in time: by DATE-OBS, else by the file's own time; then by name, numbers as numbers."""
        changed_s = self.last[1] / 1e9 if self.last else 0.0
        began_s = _epoch(self.inside.started_utc) if self.inside else None
        return (changed_s if began_s is None else began_s, changed_s, natural(self.path.name))


def in_order(candidates: Iterable[Pending]) -> list[Pending]:
    """The candidates in order of time."""
    return sorted(candidates, key=lambda candidate: candidate.order)


def natural(name: str) -> list[object]:
    """A key that sorts frame 9 before frame 10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if at % 2 else part.casefold() for at, part in enumerate(parts)]


def _epoch(started_utc: str | None) -> float | None:
    """Seconds since 1970 of a DATE-OBS that holds a time of day, else None."""
    if started_utc is None or len(started_utc) <= len("2026-11-22"):
        return None
    try:
        moment = datetime.fromisoformat(started_utc)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def fingerprint(path: Path) -> bytes:
    """A digest of the pixels: the same when only the header (a plate solver's work) or the name was changed.

    Of an image above 64 MiB a part is taken; b"" when the file cannot be read.
    """
    digest = 0
    try:
        with path.open("rb") as stream:
            start, length = 0, path.stat().st_size
            if stream.read(2) != GZIP_MAGIC:
                header = find_image(stream).header
                start, length = header.data_start, header.data_bytes
            probes = max(1, min(-(-length // PROBE_BYTES), MOST_PROBES))
            for probe in range(probes):
                stream.seek(start + length * probe // probes)
                digest = zlib.crc32(stream.read(min(PROBE_BYTES, -(-length // probes))), digest)
    except (OSError, FrameError):
        return b""
    return length.to_bytes(8, "little") + digest.to_bytes(4, "little")
