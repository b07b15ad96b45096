"""Developing a frame: fetch it, keep it, measure it. Runs in the worker while the focuser already moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from autofocus import __version__
from autofocus.errors import FrameError
from autofocus.model import NAN, Flag, Frame, Measurement, Sample
from autofocus.ports import FrameStore
from autofocus.session import events, headers
from autofocus.session.guidestar import cloud_note
from autofocus.session.ledger import Ledger
from autofocus.session.pictures import picture_of
from autofocus.session.quiet import quietly
from autofocus.session.rig import Rig
from autofocus.session.stream import Stream
from autofocus.settings import MeasureSettings, Settings

if TYPE_CHECKING:
    from autofocus.measure.reading import Reading

Measure = Callable[[Frame, MeasureSettings], "Reading"]

UNREADABLE_LIMIT = 3  # frames in a row; then the camera, not chance, is at fault


@dataclass(frozen=True, slots=True)
class Exposed:
    """A frame that waits in the camera, and all that is known of how it was taken (``guide_star``: HFD px and mass).

    ``spent_s`` is what it added to the run up to ``ended_s``, the end of its exposure; ``fetched`` is set once it
    has left the camera, or cannot.
    """

    number: int
    name: str
    sample: Sample
    position: int
    exposure_s: float
    started_utc: str
    ended_s: float
    spent_s: float
    exposing_s: float
    last: bool
    flags: tuple[Flag, ...] = ()
    temperature_c: float | None = None
    guide_star: tuple[float, float] = (NAN, NAN)
    fetched: threading.Event = field(default_factory=threading.Event, compare=False)


class Darkroom:
    """Turns exposed frames into measurements, in the order they were taken."""

    def __init__(
        self,
        rig: Rig,
        settings: Settings,
        measure: Measure,
        store: FrameStore,
        stream: Stream,
        ledger: Ledger,
    ) -> None:
        self._rig = rig
        self._camera = rig.camera
        self._settings = settings
        self._measure = measure
        self._store = store
        self._stream = stream
        self._ledger = ledger
        self._unreadable = 0
        self._measuring = settings.measure
        self.developed: list[Measurement] = []

    def develop(self, taken: Exposed) -> Measurement:
        """Fetch, keep and measure one frame; an unreadable one is data without numbers, three in a row are a fault."""
        try:
            with self._ledger.timed("fetching_s"):
                frame = self._dressed(self._camera.fetch(), taken)
        except FrameError as fault:
            return self._without_frame(taken, fault)
        finally:
            taken.fetched.set()
        self._unreadable = 0
        for note in frame.notes:
            self._stream.warn(note)
        kept = self._keep(frame, taken)
        told = events.FrameTaken(
            elapsed_s=self._stream.elapsed_s, number=taken.number, name=taken.name, position=taken.position, file=kept
        )
        self._stream.tell(told)
        with self._ledger.timed("measuring_s"):
            reading = self._measured(frame)
        self._store.put(picture_of(frame, reading, self._measuring), reading.measurement)
        return self._tell(reading.measurement, taken)

    def _measured(self, frame: Frame) -> Reading:
        """Measure; with ``half_window_px: auto`` in the widest frame's window so far, that NSIG can be compared."""
        reading = self._measure(frame, self._measuring)
        measured = reading.measurement
        if self._settings.measure.half_window_px != "auto" or measured.mode != "spectrum" or not measured.fwhm_px > 0.0:
            return reading
        from autofocus.measure.spectrum.signal import auto_half_window  # numpy, which --help does without

        needed = auto_half_window(measured.fwhm_px)
        window = self._measuring.half_window_px
        if window == "auto" or needed > window:
            self._measuring = self._settings.measure.model_copy(update={"half_window_px": needed})
            return self._measure(frame, self._measuring)
        return reading

    def _dressed(self, frame: Frame, taken: Exposed) -> Frame:
        camera = self._camera.facts
        return replace(
            frame,
            name=taken.name,
            position=float(taken.position),
            exposure_s=taken.exposure_s,
            started_utc=taken.started_utc,
            gain_e_per_adu=frame.gain_e_per_adu or camera.gain_e_per_adu,
            saturation_adu=frame.saturation_adu or camera.saturation_adu,
        )

    def _keep(self, frame: Frame, taken: Exposed) -> str | None:
        if not self._settings.session.save_frames:
            return None
        return self._store.save(frame, self._cards(frame, taken))

    def _cards(self, frame: Frame, taken: Exposed) -> Mapping[str, Any]:
        return headers.describe(
            frame,
            self._settings,
            self._camera.facts,
            self._rig.focuser.facts,
            sensor_c=quietly(self._camera.temperature),
            focuser_c=taken.temperature_c,
            version=__version__,
        )

    def _tell(self, bare: Measurement, taken: Exposed) -> Measurement:
        """Add what the session knows, journal it, and hand on exactly what the journal holds."""
        behind_s = self._stream.elapsed_s - taken.ended_s if taken.last else 0.0
        hfd_px, mass = taken.guide_star
        cloud = cloud_note(hfd_px, mass, self.developed)
        measurement = events.as_journaled(
            replace(
                bare,
                file=f"{taken.name}.fits",
                position=float(taken.position),
                exposure_s=taken.exposure_s,
                started_utc=taken.started_utc,
                flags=tuple(dict.fromkeys((*bare.flags, *taken.flags, *((Flag.CLOUDED,) if cloud else ())))),
                notes=(*bare.notes, cloud) if cloud else bare.notes,
                guide_hfd_px=hfd_px,
                guide_mass=mass,
                phase=taken.sample.phase,
                elapsed_s=taken.ended_s,
                cost_s=taken.spent_s + behind_s,
                exposing_s=taken.exposing_s,
                temperature_c=taken.temperature_c,
            )
        )
        self.developed.append(measurement)
        told = events.SampleMeasured(
            elapsed_s=self._stream.elapsed_s,
            number=taken.number,
            target=taken.sample.position,
            name=taken.name,
            measurement=measurement,
        )
        self._stream.tell(told)
        return measurement

    def _without_frame(self, taken: Exposed, fault: FrameError) -> Measurement:
        self._unreadable += 1
        if self._unreadable >= UNREADABLE_LIMIT:
            raise fault
        self._stream.warn(f"frame {taken.number} could not be read: {fault.message}")
        bare = Measurement(flags=(Flag.NO_TRACE,), verdict=f"unreadable: {fault.message}")
        return self._tell(bare, taken)
