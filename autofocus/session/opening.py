"""Before the first look: open the devices, learn where the focuser stands, and write down what the run was told."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from autofocus import __version__
from autofocus.errors import SettingsError
from autofocus.ports import CameraFacts
from autofocus.search.task import FocusTask
from autofocus.session import jsonform
from autofocus.session.events import SessionStarted
from autofocus.session.rig import Rig
from autofocus.settings import FocuserSettings, Settings

LOCAL_NAMES = {"localhost": "127.0.0.1", "[::1]": "127.0.0.1"}


def focuser_key(settings: FocuserSettings) -> str:
    """The focuser's name among all that this machine can reach, the same however its address was written."""
    host, colon, port = without_password(settings.address).strip().lower().rpartition(":")
    return f"{LOCAL_NAMES.get(host, host)}{colon}{port}/focuser/{settings.device_number}"


def without_password(address: str) -> str:
    """``host:port`` of ``user:password@host:port``."""
    return address.rpartition("@")[2]


def open_devices(rig: Rig, opened: list[tuple[str, Callable[[], None]]], open_guider: Callable[[], None]) -> int:
    """Open all, noting in ``opened`` what has to be closed again; return where the focuser stands."""
    opened.append(("camera", rig.camera.close))  # first noted: a half-opened device is closed as well
    rig.camera.open()
    opened.append(("focuser", rig.focuser.close))
    rig.focuser.open()
    if rig.guider is not None:
        opened.append(("guider", rig.guider.close))
        open_guider()
    return rig.focuser.position()


def focus_task(settings: Settings, rig: Rig, start_position: int, focused_before: tuple[int, ...]) -> FocusTask:
    """All that the search is told."""
    facts = rig.focuser.facts
    return FocusTask(
        settings=settings.search,
        start_position=start_position,
        focused_before=focused_before if facts.absolute else (),
        low=facts.low,
        high=facts.high,
        approach=settings.focuser.approach,
        backlash_steps=settings.focuser.backlash_steps,
        exposure_s=settings.camera.exposure_s,
        microns_per_step=settings.focuser.microns_per_step or facts.microns_per_step,
        f_ratio=settings.telescope.f_ratio,
        position_tolerance_steps=settings.focuser.position_tolerance_steps,
        exposure_range_s=exposure_range(settings, rig.camera.facts),
        saturation_adu=rig.camera.facts.saturation_adu,
    )


def demand_columns(settings: Settings, facts: CameraFacts) -> None:
    """Refuse columns that lie beyond every frame the camera can take: no focus would ever be found in them."""
    asked = settings.measure.columns
    if asked is None or settings.measure.mode == "stars" or not facts.width_px or not facts.height_px:
        return
    roi, binning = settings.camera.roi, settings.camera.binning
    size = roi[2:] if isinstance(roi, tuple) else (facts.width_px // binning, facts.height_px // binning)
    along = {"x": size[0], "y": size[1], "auto": max(size)}[settings.measure.dispersion_axis]
    if asked[1] > along:
        raise SettingsError(
            f"measure.columns: {asked[0]}:{asked[1]} reaches beyond the frame, which has {along} pixels along the "
            f"dispersion; set it within 0:{along}, or to null for the central 10 %."
        )


def exposure_range(settings: Settings, facts: CameraFacts) -> tuple[float, float] | None:
    """The exposures that the search may choose: what the settings allow and the camera can; None where it is fixed."""
    wanted = settings.camera.auto_exposure
    if wanted is None:
        return None
    low = max(wanted.min_s, facts.exposure_min_s or 0.0)
    high = min(wanted.max_s, facts.exposure_max_s or math.inf)
    if low > high:
        raise SettingsError(
            f"camera.auto_exposure: {wanted.min_s:g} to {wanted.max_s:g} s lies outside what the camera can do "
            f"({facts.exposure_min_s:g} to {facts.exposure_max_s:g} s)"
        )
    return low, high


def session_started(
    settings: Settings, rig: Rig, *, session: str, key: str, task: FocusTask | None, elapsed_s: float
) -> SessionStarted:
    """The first event; ``task`` is None when the devices could not be opened."""
    told: dict[str, Any] = {}
    if task is not None:
        camera, focuser = rig.camera.facts, rig.focuser.facts
        told = {
            "start_position": task.start_position,
            "low": task.low,
            "high": task.high,
            "absolute": focuser.absolute,
            "camera": camera.name,
            "focuser": focuser.name,
            "task": jsonform.encode(task),
        }
    return SessionStarted(
        elapsed_s=elapsed_s,
        session=session,
        started_utc=rig.clock.utc().isoformat(timespec="milliseconds"),
        version=__version__,
        pid=os.getpid(),
        focuser_key=key,
        objective=settings.search.objective,
        approach=settings.focuser.approach,
        max_exposures=settings.search.max_exposures,
        time_limit_s=settings.search.time_limit_s,
        settings=_settings_to_keep(settings),
        **told,
    )


def _settings_to_keep(settings: Settings) -> dict[str, Any]:
    kept: dict[str, Any] = jsonform.encode(settings)
    for section in ("camera", "focuser", "guider"):
        kept[section]["address"] = without_password(kept[section]["address"])
    return kept
