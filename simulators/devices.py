"""The bench's camera and focuser in process: the ports that a session knows, on any clock."""

from __future__ import annotations

from autofocus.errors import DeviceRefused
from autofocus.model import Frame
from autofocus.ports import CameraFacts, Clock, FocuserFacts
from autofocus.settings import CameraSettings, FocuserSettings
from simulators.bench import Bench, Exposure
from simulators.sensor import Readout


class SimulatedCamera:
    """`autofocus.ports.Camera` on a bench: an exposure sleeps on the clock, a frame is drawn when fetched."""

    def __init__(self, bench: Bench, clock: Clock, settings: CameraSettings | None = None) -> None:
        self._bench = bench
        self._clock = clock
        self._settings = settings or CameraSettings(address="bench:1")
        self._exposure: Exposure | None = None
        self._started_utc = ""

    @property
    def facts(self) -> CameraFacts:
        """What the camera says of itself."""
        bench, readout = self._bench, self._readout()
        width, height = bench.camera_size()
        pixel = bench.instrument.pixel_um
        return CameraFacts(
            name=f"Bench camera ({bench.instrument.name})",
            unique_id=bench.unique_id("camera"),
            width_px=width,
            height_px=height,
            pixel_um=(pixel, pixel),
            gain_e_per_adu=bench.sensor.electrons_per_adu(readout.gain),
            saturation_adu=float(bench.sensor.saturation_adu),
            exposure_min_s=0.001,
            exposure_max_s=3600.0,
            can_abort=True,
            binning_max=4,
            gain=readout.gain if bench.options.has_gain else None,
            offset=readout.offset if bench.options.has_gain else None,
            readout_mode="Normal",
        )

    def open(self) -> None:
        """Nothing to connect; gain and offset are refused where the bench has none."""
        asked = self._settings.gain is not None or self._settings.offset is not None
        if asked and not self._bench.options.has_gain:
            raise DeviceRefused(
                "the camera has no gain or offset to set: leave both null",
                device="camera",
                operation="Gain",
                number=0x400,
            )

    def use_subframe(self, x: int, y: int, width: int, height: int) -> None:
        """Read only this part of the sensor from now on, in binned pixels."""
        self._settings = self._settings.model_copy(update={"roi": (x, y, width, height)})

    def expose(self, exposure_s: float) -> None:
        """Take one frame; it shows the bench as it was during the exposure, whenever it is fetched."""
        self._started_utc = self._clock.utc().isoformat(timespec="milliseconds")
        begun = self._bench.start_exposure(exposure_s)
        self._exposure = None
        self._clock.sleep(self._bench.wait_s(exposure_s + self._bench.options.download_s))
        self._exposure = begun

    def fetch(self) -> Frame:
        """Draw the frame taken last."""
        begun = self._exposure
        if begun is None:
            raise DeviceRefused(
                "there is no image: no exposure has ended", device="camera", operation="ImageArray", number=0x40B
            )
        readout = self._readout()
        pixel = self._bench.instrument.pixel_um * readout.binning
        gain = self._bench.sensor.electrons_per_adu(readout.gain)
        headers = {
            "XBINNING": readout.binning,
            "YBINNING": readout.binning,
            "XPIXSZ": pixel,
            "YPIXSZ": pixel,
            "EGAIN": gain,
        }
        return Frame(
            raw=self._bench.frame(begun, readout),
            exposure_s=begun.duration_s,
            started_utc=self._started_utc,
            gain_e_per_adu=gain,
            saturation_adu=float(self._bench.sensor.saturation_adu),
            headers=headers,
        )

    def abort(self) -> None:
        """Forget the exposure under way."""
        self._exposure = None

    def temperature(self) -> float | None:
        """The sensor is as warm as the night."""
        return self._bench.sky.temperature(self._bench.now())

    def close(self) -> None:
        """Nothing was changed."""

    def _readout(self) -> Readout:
        asked = self._settings
        width, height = self._bench.camera_size()
        binning = asked.binning
        x, y, across, down = asked.roi if isinstance(asked.roi, tuple) else (0, 0, width // binning, height // binning)
        window = self._bench.window(x * binning, y * binning, across * binning, down * binning)
        own = Readout(window, binning)
        return Readout(
            window,
            binning,
            gain=own.gain if asked.gain is None else asked.gain,
            offset=own.offset if asked.offset is None else asked.offset,
        )


class SimulatedFocuser:
    """`autofocus.ports.Focuser` on a bench; a relative one counts from where it began."""

    def __init__(self, bench: Bench, clock: Clock, settings: FocuserSettings | None = None) -> None:
        self._bench = bench
        self._clock = clock
        self._settings = settings or FocuserSettings(address="bench:1")
        self._zero = 0 if bench.options.absolute else bench.focuser.position(bench.now())

    @property
    def facts(self) -> FocuserFacts:
        """What the focuser says of itself; a relative one knows no limits but those of the settings."""
        own, options, asked = self._bench.instrument, self._bench.options, self._settings
        low, high = asked.min_position, asked.max_position
        if options.absolute:
            low, high = max(low or 0, 0), min(own.max_step if high is None else high, own.max_step)
        return FocuserFacts(
            name=f"Bench focuser ({own.name})",
            unique_id=self._bench.unique_id("focuser"),
            absolute=options.absolute,
            low=low,
            high=high,
            max_increment=options.max_increment or own.max_step,
            microns_per_step=asked.microns_per_step or (own.microns_per_step if options.has_step_size else None),
            can_halt=options.can_halt,
            has_temperature=options.has_temperature,
        )

    def open(self) -> None:
        """Nothing to connect."""

    def position(self) -> int:
        """Where the motor's counter stands."""
        return self._bench.focuser.position(self._bench.now()) - self._zero

    def move(self, position: int) -> int:
        """Go there, in hops where the longest single move is shorter, and return the position read back."""
        target = position + self._zero
        longest = self._bench.options.max_increment or self._bench.instrument.max_step
        while True:
            here = self._bench.focuser.position(self._bench.now())
            hop = min(max(target - here, -longest), longest)
            self._bench.focuser.move(here + hop, self._bench.now())
            self._clock.sleep(self._bench.wait_s(max(0.0, self._bench.focuser.arrival() - self._bench.now())))
            if here + hop == target or self._bench.focuser.position(self._bench.now()) == here:
                return self.position()

    def halt(self) -> None:
        """Stop at once, where the bench allows it."""
        if self._bench.options.can_halt:
            self._bench.focuser.halt(self._bench.now())

    def temperature(self) -> float | None:
        """The telescope's temperature."""
        return self._bench.sky.temperature(self._bench.now()) if self._bench.options.has_temperature else None

    def close(self) -> None:
        """Nothing was changed."""
