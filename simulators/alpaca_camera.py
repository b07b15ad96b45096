"""The bench's camera as an Alpaca device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.alpaca_protocol import (
    INVALID_OPERATION,
    INVALID_VALUE,
    AlpacaError,
    Device,
    Getter,
    Parameters,
    not_implemented,
)
from simulators.bench import Bench, Exposure
from simulators.sensor import GAIN_RANGE, OFFSET_RANGE, READOUT_MODES, UNITY_GAIN, Readout

IDLE, EXPOSING, READING = 0, 2, 3
MAX_BINNING = 4
EXPOSURE_RANGE_S = (0.001, 3600.0)

# What a monochrome camera without cooler, guider port and named gains does not have.
ABSENT = ("BayerOffsetX", "BayerOffsetY", "CoolerOn", "CoolerPower", "HeatSinkTemperature", "SetCCDTemperature",
          "FastReadout", "Gains", "Offsets", "SubExposureDuration", "IsPulseGuiding")  # fmt: skip

Adu = NDArray[np.uint16]


class AlpacaCameraDevice(Device):
    """Camera, interface version 4: monochrome, symmetric binning, ROI, gain and offset by value, no cooler."""

    kind = "camera"

    def __init__(self, bench: Bench) -> None:
        own = bench.instrument
        super().__init__(
            f"Bench camera ({own.name})", f"Camera of the bench: {own.description}", bench.unique_id("camera")
        )
        self._bench = bench
        width, height = bench.camera_size()
        self._roi = {"StartX": 0, "StartY": 0, "NumX": width, "NumY": height}
        self._binning = 1
        self._gain = UNITY_GAIN
        self._offset = 50
        self._mode = 0
        self._exposure: Exposure | None = None
        self._readout: Readout | None = None
        self._started = ""
        self._image: Adu | None = None
        self._drawing = Lock()
        self._add_constants(width, height)
        self._add_settings()
        self._add_exposure()
        self.gets |= {member.lower(): _refusal(member) for member in ABSENT}

    def _add_constants(self, width: int, height: int) -> None:
        own = self._bench.instrument
        constants: dict[str, Any] = {
            "cameraxsize": width,
            "cameraysize": height,
            "canabortexposure": True,
            "canasymmetricbin": False,
            "canfastreadout": False,
            "cangetcoolerpower": False,
            "canpulseguide": False,
            "cansetccdtemperature": False,
            "canstopexposure": True,
            "exposuremin": EXPOSURE_RANGE_S[0],
            "exposuremax": EXPOSURE_RANGE_S[1],
            "exposureresolution": 0.001,
            "hasshutter": False,
            "maxadu": own.saturation_adu,
            "maxbinx": MAX_BINNING,
            "maxbiny": MAX_BINNING,
            "pixelsizex": own.pixel_um,
            "pixelsizey": own.pixel_um,
            "readoutmodes": list(READOUT_MODES),
            "sensorname": f"bench {own.name}",
            "sensortype": 0,
        }
        self.gets |= {member: partial(_same, value) for member, value in constants.items()}

    def _add_settings(self) -> None:
        for name in self._roi:
            self.gets[name.lower()] = partial(self._roi.__getitem__, name)
            self.puts[name.lower()] = partial(self._set_roi, name)
        self.gets |= {
            "binx": lambda: self._binning,
            "biny": lambda: self._binning,
            "readoutmode": lambda: self._mode,
            "gain": lambda: self._with_gain("Gain", self._gain),
            "gainmin": lambda: self._with_gain("GainMin", GAIN_RANGE[0]),
            "gainmax": lambda: self._with_gain("GainMax", GAIN_RANGE[1]),
            "offset": lambda: self._with_gain("Offset", self._offset),
            "offsetmin": lambda: self._with_gain("OffsetMin", OFFSET_RANGE[0]),
            "offsetmax": lambda: self._with_gain("OffsetMax", OFFSET_RANGE[1]),
            "electronsperadu": lambda: self._bench.sensor.electrons_per_adu(self._gain),
            "fullwellcapacity": lambda: (
                self._bench.sensor.electrons_per_adu(self._gain) * self._bench.sensor.saturation_adu
            ),
            "ccdtemperature": lambda: round(self._bench.sky.temperature(self._bench.now()), 2),
        }
        self.puts |= {
            "binx": lambda given: self._set_binning("BinX", given),
            "biny": lambda given: self._set_binning("BinY", given),
            "readoutmode": self._set_mode,
            "gain": lambda given: self._set_gain("Gain", given),
            "offset": lambda given: self._set_gain("Offset", given),
            "cooleron": self._refuse(lambda given: given.boolean("CoolerOn"), "CoolerOn"),
            "fastreadout": self._refuse(lambda given: given.boolean("FastReadout"), "FastReadout"),
            "setccdtemperature": self._refuse(lambda given: given.number("SetCCDTemperature"), "SetCCDTemperature"),
            "subexposureduration": self._refuse(
                lambda given: given.number("SubExposureDuration"), "SubExposureDuration"
            ),
            "pulseguide": self._refuse(
                lambda given: (given.integer("Direction"), given.integer("Duration")), "PulseGuide"
            ),
        }

    def _add_exposure(self) -> None:
        self.gets |= {
            "camerastate": self._camera_state,
            "imageready": self._image_ready,
            "percentcompleted": self._percent_completed,
            "lastexposureduration": self._last_duration,
            "lastexposurestarttime": self._last_start,
            "imagearray": self.image,
            "imagearrayvariant": self.image,
        }
        self.puts |= {"startexposure": self._start, "abortexposure": self._abort, "stopexposure": self._stop}

    def state(self) -> Mapping[str, Getter]:
        """What DeviceState gathers."""
        names = ("CameraState", "CCDTemperature", "ImageReady", "PercentCompleted")
        return {name: self.gets[name.lower()] for name in names}

    # settings

    def _refuse(self, read: Callable[[Parameters], Any], member: str) -> Callable[[Parameters], None]:
        def refuse(given: Parameters) -> None:
            read(given)
            self._require_connection()
            raise not_implemented(member)

        return refuse

    def _with_gain(self, member: str, value: int) -> int:
        if not self._bench.options.has_gain:
            raise not_implemented(member)
        return value

    def _set_gain(self, member: str, given: Parameters) -> None:
        value = given.integer(member)
        self._require_connection()
        self._with_gain(member, value)
        low, high = GAIN_RANGE if member == "Gain" else OFFSET_RANGE
        self._demand(low <= value <= high, f"{member} must be from {low} to {high}")
        if member == "Gain":
            self._gain = value
        else:
            self._offset = value

    def _set_mode(self, given: Parameters) -> None:
        mode = given.integer("ReadoutMode")
        self._require_connection()
        self._demand(0 <= mode < len(READOUT_MODES), f"ReadoutMode must be from 0 to {len(READOUT_MODES) - 1}")
        self._mode = mode

    def _set_binning(self, member: str, given: Parameters) -> None:
        binning = given.integer(member)
        self._require_connection()
        self._demand(1 <= binning <= MAX_BINNING, f"{member} must be from 1 to {MAX_BINNING}")
        self._binning = binning

    def _set_roi(self, name: str, given: Parameters) -> None:
        """Accepted as it comes and judged when the exposure starts, as ASCOM says."""
        value = given.integer(name)
        self._require_connection()
        self._roi[name] = value

    def _demand(self, right: bool, message: str) -> None:
        if not right:
            raise AlpacaError(INVALID_VALUE, message)

    # the exposure

    def _start(self, given: Parameters) -> None:
        duration, light = given.number("Duration"), given.boolean("Light")
        self._require_connection()
        if self._camera_state() != IDLE:
            raise AlpacaError(INVALID_OPERATION, "an exposure is under way")
        low, high = EXPOSURE_RANGE_S
        self._demand(low <= duration <= high, f"Duration must be from {low} to {high} s")
        readout = self._checked_readout()
        with self._drawing:
            self._readout, self._image = readout, None
            self._exposure = self._bench.start_exposure(duration, light=light)
            self._started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]

    def _checked_readout(self) -> Readout:
        x, y, width, height = (self._roi[name] for name in ("StartX", "StartY", "NumX", "NumY"))
        across, down = (size // self._binning for size in self._bench.camera_size())
        fits = x >= 0 and y >= 0 and width >= 1 and height >= 1 and x + width <= across and y + height <= down
        self._demand(
            fits,
            f"StartX, StartY, NumX, NumY ({x}, {y}, {width}, {height}) leave the {across} x {down} binned pixels",
        )
        window = self._bench.window(*(value * self._binning for value in (x, y, width, height)))
        return Readout(window, self._binning, self._gain, self._offset, self._mode)

    def _left_s(self) -> float:
        """Bench seconds until the image is ready; negative once it is."""
        assert self._exposure is not None
        end = self._exposure.start_s + self._exposure.duration_s + self._bench.options.download_s
        return end - self._bench.now()

    def _camera_state(self) -> int:
        if self._exposure is None or self._left_s() <= 0:
            return IDLE
        return EXPOSING if self._left_s() > self._bench.options.download_s else READING

    def _image_ready(self) -> bool:
        return self._exposure is not None and self._left_s() <= 0

    def _percent_completed(self) -> int:
        if self._exposure is None:
            return 0
        done = (self._bench.now() - self._exposure.start_s) / self._exposure.duration_s
        return int(100.0 * min(max(done, 0.0), 1.0))

    def _abort(self, _: Parameters) -> None:
        self._require_connection()
        if self._exposure is not None and self._left_s() > 0:
            self._exposure = None

    def _stop(self, _: Parameters) -> None:
        """End the exposure now and keep what it gathered."""
        self._require_connection()
        if self._camera_state() == EXPOSING and self._exposure is not None:
            begun = self._exposure
            gathered = max(self._bench.now() - begun.start_s, EXPOSURE_RANGE_S[0])
            self._exposure = Exposure(begun.number, begun.start_s, gathered, begun.light)

    def _finished(self) -> Exposure:
        if self._exposure is None or self._left_s() > 0:
            raise AlpacaError(INVALID_OPERATION, "there is no image: no exposure has ended")
        return self._exposure

    def _last_duration(self) -> float:
        return self._finished().duration_s

    def _last_start(self) -> str:
        self._finished()
        return self._started

    def image(self) -> Adu:
        """The frame taken last, as rows and columns."""
        self._require_connection()
        with self._drawing:
            finished = self._finished()
            if self._image is None:
                self._image = self._bench.frame(finished, self._readout)
            return self._image


def _same(value: Any) -> Any:
    return value


def _refusal(member: str) -> Getter:
    def refuse() -> Any:
        raise not_implemented(member)

    return refuse
