"""What may be different about a bench: every option, its default, and how ``--set KEY=VALUE`` reads it."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from autofocus.errors import SettingsError
from autofocus.model import Objective
from simulators.instruments import Instrument
from simulators.sky import Sky

SMALLEST_SENSOR_PX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """Departures from the instrument as documented; None keeps the instrument's own value."""

    speed: float = 1.0
    """exposures, motions and the guider take 1/speed of their time"""
    # focuser
    start_position: int | None = None
    """where the focuser stands at first; None: by the two options below"""
    start_offset_steps: int = 60
    """where it stands at first, counted from the optimum of ``start_objective``"""
    start_objective: Objective = "snr"
    """fwhm, nsig or snr"""
    backlash_steps: int = 0
    """play in the gear"""
    absolute: bool = True
    """false: a relative focuser, which knows no position"""
    has_temperature: bool = True
    """false: neither thermometer nor temperature compensation"""
    temp_comp: bool = False
    """temperature compensation is on when the run begins"""
    has_step_size: bool = True
    """false: the driver does not say its microns per step"""
    can_halt: bool = True
    """false: Halt is not implemented"""
    max_increment: int | None = None
    """longest single move; None: the whole travel"""
    steps_per_s: float | None = None
    """speed of the motor"""
    # guiding
    guider: bool = True
    """false: a displaced star stays displaced"""
    guider_time_s: float = 2.0
    """time in which the guider removes 63 % of a displacement"""
    image_shift_px_per_100_steps: float = 0.5
    """how far moving the focuser displaces the star"""
    guiding_px: float = 0.15
    """scatter of the star's place from frame to frame"""
    guide_exposure_s: float = 1.0
    """exposure of the bench's PHD2"""
    guide_focus_offset_steps: float = -7.0
    """where the guide camera of the bench's PHD2 is sharpest, counted from the focus on the slit"""
    # sky and star
    seeing_arcsec: float | None = None
    """full width at half maximum; 1.5 is a good night for an amateur, 6 a bad one"""
    seeing_scatter: float = 0.06
    """scatter of the seeing from frame to frame at 10 s, a fraction"""
    clouds: bool = False
    """clouds pass"""
    star: float = 1.0
    """brightness of the star in parts of the instrument's own; 0: there is none"""
    sky_factor: float = 1.0
    """brightness of the sky in parts of the instrument's own"""
    companion: float = 0.0
    """brightness of a second star on the slit in parts of the first"""
    companion_px: float = 60.0
    """its distance along the slit"""
    decentre_px: float | None = None
    """mean distance of the star from the middle of the slit"""
    cooling_c_per_h: float = 0.5
    """how fast the night gets colder; focus follows"""
    # arc lamp
    lamp: float = 0.0
    """brightness of an arc lamp in parts of the usual; lit, it hides star and sky, and the focuser moves the camera"""
    camera_tilt_along_steps: float = 60.0
    """best focus of the spectrograph's camera at the end of the spectrum less that at its beginning (lamp only)"""
    camera_tilt_across_steps: float = -24.0
    """the same at the last row less the first"""
    camera_curvature_steps: float = 20.0
    """the same in the corners less the middle"""
    # optics
    astigmatism_steps: float | None = None
    """focus across the slit minus along it, before the slit"""
    collimator_offset_steps: float | None = None
    """the same after the slit: widens the spectrum, costs no light"""
    chromatic_steps: float | None = None
    """focus at the right end of the spectrum minus the left end"""
    # camera
    vertical: bool = False
    """the spectrum runs along the columns of the sensor"""
    sensor_px: tuple[int, int] | None = None
    """a smaller sensor (along, across the dispersion) about the middle of the trace: faster"""
    has_gain: bool = True
    """false: Gain and Offset are not implemented"""
    imagebytes: bool = True
    """false: images as JSON only"""
    download_s: float = 0.0
    """how long reading the sensor takes"""
    hot_pixels: float = 1.0
    """number of hot pixels in parts of the usual"""
    cosmic_rays: float = 1.0
    """rate of cosmic rays in parts of the usual"""

    def __post_init__(self) -> None:
        """Refuse what cannot be; ValueError names the option."""
        for name in ("speed", "guider_time_s", "guide_exposure_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive")
        for name in ("seeing_arcsec", "steps_per_s", "max_increment"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive")
        for name in (
            "backlash_steps",
            "star",
            "lamp",
            "sky_factor",
            "companion",
            "seeing_scatter",
            "guiding_px",
            "download_s",
            "hot_pixels",
            "cosmic_rays",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative")
        if self.sensor_px is not None and not min(self.sensor_px) >= SMALLEST_SENSOR_PX:
            raise ValueError(f"sensor_px must be at least {SMALLEST_SENSOR_PX} x {SMALLEST_SENSOR_PX}")

    def applied_to(self, instrument: Instrument) -> Instrument:
        """The instrument with these departures."""
        changes: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "astigmatism_steps",
                "collimator_offset_steps",
                "chromatic_steps",
                "seeing_arcsec",
                "decentre_px",
                "steps_per_s",
            )
            if getattr(self, name) is not None
        }
        changes["star_adu_s"] = instrument.star_adu_s * self.star
        instrument = dataclasses.replace(instrument, **changes)
        return instrument if self.sensor_px is None else _cropped(instrument, self.sensor_px)

    def sky(self, seed: int) -> Sky:
        """The night of a seed with these departures."""
        return Sky(
            seed=seed,
            seeing_scatter=self.seeing_scatter,
            guiding_px=self.guiding_px,
            clouds=self.clouds,
            cooling_c_per_h=self.cooling_c_per_h,
        )


