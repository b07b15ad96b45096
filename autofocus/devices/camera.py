"""An Alpaca camera that takes one frame at a time."""

from __future__ import annotations

import hashlib
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any

from autofocus.devices.alpaca import Door
from autofocus.devices.camera_settings import CameraSetup, Subframe
from autofocus.devices.deadlines import Deadlines
from autofocus.devices.download import Download
from autofocus.devices.exposure import Exposure
from autofocus.devices.lookout import Lookout
from autofocus.devices.repeats import Repeats
from autofocus.devices.values import number, text, truth, whole
from autofocus.errors import DeviceError, DeviceRefused, DeviceTimeout, FrameError
from autofocus.model import Frame
from autofocus.ports import CameraFacts, Clock
from autofocus.settings import CameraSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NO_SENSOR_C = -126.0  # drivers without a thermometer report -127 or less


class AlpacaCamera:
    """A camera behind an Alpaca server, as `autofocus.ports.Camera` describes it."""

    def __init__(
        self,
        settings: CameraSettings,
        clock: Clock,
        deadlines: Deadlines | None = None,
        lookout: Lookout | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._door = Door("camera", settings.address, settings.device_number, clock, deadlines or Deadlines(), lookout)
        self._setup = CameraSetup(self._door, settings)
        self._exposure = Exposure(self._door, readout_s=settings.download_timeout_s)
        self._download = Download(self._door, settings.download_timeout_s)
        self._facts = CameraFacts(name=self._door.device)
        self._asked_s = 0.0
        self._started: datetime | None = None
        self._repeats = Repeats()
        # A download and the start of the next exposure exclude each other: the server holds one image only.
        self._image = threading.Lock()

    @property
    def facts(self) -> CameraFacts:
        """What it said of itself when it was opened."""
        return self._facts

    def open(self) -> None:
        """Connect if need be, remember the settings found, end a foreign exposure, apply our settings."""
        self._door.connect()
        self._exposure.end_foreign()
        self._setup.remember()
        self._setup.apply()
        self._door.on_return = self._setup.apply
        self._facts = self._ask_facts()
        self._check_exposure(self._settings.exposure_s)

    def use_subframe(self, x: int, y: int, width: int, height: int) -> None:
        """Read only this part of the sensor from now on, in binned pixels."""
        self._setup.narrow(Subframe(x, y, width, height))

    def expose(self, exposure_s: float) -> None:
        """Take one frame and return once it is ready to be fetched."""
        self._check_exposure(exposure_s)
        if not self._image.acquire(timeout=self._settings.download_timeout_s):
            raise DeviceTimeout(
                f"The {self._door.device} is still sending the last image.",
                device=self._door.device,
                operation="expose",
            )
        try:
            self._asked_s = self._repeats.exposure_s(exposure_s, self._facts.exposure_max_s)
            self._started = self._clock.utc()
            self._exposure.take(self._asked_s)
        finally:
            self._image.release()

    def fetch(self) -> Frame:
        """Download the frame taken last; a damaged or repeated image is asked for again, and then a `FrameError`."""
        with self._image:
            image, notes, digest = self._fetched()
            if not self._repeats.admit(digest):
                self._clock.sleep(self._door.deadlines.pause_s)
                image, notes, digest = self._fetched()
                if not self._repeats.admit(digest):
                    raise FrameError(
                        f"The {self._door.device} sent the last frame once more, equal in every pixel;"
                        " restart its driver."
                    )
            return self._frame(image, notes)

    def abort(self) -> None:
        """End an exposure under way, if there is one; never waits behind a download."""
        self._exposure.abort()

    def temperature(self) -> float | None:
        """The sensor's temperature in °C, or None."""
        value = self._door.optional("CCDTemperature", number)
        return value if value is not None and value > _NO_SENSOR_C else None

    def close(self) -> None:
        """Put the settings back as found, disconnect only what `open` connected; raise the first fault at the end."""
        errors: list[DeviceError] = self._setup.restore()
        try:
            self._door.disconnect()
        except DeviceError as error:
            errors.append(error)
        if errors:
            raise errors[0]

    def _fetched(self) -> tuple[NDArray[Any], tuple[str, ...], bytes | None]:
        """The image, its notes and its fingerprint: noise makes any two frames differ, unless one value fills them."""
        image, notes = self._download.fetch(self._setup.subframe.width, self._setup.subframe.height)
        flat = bool(image.min() == image.max())
        return image, notes, None if flat else hashlib.blake2b(image.data, digest_size=16).digest()

    def _frame(self, image: NDArray[Any], notes: tuple[str, ...]) -> Frame:
        started = self._started
        return Frame(
            raw=image,
            exposure_s=self._asked_s,
            started_utc=None if started is None else started.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
            gain_e_per_adu=self._facts.gain_e_per_adu,
            saturation_adu=self._facts.saturation_adu,
            headers=self._headers(),
            notes=notes,
        )

    def _headers(self) -> dict[str, Any]:
        setup, facts = self._setup, self._facts
        pixel = facts.pixel_um or (None, None)
        headers = {
            "INSTRUME": facts.name,
            "GAIN": setup.gain,
            "OFFSET": setup.offset,
            "EGAIN": facts.gain_e_per_adu,
            "XBINNING": setup.binning[0],
            "YBINNING": setup.binning[1],
            "XPIXSZ": None if pixel[0] is None else pixel[0] * setup.binning[0],
            "YPIXSZ": None if pixel[1] is None else pixel[1] * setup.binning[1],
            "XORGSUBF": setup.subframe.x,
            "YORGSUBF": setup.subframe.y,
            "READOUTM": setup.readout_mode,
            "ROWORDER": "TOP-DOWN",
        }
        return {key: value for key, value in headers.items() if value is not None}

    def _check_exposure(self, exposure_s: float) -> None:
        low, high = self._facts.exposure_min_s, self._facts.exposure_max_s
        if (low is not None and exposure_s < low) or (high is not None and exposure_s > high):
            raise DeviceRefused(
                f"The {self._door.device} exposes from {low} s to {high} s, not {exposure_s:g} s; "
                "change camera.exposure_s.",
                device=self._door.device,
                operation="StartExposure",
            )

    def _ask_facts(self) -> CameraFacts:
        ask = self._door.optional
        pixel = (ask("PixelSizeX", number), ask("PixelSizeY", number))
        return CameraFacts(
            name=ask("Name", text) or self._door.device,
            unique_id=self._door.unique_id,
            width_px=self._door.read("CameraXSize", whole),
            height_px=self._door.read("CameraYSize", whole),
            pixel_um=(pixel[0], pixel[1]) if pixel[0] and pixel[1] else None,
            gain_e_per_adu=_positive(ask("ElectronsPerADU", number)),
            saturation_adu=_positive(ask("MaxADU", number)),
            exposure_min_s=ask("ExposureMin", number),
            exposure_max_s=_positive(ask("ExposureMax", number)),
            can_abort=ask("CanAbortExposure", truth) or False,
            binning_max=ask("MaxBinX", whole) or 1,
            gain=self._setup.gain,
            offset=self._setup.offset,
            readout_mode=self._setup.readout_mode,
        )


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None
