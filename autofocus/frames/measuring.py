"""From a file to its numbers: read, measured, its position judged among the names beside it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autofocus.companion.watch import Setup
from autofocus.errors import FrameError
from autofocus.frames.fits import read_frame
from autofocus.frames.header import as_number
from autofocus.frames.naming import NamedPositions, is_frame_name, split_name
from autofocus.frames.pending import Arrival
from autofocus.model import Frame, Measurement
from autofocus.settings import MeasureSettings

if TYPE_CHECKING:
    from autofocus.measure.reading import Reading

Measure = Callable[[Frame, MeasureSettings], "Reading"]
TEMPERATURE_KEYS = ("FOCTEMP", "FOCUSTEM")
_CLOCK = re.compile(r"(?:19|20)\d\d[-_]?[01]\d[-_]?[0-3]\d|[0-2]\d[-_:.][0-5]\d[-_:.][0-5]\d")


@dataclass(frozen=True, slots=True)
class MeasuredFile:
    """A file that was measured.

    ``withdrawn`` names files measured earlier whose positions turn out to be frame numbers.
    """

    path: Path
    frame: Frame
    reading: Reading
    measurement: Measurement
    setup: Setup
    withdrawn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file (or the folder) of which only a complaint can be had."""

    path: Path
    error: str

    @property
    def file(self) -> str:
        """The name by which lines and objects call it."""
        return self.path.name or str(self.path)


class FileMeasurer:
    """Measures files one by one; knows the names it has met, to tell positions from frame numbers."""

    def __init__(
        self,
        settings: MeasureSettings,
        *,
        position_pattern: str | None = None,
        measure: Measure | None = None,
        show: Callable[[MeasuredFile, MeasureSettings], None] | None = None,
    ) -> None:
        self.settings = settings
        self._show = show  # gets to see every frame while its pixels are at hand
        self._measure = measure
        self._pattern = position_pattern
        self._names: dict[Path, NamedPositions] = {}
        self._trusted: dict[tuple[Path, str], list[str]] = {}
        self._loading: threading.Thread | None = None
        NamedPositions(position_pattern)  # a faulty pattern shows now, not at the first frame

    def __call__(self, path: Path) -> MeasuredFile:
        """Measure a file; `FrameError` when it cannot be read or measured."""
        if self._loading is not None:  # two threads that import scipy at once may both get half of it
            self._loading.join()
            self._loading = None
        position, withdrawn = self._position(path)
        frame = read_frame(path, name_position=position, names_known=True)
        reading = self._measured(frame)
        found = reading.measurement
        temperature = _first_of(frame, TEMPERATURE_KEYS) if found.temperature_c is None else found.temperature_c
        measurement = replace(found, temperature_c=temperature, notes=(*found.notes, *frame.notes))
        taken = MeasuredFile(path, frame, reading, measurement, _setup(frame, path.name), withdrawn)
        if self._show is not None:
            self._show(taken, self.settings)
        return taken

    def prepare(self) -> None:
        """Begin to load what measuring and fitting need while nothing else does: the first frame then waits less."""
        self._loading = threading.Thread(target=_load, daemon=True)
        self._loading.start()

    def widened(self, fwhm_px: float) -> FileMeasurer | None:
        """For ``half_window_px: auto``: a measurer with the one window of a series whose widest frame has this FWHM."""
        from autofocus.measure.spectrum.signal import auto_half_window

        if self.settings.half_window_px != "auto" or self.settings.mode in ("stars", "lines"):
            return None
        settings = self.settings.model_copy(update={"half_window_px": auto_half_window(fwhm_px)})
        return FileMeasurer(settings, position_pattern=self._pattern, measure=self._measure, show=self._show)

    def _measured(self, frame: Frame) -> Reading:
        if self._measure is None:
            from autofocus.measure.modes import measure_frame

            self._measure = measure_frame
        try:
            return self._measure(frame, self.settings)
        except MemoryError as cause:
            raise FrameError(f"{frame.name}: it is too large to be measured here") from cause

    def _position(self, path: Path) -> tuple[float | None, tuple[str, ...]]:
        """The position that the name holds, and the files whose names were believed wrongly until now."""
        folder = path.parent
        if folder not in self._names:
            self._names[folder] = NamedPositions(self._pattern)
            self._names[folder].learn(_names_in(folder))
        names = self._names[folder]
        names.learn([path.name])
        parts = split_name(path.name)
        key = (folder, parts[0] if parts else "")
        if names.counts_up(path.name):
            return names.position(path.name), tuple(self._trusted.pop(key, ()))
        position = names.position(path.name)
        if parts and position == parts[1]:
            self._trusted.setdefault(key, []).append(path.name)
        return position, ()


def _load() -> None:
    import autofocus.curve.fit
    import autofocus.measure.modes  # noqa: F401


def measure_arrivals(
    arrivals: Iterable[Arrival], measurer: Callable[[Path], MeasuredFile]
) -> Iterator[MeasuredFile | UnreadableFile]:
    """Measure files as they arrive; one that fails is a complaint, and the watch goes on."""
    for arrival in arrivals:
        if arrival.complaint:
            yield UnreadableFile(arrival.path, arrival.complaint)
            continue
        try:
            measured: MeasuredFile | UnreadableFile = measurer(arrival.path)
        except FrameError as fault:
            measured = UnreadableFile(arrival.path, fault.message.removeprefix(f"{arrival.path.name}: "))
        except Exception as fault:  # noqa: BLE001  a fault of ours with one frame must not end a night's watch
            measured = UnreadableFile(arrival.path, f"could not be measured ({type(fault).__name__}: {fault})")
        yield measured


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if is_frame_name(entry.name)]
    except OSError:
        return []


def _first_of(frame: Frame, keys: tuple[str, ...]) -> float | None:
    numbers = (as_number(frame.headers.get(key)) for key in keys)
    return next((number for number in numbers if number is not None), None)


def _setup(frame: Frame, name: str) -> Setup:
    """Star, exposure and gain of a frame; the star by its header, else by what the name says before a position."""
    star = frame.headers.get("OBJECT")
    if not (isinstance(star, str) and star.strip()):
        parts = split_name(name)
        star = "" if parts is None or _CLOCK.search(parts[0]) else parts[0].rstrip("-_ ")
    return Setup(star.strip(), frame.exposure_s, as_number(frame.headers.get("GAIN")))
