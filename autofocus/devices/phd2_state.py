"""What PHD2's messages say of the guiding: a pure state, one message in, the next state out. No socket, no clock.

A message is one decoded JSON object of PHD2's event server; ``at`` is our own monotonic time of its arrival
(PHD2's ``Timestamp`` is another machine's clock). Whatever is unknown or malformed leaves the state as it is: a
guider must never end a run by what it says.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

KEPT_STEPS = 400  # ten minutes and more of guide frames: enough for the baseline and any settling
RECENT = 20  # arrivals from which the usual distance between guide frames is taken

# What each event makes of PHD2's own state word; the word itself is only sent on connecting.
STATE_AFTER = {
    "StartCalibration": "Calibrating",
    "Calibrating": "Calibrating",
    "CalibrationFailed": "Stopped",
    "StartGuiding": "Guiding",
    "GuideStep": "Guiding",
    "StarLost": "LostLock",
    "Paused": "Paused",
    "LoopingExposures": "Looping",
    "LoopingExposuresStopped": "Stopped",
    "GuidingStopped": "Stopped",
}

WORDS = {
    "Stopped": "is stopped",
    "Selected": "has a star selected but does not guide",
    "Looping": "only loops exposures",
    "Calibrating": "is calibrating",
    "Paused": "is paused",
    "LostLock": "has lost its star",
    "Guiding": "is guiding",
}


@dataclass(frozen=True, slots=True)
class GuideStep:
    """One guide frame: the star's offset from the lock position, guide-camera pixels, and its looks.

    ``correction_px`` is what PHD2 then took back along the mount's two axes.
    """

    at: float
    dx_px: float
    dy_px: float
    hfd_px: float = math.nan
    mass: float = math.nan
    snr: float = math.nan
    correction_px: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Phd2State:
    """All that was heard so far; ``axes_deg`` are the mount's two axes on the guide camera, once asked for."""

    version: str = ""
    state: str = "Unknown"
    steps: tuple[GuideStep, ...] = ()
    losses: tuple[float, ...] = ()
    last_heard: float = -math.inf
    exposure_s: float | None = None
    pixel_scale_arcsec: float | None = None
    search_region_px: float | None = None
    axes_deg: tuple[float, float] | None = None

    @property
    def guiding(self) -> bool:
        """Whether guide steps are to be expected (a lost star may come back by itself)."""
        return self.state in ("Guiding", "LostLock")

    @property
    def idle(self) -> bool:
        """Whether it would not guide unless told to; not while it calibrates, nor while nobody knows yet."""
        return not self.guiding and self.state not in ("Calibrating", "Unknown")

    @property
    def words(self) -> str:
        """What PHD2 is doing, for a person: ``PHD2 is paused``."""
        return f"PHD2 {WORDS.get(self.state, 'does not answer')}"

    @property
    def facts(self) -> str:
        """Version, state and pixel scale, for a person."""
        scale = self.pixel_scale_arcsec
        parts = [f"PHD2 {self.version}".strip(), self.words.removeprefix("PHD2 ")]
        parts.append("does not know its pixel scale" if scale is None else f'{scale:.2f}" per pixel')
        return ", ".join([*parts, *([] if self.exposure_s is None else [f"exposes {self.exposure_s:g} s"])])

    def feed(self, message: Mapping[str, Any], at: float) -> Phd2State:
        """The state after one message."""
        event = message.get("Event")
        if not isinstance(event, str):
            return self
        heard = replace(self, last_heard=at, state=self._state_after(event, message))
        if event == "Version":
            return replace(heard, version=str(message.get("PHDVersion", "")))
        if event == "GuideStep":
            step = _guide_step(message, at)
            return heard if step is None else replace(heard, steps=(*self.steps, step)[-KEPT_STEPS:])
        if event == "StarLost":
            return replace(heard, losses=(*self.losses, at)[-KEPT_STEPS:])
        if event == "GuideParamChange" and message.get("Name") == "Exposure":
            return replace(heard, exposure_s=_milliseconds(message.get("Value")) or self.exposure_s)
        return heard

    def _state_after(self, event: str, message: Mapping[str, Any]) -> str:
        if event == "AppState":
            return str(message.get("State", self.state))
        if event == "Resumed":
            # What it was before the pause is not repeated; fresh guide steps will say so.
            return "Guiding" if self.steps else self.state
        if event == "LoopingExposures" and self.state in ("Calibrating", "Paused"):
            return self.state  # looping goes on beneath both
        return STATE_AFTER.get(event, self.state)

    def informed(self, facts: Mapping[str, Any]) -> Phd2State:
        """The state with what PHD2 answered when asked, by the name of the method; an answer it refused is None."""
        exposure, scale = _number(facts.get("get_exposure")), _number(facts.get("get_pixel_scale"))
        region, state = _number(facts.get("get_search_region")), facts.get("get_app_state")
        return replace(
            self,
            exposure_s=exposure / 1000 if exposure > 0 else self.exposure_s,
            pixel_scale_arcsec=scale if scale > 0 else self.pixel_scale_arcsec,
            search_region_px=region if region > 0 else self.search_region_px,
            axes_deg=_axes(facts.get("get_calibration_data")) or self.axes_deg,
            state=state if isinstance(state, str) else self.state,
        )

    def disconnected(self) -> Phd2State:
        """The state once the connection is gone: what was heard stays, what is going on is unknown."""
        return replace(self, state="Unknown")

    def steps_since(self, moment: float) -> tuple[GuideStep, ...]:
        """Steps whose exposure began after ``moment``.

        A step arrives after its exposure and its download; the usual distance between steps bounds the sum of both.
        """
        earliest = moment + self.frame_time_s
        return tuple(step for step in self.steps if step.at > earliest)

    def longest_loss(self, since: float) -> int:
        """How many guide frames in a row had no star after a moment."""
        seen = [(step.at, True) for step in self.steps if step.at > since]
        seen += [(at, False) for at in self.losses if at > since]
        longest = run = 0
        for _, kept in sorted(seen):
            run = 0 if kept else run + 1
            longest = max(longest, run)
        return longest

    @property
    def star_is_lost(self) -> bool:
        """Whether the newest guide frame had no star."""
        return bool(self.losses) and (not self.steps or self.losses[-1] > self.steps[-1].at)

    @property
    def frame_time_s(self) -> float:
        """From the begin of a guide exposure to the arrival of its step: the median distance, or the exposure."""
        arrivals = sorted([step.at for step in self.steps[-RECENT:]] + list(self.losses[-RECENT:]))
        gaps = sorted(later - earlier for earlier, later in itertools.pairwise(arrivals) if later > earlier)
        return max(gaps[len(gaps) // 2] if gaps else 0.0, self.exposure_s or 0.0)

    def corrected_px(self, since: float, until: float) -> tuple[float, float]:
        """What PHD2 took back between two moments, camera pixels; (0, 0) while the axes are unknown."""
        if self.axes_deg is None:
            return 0.0, 0.0
        first, second = (math.radians(angle) for angle in self.axes_deg)
        taken = [step.correction_px for step in self.steps if since <= step.at < until]
        along, across = sum(a for a, _ in taken), sum(b for _, b in taken)
        return (
            along * math.cos(first) + across * math.cos(second),
            along * math.sin(first) + across * math.sin(second),
        )


def _guide_step(message: Mapping[str, Any], at: float) -> GuideStep | None:
    """A step out of its message, or None where an offset is missing or no number."""
    dx, dy, hfd, mass, snr = (_number(message.get(key)) for key in ("dx", "dy", "HFD", "StarMass", "SNR"))
    if math.isnan(dx) or math.isnan(dy):
        return None
    taken = (_number(message.get("RADistanceGuide")), _number(message.get("DECDistanceGuide")))
    first, second = (0.0 if math.isnan(value) else value for value in taken)
    return GuideStep(at, dx, dy, hfd, mass, snr, (first, second))


def _axes(calibration: Any) -> tuple[float, float] | None:
    if not isinstance(calibration, Mapping):
        return None
    first, second = _number(calibration.get("xAngle")), _number(calibration.get("yAngle"))
    return None if math.isnan(first) or math.isnan(second) else (first, second)


def _milliseconds(text: Any) -> float | None:
    """Seconds out of PHD2's ``500 ms`` or ``1.5 s``."""
    found = re.fullmatch(r"([0-9.]{1,9}) ?(ms|s)", str(text))
    try:
        value = float(found[1]) if found else 0.0
    except ValueError:
        return None
    return (value / 1000 if found and found[2] == "ms" else value) or None


def _number(value: Any) -> float:
    """A finite number, or NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return math.nan
    return float(value)
