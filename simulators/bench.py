"""One sky, one telescope, one clock: everything the simulated camera and focuser share, and the truth about it."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from numpy.typing import NDArray

from autofocus.model import Objective
from simulators import instruments
from simulators.instruments import Instrument
from simulators.lamp import lamp_of
from simulators.mechanics import FocuserMechanics, ImageShift, Shift
from simulators.optics import Beam, SlitImage, slit_image
from simulators.options import BenchOptions
from simulators.sensor import COSMIC_RAYS_PER_CM2_S, HOT_PIXELS_PER_MPX, Readout, Sensor, hot_pixels
from simulators.spectrum import Picture, Window, add_star, sky_picture, stellar_spectrum, trace_centre
from simulators.starfield import FieldTruth, add_field, star_places
from simulators.truth import Truth

KNOTS = 7


class Timepiece(Protocol):
    """What the bench needs of a clock; the module ``time`` is one."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary zero."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A frame that was begun: its number, when it began and how long it lasts (bench seconds), shutter open or not."""

    number: int
    start_s: float
    duration_s: float
    light: bool = True


class Bench:
    """A telescope with a slit spectrograph under one night's sky.

    Bench time is the clock's time multiplied by ``options.speed``: exposures, motions and the guider take 1/speed of
    their time on the
    clock, and nothing else changes. Everything is a function of the seed and of bench time. ``focuser``, ``sky``,
    ``shift`` and ``sensor`` may be replaced by faulty ones.
    """

    def __init__(
        self,
        instrument: str | Instrument = "starex",
        seed: int = 1,
        *,
        clock: Timepiece = time,
        options: BenchOptions | None = None,
    ) -> None:
        self.options = options or BenchOptions()
        self.seed = seed
        self.clock = clock
        named = instruments.instrument(instrument) if isinstance(instrument, str) else instrument
        self.instrument = self.options.applied_to(night(named, seed))
        self._zero = clock.monotonic()
        self._lock = Lock()
        self._exposures = 0
        self.sky = self.options.sky(seed)
        self.sensor = self._make_sensor()
        kind = FieldTruth if self.instrument.field_stars else Truth
        self.truths = kind(self.instrument, self.options.sky_factor)
        self.lamp = lamp_of(self.instrument, self.options)
        self.focuser = self._make_focuser()
        self.image_shift = ImageShift(
            self._tube_path,
            px_per_step=self.options.image_shift_px_per_100_steps / 100.0,
            angle_rad=float(np.random.default_rng([seed, 3]).uniform(0.2, 1.4)),
            guider_s=self.options.guider_time_s if self.options.guider else None,
        )
        self.shift: Shift = self.image_shift

    def _make_sensor(self) -> Sensor:
        own = self.instrument
        rng = np.random.default_rng([self.seed, 2])
        places, currents = hot_pixels(rng, *own.sensor_px, HOT_PIXELS_PER_MPX * self.options.hot_pixels)
        return Sensor(
            gain_e_per_adu=own.gain_e_per_adu,
            read_noise_e=own.read_noise_e,
            dark_e_s=own.dark_e_s,
            bias_adu=own.bias_adu,
            saturation_adu=own.saturation_adu,
            pixel_um=own.pixel_um,
            cosmic_rays_per_cm2_s=COSMIC_RAYS_PER_CM2_S * self.options.cosmic_rays,
            hot_pixels=places,
            hot_e_s=currents,
        )

    def _make_focuser(self) -> FocuserMechanics:
        start = self.options.start_position
        if start is None:
            start = round(self.truth(self.options.start_objective)) + self.options.start_offset_steps
        return FocuserMechanics(
            position=min(max(start, 0), self.instrument.max_step),
            low=0,
            high=self.instrument.max_step,
            steps_per_s=self.instrument.steps_per_s,
            backlash_steps=self.options.backlash_steps,
        )

    def _tube_path(self, until: float) -> list[tuple[float, float]]:
        return self.focuser.break_points(until)  # of the focuser that is there now: it may have been replaced

    # time

    def now(self) -> float:
        """Bench time, seconds."""
        return (self.clock.monotonic() - self._zero) * self.options.speed

    def wait_s(self, bench_s: float) -> float:
        """Seconds of the clock that bench seconds take."""
        return bench_s / self.options.speed

    # truth

    def focus_drift_steps(self, at_s: float | None = None) -> float:
        """How far temperature has moved best focus since the beginning."""
        warmer = self.sky.temperature(self.now() if at_s is None else at_s) - self.sky.temperature_c
        return self.instrument.temperature_steps_per_c * warmer

    def truth(self, objective: Objective, *, exposure_s: float = 10.0) -> float:
        """Where the drawtube should stand now: the optimum of the noiseless curve at the mean seeing, steps.

        The drawtube stands where the focuser says after an inward approach, ``options.backlash_steps`` lower after
        an outward one. See `simulators.truth.Truth` for what each objective means. With the lamp lit it is where the
        camera is sharp in the middle of the detector.
        """
        if self.lamp is not None:
            return self.instrument.focus_steps + self.focus_drift_steps()
        return self.truths.optimum(objective, exposure_s) + self.focus_drift_steps()

    def fwhm_px(self, position: float) -> float:
        """True FWHM of the spatial profile, or of a line, with the tube at a position, now, at the mean seeing."""
        if self.lamp is not None:
            return self.lamp.fwhm_px(position - self.focus_drift_steps())
        return self.truths.fwhm_px(position - self.focus_drift_steps())

    def nsig(self, position: float, half_window_px: float | None = None) -> float:
        """True NSIG (ADU/s per column) with the tube at a position, now; all light, or that in a window."""
        return self.truths.nsig(position - self.focus_drift_steps(), half_window_px)

    def snr(self, position: float, exposure_s: float) -> float:
        """True SNR per column with the tube at a position, now, for an exposure."""
        return self.truths.snr(position - self.focus_drift_steps(), exposure_s)

    # frames

    def start_exposure(self, duration_s: float, *, light: bool = True) -> Exposure:
        """Begin a frame now."""
        with self._lock:
            self._exposures += 1
            return Exposure(self._exposures, self.now(), duration_s, light)

    @property
    def exposures(self) -> int:
        """How many frames were begun."""
        return self._exposures

    def camera_size(self) -> tuple[int, int]:
        """Width and height of the camera's image, unbinned."""
        along, across = self.instrument.sensor_px
        return (across, along) if self.options.vertical else (along, across)

    def window(self, x: int, y: int, width: int, height: int) -> Window:
        """A part of the camera's image (unbinned), turned so that the dispersion runs along the columns."""
        return Window(y, x, height, width) if self.options.vertical else Window(x, y, width, height)

    def unique_id(self, device: str) -> str:
        """The same for ever for each device of an instrument and seed, whatever the port: who lost it finds it again.

        Benches with other seeds are other devices, so that none is taken for another that was lost.
        """
        return str(uuid5(NAMESPACE_URL, f"autofocus-bench/{self.instrument.name}/{self.seed}/{device}"))

    @cached_property
    def _sky_picture(self) -> Picture:
        return sky_picture(self.instrument, self.options.sky_factor)

    @cached_property
    def _star_spectrum(self) -> NDArray[np.float64]:
        return stellar_spectrum(self.instrument)

    def frame(self, exposure: Exposure, readout: Readout | None = None) -> NDArray[np.uint16]:
        """The frame of an exposure in ADU, as the sensor lies: vertical when ``options.vertical``."""
        readout = readout or Readout(Window(0, 0, *self.instrument.sensor_px))
        rng = np.random.Generator(np.random.SFC64([self.seed, 5, exposure.number]))
        picture = self._expected(exposure, readout.window)
        self.sensor.add_dark(picture, readout.window, exposure.duration_s)
        adu = self.sensor.read(picture, readout, exposure.duration_s, rng)
        return np.ascontiguousarray(adu.T) if self.options.vertical else adu

    def _expected(self, exposure: Exposure, window: Window) -> Picture:
        """Electrons of star and sky expected on each pixel of a window."""
        if not exposure.light:
            return np.zeros((window.height, window.width), dtype=np.float32)
        if self.lamp is not None:
            middle = exposure.start_s + 0.5 * exposure.duration_s
            place = self.focuser.tube(middle) - self.focus_drift_steps(middle)
            return self.lamp.picture(place, window) * np.float32(exposure.duration_s)
        if isinstance(self.truths, FieldTruth):
            return self._expected_field(exposure, window, self.truths)
        picture = self._sky_picture[window.slices] * np.float32(exposure.duration_s)
        own = self.instrument
        columns = np.arange(window.x, window.x + window.width, dtype=float)
        centre = trace_centre(own, columns)
        light = self._star_spectrum[window.slices[1]] * own.star_adu_s * own.gain_e_per_adu
        knots = self._knots()
        for share, along, images in self._moments(exposure, knots):
            add_star(picture, window, centre + along, light * share, images, knots)
            if self.options.companion > 0:
                beside = centre + along + self.options.companion_px
                add_star(picture, window, beside, light * share * self.options.companion, images, knots)
        return picture

    def _expected_field(self, exposure: Exposure, window: Window, truths: FieldTruth) -> Picture:
        """The same of a field of stars, which stand still during an exposure; its sky is even."""
        own = self.instrument
        sky = own.sky_e_s * self.options.sky_factor * exposure.duration_s
        picture = np.full((window.height, window.width), sky, dtype=np.float32)
        middle = exposure.start_s + 0.5 * exposure.duration_s
        air = self.sky.air(exposure.number, middle, exposure.duration_s)
        across, along = self.shift.at(middle)
        beam = truths.round_beam(self.focuser.tube(middle) - self.focus_drift_steps(middle), air.seeing_factor)
        stars = star_places(own, self.seed) + np.array([across + air.jitter_px[0], along + air.jitter_px[1], 0.0])
        electrons = own.star_adu_s * own.gain_e_per_adu * exposure.duration_s * air.transparency
        add_field(picture, window, stars, electrons, beam)
        return picture

    def _knots(self) -> NDArray[np.float64]:
        """Columns at which the profile is computed: one where it is the same along the whole spectrum."""
        width = self.instrument.sensor_px[0]
        same = self.instrument.chromatic_steps == 0 and self.instrument.tilt_steps == 0
        return np.array([0.5 * (width - 1)]) if same else np.linspace(0.0, width - 1.0, KNOTS)

    def _moments(self, exposure: Exposure, knots: NDArray[np.float64]) -> list[tuple[float, float, list[SlitImage]]]:
        """The exposure cut into still moments: (seconds of full light, shift along the slit, profiles)."""
        start, length = exposure.start_s, exposure.duration_s
        air = self.sky.air(exposure.number, start + 0.5 * length, length)
        pieces = 4 if self._moves_during(start, start + length) else 1
        moments = []
        for piece in range(pieces):
            middle = start + length * (piece + 0.5) / pieces
            across, along = self.shift.at(middle)
            place = self.focuser.tube(middle) - self.focus_drift_steps(middle)
            images = [
                slit_image(
                    self.beam(
                        place,
                        2.0 * knot / (self.instrument.sensor_px[0] - 1) - 1.0,
                        air.seeing_factor,
                        across + air.jitter_px[0],
                    )
                )
                for knot in knots
            ]
            moments.append((length / pieces * air.transparency, along + air.jitter_px[1], images))
        return moments

    def _moves_during(self, start: float, end: float) -> bool:
        """Whether the star or the tube moves by a visible amount between two times."""
        first, last = self.shift.at(start), self.shift.at(end)
        drawn = abs(self.focuser.tube(start) - self.focuser.tube(end))
        return drawn > 0.5 or max(abs(first[0] - last[0]), abs(first[1] - last[1])) > 0.1

    def beam(self, place: float, along: float = 0.0, seeing_factor: float = 1.0, offset_px: float = 0.0) -> Beam:
        """The star on the slit with the tube at a place, at a point -1..1 along the spectrum."""
        return self.truths.beam(place, along, seeing_factor, offset_px)


def night(instrument: Instrument, seed: int) -> Instrument:
    """What another night, another set-up of the same instrument, changes; seed 1 is the instrument as documented."""
    if seed == 1:
        return instrument
    rng = np.random.default_rng([seed, 1])
    changes: dict[str, Any] = {
        "focus_steps": instrument.focus_steps + rng.uniform(-300.0, 300.0),
        "collimator_offset_steps": instrument.collimator_offset_steps * rng.uniform(0.4, 1.4) + rng.uniform(-8.0, 8.0),
        "seeing_arcsec": instrument.seeing_arcsec * float(np.exp(0.18 * rng.standard_normal())),
        "star_adu_s": instrument.star_adu_s * float(np.exp(0.4 * rng.standard_normal())),
        "decentre_px": instrument.decentre_px + 0.1 * instrument.slit_px * rng.standard_normal(),
        "trace_row": instrument.trace_row + rng.uniform(-0.05, 0.05),
        "slant_px": instrument.slant_px + rng.uniform(-2.0, 2.0),
    }
    return dataclasses.replace(instrument, **changes)