def _cropped(instrument: Instrument, sensor_px: tuple[int, int]) -> Instrument:
    """A smaller sensor about the middle of the trace; the slant stays the same per column."""
    width, height = (min(asked, own) for asked, own in zip(sensor_px, instrument.sensor_px, strict=True))
    first, last = instrument.wavelengths_nm
    part = width / instrument.sensor_px[0]
    middle, half = 0.5 * (first + last), 0.5 * (last - first) * part
    return dataclasses.replace(
        instrument,
        sensor_px=(width, height),
        wavelengths_nm=(middle - half, middle + half),
        slant_px=instrument.slant_px * part,
        curvature_px=instrument.curvature_px * part**2,
        chromatic_steps=instrument.chromatic_steps * part,
        tilt_steps=instrument.tilt_steps * part,
        trace_row=0.5,
    )


def parse_options(assignments: Sequence[str], base: BenchOptions | None = None) -> BenchOptions:
    """Options from ``KEY=VALUE`` texts; SettingsError names every fault."""
    known = get_type_hints(BenchOptions)
    changes: dict[str, Any] = {}
    faults = []
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in known:
            faults.append(f"{assignment}: {_unknown(name, known) if equals else 'give it as KEY=VALUE'}")
            continue
        try:
            changes[name] = _value(text.strip(), known[name])
        except ValueError as cause:
            faults.append(f"{assignment}: {cause}")
    if faults:
        raise SettingsError("; ".join(faults), faults=tuple(faults))
    try:
        return dataclasses.replace(base or BenchOptions(), **changes)
    except ValueError as cause:
        raise SettingsError(str(cause)) from None


def _value(text: str, hint: Any) -> Any:
    if hint == Objective:
        if text not in get_args(Objective):
            raise ValueError(f"give one of {', '.join(get_args(Objective))}")
        return text
    kinds = get_args(hint) or (hint,)
    if type(None) in kinds and text.lower() in {"none", "null"}:
        return None
    if bool in kinds:
        if text.lower() not in {"true", "false", "yes", "no", "on", "off", "1", "0"}:
            raise ValueError("give true or false")
        return text.lower() in {"true", "yes", "on", "1"}
    if float in kinds:
        return _number(text, float, "a number")
    if int in kinds:
        return _number(text, int, "a whole number")
    width, _, height = text.partition("x")
    return (_number(width, int, "WIDTHxHEIGHT in pixels"), _number(height, int, "WIDTHxHEIGHT in pixels"))


def _number(text: str, kind: type[int | float], wanted: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"give {wanted}") from None
    if not abs(value) < float("inf"):
        raise ValueError(f"give {wanted}")
    return value


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"unknown; the bench knows {', '.join(known)}"
