"""What PHD2 does, without its sockets: exposes, guides, loses its star, pauses, and answers its methods.

``tick`` is one guide frame; each event goes to ``tell``. Times that clients ask for or are told are the clock's, not
the bench's. The states, methods, error codes and the smoothed settle distance are PHD2's as observed (MsgVersion 1);
calibration is taken as done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import RLock
from typing import Any

from simulators.bench import Bench
from simulators.guide_star import HOME_PX, LEAST_SNR, SCALE_ARCSEC, TURN_DEG, GuideCamera, GuidedShift, Sighting, turned

VERSION = "2.6.14"
SEARCH_REGION_PX = 15.0
AGGRESSIVENESS = 0.7
LEAST_MOVE_PX = 0.15
LONGEST_MOVE_PX = 12.0
SMOOTHING = 0.3
Event = dict[str, Any]


class Refusal(Exception):
    """A request that PHD2 answers with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Phd2:
    """One PHD2 on one bench; it takes the place of the bench's own ideal guider."""

    def __init__(
        self, bench: Bench, tell: Callable[[Event], None], *, focus_offset_steps: float, guiding: bool
    ) -> None:
        self._bench = bench
        self._tell = tell
        self.lock = RLock()
        self.shift = GuidedShift(bench.image_shift.unguided())
        bench.shift = self.shift
        self._camera = GuideCamera(bench, focus_offset_steps)
        self.exposure_s = bench.options.guide_exposure_s
        self.state = "Guiding" if guiding else "Stopped"
        self._before_pause = ""
        self._connected = True
        self._lock_px = self._seen_px = HOME_PX
        self._frame = 0
        self._began = bench.now()
        self._settle: dict[str, float] | None = None
        self._distance = 0.0

    # frames

    def tick(self, start_s: float, end_s: float) -> None:
        """One guide frame, exposed between two bench times."""
        with self.lock:
            if self.state in ("Stopped", "Paused"):
                return
            self._frame += 1
            seen = self._camera.look(start_s, end_s)
            away = math.dist((seen.x_px, seen.y_px), self._seen_px)
            if self.state == "Looping":
                self._say(
                    "LoopingExposures", Frame=self._frame, StarMass=round(seen.mass), SNR=seen.snr, HFD=seen.hfd_px
                )
            elif away > SEARCH_REGION_PX or seen.snr < LEAST_SNR:
                self._lose()
            else:
                self._guide(seen, end_s)

    def _lose(self) -> None:
        self.state = "LostLock"
        self._say(
            "StarLost", Frame=self._frame, Time=self._time(), StarMass=0, SNR=0.0, HFD=0.0,
            AvgDist=round(self._distance, 2), ErrorCode=8, Status="No star found",
        )  # fmt: skip
        self._settling(locked=False)

    def _guide(self, seen: Sighting, now: float) -> None:
        self.state = "Guiding"
        self._seen_px = (seen.x_px, seen.y_px)
        dx, dy = seen.x_px - self._lock_px[0], seen.y_px - self._lock_px[1]
        along_ra, along_dec = turned(dx, dy, -TURN_DEG)
        ra, dec = (_taken_back(raw) for raw in (along_ra, along_dec))
        scale = self._camera.px_per_slit_px
        self.shift.correct(now, -ra / scale, -dec / scale)
        self._distance += SMOOTHING * (math.hypot(dx, dy) - self._distance)
        self._settling(locked=True)
        self._say(
            "GuideStep", Frame=self._frame, Time=self._time(), Mount="Bench", dx=round(dx, 3), dy=round(dy, 3),
            RADistanceRaw=round(along_ra, 3), DECDistanceRaw=round(along_dec, 3), RADistanceGuide=round(ra, 3),
            DECDistanceGuide=round(dec, 3), StarMass=round(seen.mass), SNR=round(seen.snr, 2),
            HFD=round(seen.hfd_px, 2), AvgDist=round(self._distance, 2),
        )  # fmt: skip

    def _settling(self, *, locked: bool) -> None:
        asked = self._settle
        if asked is None:
            return
        now = self._bench.now()
        if not locked or self._distance >= asked["pixels"]:
            asked["inside"] = math.inf
        else:
            asked["inside"] = min(asked["inside"], now)
        if self._bench.wait_s(now - asked["inside"]) >= asked["time"]:
            self._end_settling(0)
        elif self._bench.wait_s(now - asked["began"]) > asked["timeout"]:
            self._end_settling(1, "timed-out waiting for guider to settle")

    def _end_settling(self, status: int, fault: str = "") -> None:
        if self._settle is not None:
            self._settle = None
            self._say("SettleDone", Status=status, **({"Error": fault} if fault else {}))

    # methods

    def greeting(self) -> list[Event]:
        """What a new client is told."""
        with self.lock:
            version = {"PHDVersion": VERSION, "PHDSubver": "", "OverlapSupport": True, "MsgVersion": 1}
            return [self._event("Version", **version), self._event("AppState", State=self.state)]

    def call(self, method: str, params: Any) -> Any:
        """The result of a method; `Refusal` says why there is none."""
        given = getattr(self, f"_do_{method}", None)
        if given is None:
            raise Refusal(-32601, "method not found")
        with self.lock:
            return given(params)

    def _do_get_app_state(self, _: Any) -> str:
        return self.state

    def _do_get_exposure(self, _: Any) -> int:
        return max(1, round(self._bench.wait_s(self.exposure_s) * 1000))  # as its clients' clock sees it

    def _do_set_exposure(self, params: Any) -> int:
        value = _argument(params, "exposure", 0)
        if not isinstance(value, int) or not 0 < value <= 60000:
            raise Refusal(1, "could not set exposure duration")
        self.exposure_s = value / 1000 * self._bench.options.speed
        self._say("GuideParamChange", Name="Exposure", Value=f"{value} ms")
        return 0

    def _do_get_pixel_scale(self, _: Any) -> float:
        return SCALE_ARCSEC

    def _do_get_search_region(self, _: Any) -> int:
        return round(SEARCH_REGION_PX)

    def _do_get_calibrated(self, _: Any) -> bool:
        return True

    def _do_get_calibration_data(self, _: Any) -> dict[str, Any]:
        return {"calibrated": True, "xAngle": TURN_DEG, "xRate": 5.0, "yAngle": TURN_DEG + 90.0, "yRate": 5.0}

    def _do_get_connected(self, _: Any) -> bool:
        return self._connected

    def _do_set_connected(self, params: Any) -> int:
        if self.state != "Stopped":
            if _argument(params, "connected", 0):
                return 0
            raise Refusal(1, "cannot disconnect equipment while capture active")
        self._connected = bool(_argument(params, "connected", 0))
        return 0

    def _do_get_paused(self, _: Any) -> bool:
        return self.state == "Paused"

    def _do_set_paused(self, params: Any) -> int:
        paused = _argument(params, "paused", 0)
        if not isinstance(paused, bool):
            raise Refusal(-32602, "expected bool param at index 0")
        if paused and self.state != "Paused":
            self._before_pause, self.state = self.state, "Paused"
            self._say("Paused")
        elif not paused and self.state == "Paused":
            self.state = self._before_pause
            self._say("Resumed")
        return 0

    def _do_get_lock_position(self, _: Any) -> list[float] | None:
        return None if self.state in ("Stopped", "Looping") else list(self._lock_px)

    def _do_set_lock_position(self, params: Any) -> int:
        self._lock_px = (float(_argument(params, "x", 0)), float(_argument(params, "y", 1)))
        self._say("LockPositionSet", X=self._lock_px[0], Y=self._lock_px[1])
        return 0

    def _do_get_settling(self, _: Any) -> bool:
        return self._settle is not None

    def _do_loop(self, _: Any) -> int:
        self._demand_equipment()
        self.state = "Looping"
        return 0

    def _do_stop_capture(self, _: Any) -> int:
        guided, self.state = self.state in ("Guiding", "LostLock"), "Stopped"
        if guided:
            self._say("GuidingStopped")
            self._end_settling(1, "Guiding stopped")
        self._say("LoopingExposuresStopped")
        return 0

    def _do_guide(self, params: Any) -> int:
        settle = _argument(params, "settle", 0)
        if not isinstance(settle, dict):
            raise Refusal(-32602, "expected settle object param")
        if not all(isinstance(settle.get(key), int | float) for key in ("pixels", "time", "timeout")):
            raise Refusal(-32602, "invalid settle params")
        self._demand_equipment()
        now = self._bench.now()
        if self.state in ("Stopped", "Looping"):
            seen = self._camera.look(now, now + self.exposure_s)
            self._lock_px = self._seen_px = HOME_PX if self._frame == 0 else (seen.x_px, seen.y_px)
            self.state = "Guiding"
            self._say("LockPositionSet", X=self._lock_px[0], Y=self._lock_px[1])
            self._say("StarSelected", X=seen.x_px, Y=seen.y_px)
            self._say("StartGuiding")
        self._settle = {key: float(settle[key]) for key in ("pixels", "time", "timeout")}
        self._settle |= {"began": now, "inside": math.inf}
        self._say("SettleBegin")
        return 0

    def _demand_equipment(self) -> None:
        if not self._connected:
            raise Refusal(1, "all equipment must be connected first")

    def _say(self, event: str, **fields: Any) -> None:
        self._tell(self._event(event, **fields))

    @staticmethod
    def _event(event: str, **fields: Any) -> Event:
        return {"Event": event, "Timestamp": round(time.time(), 3), "Host": "bench", "Inst": 1, **fields}

    def _time(self) -> float:
        return round(self._bench.wait_s(self._bench.now() - self._began), 3)


def _taken_back(raw_px: float) -> float:
    if abs(raw_px) < LEAST_MOVE_PX:
        return 0.0
    return math.copysign(min(AGGRESSIVENESS * abs(raw_px), LONGEST_MOVE_PX), raw_px)


def _argument(params: Any, name: str, index: int) -> Any:
    """A parameter by name or by place; None where it is missing."""
    if isinstance(params, dict):
        return params.get(name)
    return params[index] if isinstance(params, list) and len(params) > index else None
