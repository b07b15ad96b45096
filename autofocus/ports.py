"""What the session needs of the outside world, as Protocols: devices, clock, guider and stores implement them.

Every wait goes through a `Clock`, so that a stop request ends any of them (`Clock.sleep` raises
`Aborted`) and a bench can run on virtual time. Every method that talks to a device raises a branch of
`DeviceError` and nothing else, within its own deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from autofocus.model import NAN, Frame, Measurement


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What a camera said of itself when asked; None where it does not say."""

    name: str
    unique_id: str = ""
    width_px: int = 0
    height_px: int = 0
    pixel_um: tuple[float, float] | None = None
    gain_e_per_adu: float | None = None
    saturation_adu: float | None = None
    exposure_min_s: float | None = None
    exposure_max_s: float | None = None
    can_abort: bool = False
    binning_max: int = 1
    gain: float | None = None
    offset: float | None = None
    readout_mode: str | None = None


@dataclass(frozen=True, slots=True)
class FocuserFacts:
    """What a focuser said of itself. ``low`` and ``high`` are the travel limits, settings already applied."""

    name: str
    unique_id: str = ""
    absolute: bool = True
    low: int | None = None
    high: int | None = None
    max_increment: int | None = None
    microns_per_step: float | None = None
    can_halt: bool = False
    has_temperature: bool = False


class Clock(Protocol):
    """Time, real or virtual."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary zero; never jumps."""

    def utc(self) -> datetime:
        """The wall clock, for names and headers only."""

    def sleep(self, seconds: float) -> None:
        """Wait; raise `Aborted` as soon as a stop was asked for."""

    def shielded(self) -> AbstractContextManager[None]:
        """While entered (orderly clean-up), a stop asked for once does not end `sleep`; a second one does."""


class Informant(Protocol):
    """Devices that say what they are waiting for: whoever listens puts itself in the place of ``inform``."""

    inform: Callable[[str], None]


class Camera(Protocol):
    """A camera that takes one frame at a time."""

    @property
    def facts(self) -> CameraFacts:
        """What it said of itself when it was opened."""

    def open(self) -> None:
        """Connect if need be, remember the settings found, apply ours."""

    def use_subframe(self, x: int, y: int, width: int, height: int) -> None:
        """Read only this part of the sensor from now on, in binned pixels."""

    def expose(self, exposure_s: float) -> None:
        """Take one frame and return once it is ready to be fetched."""

    def fetch(self) -> Frame:
        """Download the frame taken last; called from a worker thread while the focuser moves."""

    def abort(self) -> None:
        """End an exposure under way, if there is one; never waits behind a download."""

    def temperature(self) -> float | None:
        """The sensor's temperature in °C, or None."""

    def close(self) -> None:
        """Put the settings back as found, disconnect only what `open` connected."""


class Focuser(Protocol):
    """A focuser that knows where it stands; a relative one counts from where it began."""

    @property
    def facts(self) -> FocuserFacts:
        """What it said of itself when it was opened."""

    def open(self) -> None:
        """Connect if need be, switch temperature compensation off."""

    def position(self) -> int:
        """Where it stands, asked of the device."""

    def move(self, position: int) -> int:
        """Go there in one motion without backlash compensation; return the position read back at rest."""

    def halt(self) -> None:
        """Stop a motion at once, if the device can; never waits behind a camera's download."""

    def temperature(self) -> float | None:
        """Its temperature in °C, or None."""

    def close(self) -> None:
        """Restore temperature compensation, disconnect only what `open` connected."""


@dataclass(frozen=True, slots=True)
class GuidingState:
    """How guiding went at one sample.

    ``gone``: the guider itself is lost, not only its star, and will not be asked again. ``shift_px`` is by how much
    the move displaced the star on the guide camera (x, y); ``hfd_px`` and ``mass`` are the guide star's medians.
    """

    settled: bool = True
    lost: bool = False
    waited_s: float = 0.0
    why: str = ""
    gone: bool = False
    shift_px: tuple[float, float] | None = None
    pixel_scale_arcsec: float | None = None
    hfd_px: float = NAN
    mass: float = NAN


class Guider(Protocol):
    """Whatever keeps the star on the slit."""

    def open(self) -> None:
        """Connect; remember what guiding was like before the run."""

    def move_started(self) -> None:
        """The focuser is about to move: the image will shift."""

    def move_ended(self) -> None:
        """The focuser is at rest again."""

    def settle(self) -> GuidingState:
        """Wait after a move until the star is back, or the settings' timeout ends."""

    def exposure_started(self) -> None:
        """A frame begins: watch for the loss of the star from now on."""

    def exposure_ended(self) -> GuidingState:
        """The frame ended: was the star kept all the while?"""

    def close(self) -> None:
        """Disconnect."""


@dataclass(frozen=True, slots=True, eq=False)
class FramePicture:
    """What the views may draw of a measured frame: arrays, by the name an event gave."""

    name: str
    frame: Frame | None
    profile: Sequence[float] = ()
    profile_start_px: int = 0
    profile_fit: Sequence[float] = ()
    trace_px: Sequence[tuple[float, float]] = ()
    window_px: tuple[float, float] | None = None


class FrameStore(Protocol):
    """Where frames go, and where views find them again."""

    def save(self, frame: Frame, headers: Mapping[str, Any]) -> str:
        """Write the frame whole (beside, then renamed); return its file name."""

    def put(self, picture: FramePicture, measurement: Measurement) -> None:
        """Keep what views draw of a frame."""

    def get(self, name: str) -> FramePicture | None:
        """Find it again, or None."""
