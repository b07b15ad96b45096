"""The devices of a run."""

from __future__ import annotations

from dataclasses import dataclass

from autofocus.ports import Camera, Clock, Focuser, Guider, Informant


@dataclass(frozen=True, slots=True)
class Rig:
    """The devices of a run. ``overlapped`` is false on a virtual clock, where nothing happens at the same time.

    ``focuser_key`` names the focuser among all that this machine can reach: two runs must not share it. ``informant``
    tells of servers that are waited for.
    """

    camera: Camera
    focuser: Focuser
    clock: Clock
    guider: Guider | None = None
    overlapped: bool = True
    focuser_key: str = ""
    informant: Informant | None = None
