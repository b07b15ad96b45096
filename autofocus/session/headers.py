"""The FITS header of a frame we take, with the keywords that N.I.N.A. writes and its readers know."""

from __future__ import annotations

from typing import Any

from autofocus.model import Frame
from autofocus.ports import CameraFacts, FocuserFacts
from autofocus.session.records import whole
from autofocus.settings import Settings


def describe(
    frame: Frame,
    settings: Settings,
    camera: CameraFacts,
    focuser: FocuserFacts,
    *,
    sensor_c: float | None,
    focuser_c: float | None,
    version: str,
) -> dict[str, Any]:
    """The cards of this frame, in order; the camera's own word counts first, what nobody knows is left out."""
    position = whole(frame.position)
    binning = settings.camera.binning
    pixel = camera.pixel_um
    cards: dict[str, Any] = {
        "IMAGETYP": "LIGHT",
        "EXPTIME": frame.exposure_s,
        "EXPOSURE": frame.exposure_s,
        "DATE-OBS": frame.started_utc,
        "INSTRUME": camera.name or None,
        "GAIN": camera.gain,
        "OFFSET": camera.offset,
        "EGAIN": frame.gain_e_per_adu or camera.gain_e_per_adu,
        "XBINNING": binning,
        "YBINNING": binning,
        "XPIXSZ": None if pixel is None else pixel[0] * binning,
        "YPIXSZ": None if pixel is None else pixel[1] * binning,
        "CCD-TEMP": sensor_c,
        "READOUTM": camera.readout_mode,
        "FOCALLEN": settings.telescope.focal_length_mm,
        "FOCRATIO": settings.telescope.f_ratio,
        "FOCNAME": focuser.name or None,
        "FOCPOS": position,
        "FOCUSPOS": position,
        "FOCUSSZ": settings.focuser.microns_per_step or focuser.microns_per_step,
        "FOCTEMP": focuser_c,
        "FOCUSTEM": focuser_c,
        "OBJECT": "focus star",
        "ROWORDER": "TOP-DOWN",
        "SWCREATE": f"autofocus {version}",
    }
    told = {**cards, **{name: value for name, value in frame.headers.items() if value is not None}}
    return {name: value for name, value in told.items() if value is not None}
