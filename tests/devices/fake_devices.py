"""A focuser and a camera whose members, and whose faults, each test scripts for itself."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np


class AscomError(Exception):
    def __init__(self, number: int, text: str = "") -> None:
        super().__init__(text)
        self.number, self.text = number, text


def not_implemented(*_: Any) -> Any:
    raise AscomError(0x400, "not offered here")


def image_bytes(image: np.ndarray, kind: int = 8, **header: int) -> bytes:
    """ImageBytes of an array (rows, cols) or (rows, cols, planes); ``header`` overrides single fields."""
    types = {1: "<i2", 2: "<i4", 3: "<f8", 4: "<f4", 5: "<u8", 6: "u1", 7: "<i8", 8: "<u2", 9: "<u4"}
    turned = np.ascontiguousarray(np.swapaxes(image, 0, 1).astype(types[kind]))
    rows, columns = image.shape[:2]
    planes = image.shape[2] if image.ndim == 3 else 0
    fields = {
        "version": 1,
        "error": 0,
        "client": 1,
        "server": 1,
        "start": 44,
        "image_type": 2,
        "type": kind,
        "rank": image.ndim,
    }
    fields |= {"d1": columns, "d2": rows, "d3": planes} | header
    return struct.pack("<11i", *fields.values()) + b"\0" * (fields["start"] - 44) + turned.tobytes()


class FakeFocuser:
    """Moves at ``speed`` steps/s in real time; what is odd about it is set by attribute."""

    def __init__(self) -> None:
        self.speed = 2000.0
        self.origin = self.target = 5000
        self.began = -1e9
        self.absolute = True
        self.moves: list[int] = []
        self.stuck = self.always_moving = False
        self.late_s = 0.0  # IsMoving turns true this long after Move
        self.stale_s = 0.0  # Position is refreshed only this long after the end
        self.short = 0
        self.resets_after = 99  # so many moves its count begins anew at 0
        self.runs_off = False  # goes to 0 instead
        self.limits = (0, 10000)
        self.members: dict[str, Any] = {
            "maxstep": 10000,
            "maxincrement": 10000,
            "stepsize": 1.5,
            "tempcompavailable": True,
            "tempcomp": True,
            "temperature": 12.5,
        }
        self.members |= {"position": self.position, "absolute": lambda: self.absolute, "ismoving": self.is_moving}

    def _ends(self) -> float:
        return self.began + self.late_s + abs(self.target - self.origin) / self.speed

    def is_moving(self) -> bool:
        return self.always_moving or self.began + self.late_s <= time.monotonic() < self._ends()

    def where(self) -> int:
        done = min(max(time.monotonic() - self.began - self.late_s, 0.0) * self.speed, abs(self.target - self.origin))
        return round(float(self.origin + np.sign(self.target - self.origin) * done))

    def position(self) -> int:
        if not self.absolute:
            not_implemented()
        if len(self.moves) >= self.resets_after and time.monotonic() >= self._ends():
            self.origin = self.target = 0
        if self.stale_s == 0:
            return self.where()
        return self.origin if time.monotonic() < self._ends() + self.stale_s else self.where()

    def move(self, target: int) -> None:
        self.moves.append(target)
        here = self.where()
        target = 0 if self.runs_off else target if self.absolute else here + target
        target = min(max(target, self.limits[0]), self.limits[1])
        if not self.stuck:
            self.origin, self.target = here, target - int(np.sign(target - here)) * self.short
            self.began = time.monotonic()

    def halt(self) -> None:
        self.origin = self.target = self.where()


class FakeCamera:
    """Exposes in real time ``speed`` times faster than asked and sends a noisy frame."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.speed = 1.0
        self.began: float | None = None
        self.duration = 0.0
        self.ready_before = False
        self.stale_ready_s = 0.0
        self.never_ready = False
        self.state: int | None = None
        self.image = np.zeros((1, 1))
        self.exposures: list[dict[str, str]] = []
        self.aborts = 0
        self.body: Callable[[], bytes] | None = None
        self.json_only = False
        self.content_type = "application/imagebytes"
        self.members: dict[str, Any] = {
            "cameraxsize": 60, "cameraysize": 40, "binx": 1, "biny": 1, "startx": 0, "starty": 0, "numx": 60,
            "numy": 40, "maxbinx": 4, "maxbiny": 4, "gain": 10, "gainmin": 0, "gainmax": 100, "gains": not_implemented,
            "offset": not_implemented, "offsets": not_implemented, "readoutmode": 0,
            "readoutmodes": ["Fast", "Low noise"], "pixelsizex": 3.8, "pixelsizey": 3.8, "electronsperadu": 0.8,
            "maxadu": 65535, "exposuremin": 0.001, "exposuremax": 3600.0, "canabortexposure": True,
            "ccdtemperature": -10.0, "imageready": self.is_ready, "camerastate": self.camera_state,
        }  # fmt: skip

    def over(self) -> bool:
        return self.began is not None and time.monotonic() - self.began >= self.duration / self.speed

    def is_ready(self) -> bool:
        if self.began is None or time.monotonic() - self.began < self.stale_ready_s:
            return self.ready_before
        return self.over() and not self.never_ready

    def camera_state(self) -> int:
        return self.state if self.state is not None else (2 if self.began is not None and not self.over() else 0)

    def startexposure(self, fields: dict[str, str]) -> None:
        self.exposures.append(fields)
        self.ready_before = self.began is not None
        self.began, self.duration = time.monotonic(), float(fields["Duration"])
        shape = (int(self.members["numy"]), int(self.members["numx"]))
        self.image = self.rng.integers(100, 60000, shape).astype("u2")

    def abortexposure(self) -> None:
        self.aborts += 1
        self.began = None

    def imagearray(self, accept: str) -> tuple[str, bytes]:
        if self.body is not None:
            return self.content_type, self.body()
        if self.json_only or "imagebytes" not in accept:
            reply = {"Type": 2, "Rank": 2, "Value": self.image.T.tolist(), "ErrorNumber": 0, "ErrorMessage": ""}
            return "application/json", json.dumps(reply).encode()
        return self.content_type, image_bytes(self.image)
