"""What views draw of a frame, small enough to keep for every frame: a thumbnail, the profile and the trace."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from autofocus.errors import JournalError
from autofocus.model import Frame, Measurement
from autofocus.ports import FramePicture
from autofocus.settings import MeasureSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from autofocus.measure.reading import Reading

THUMBNAIL_PX = 640  # longer side of a thumbnail
TRACE_POINTS = 64


def picture_of(frame: Frame, reading: Reading, settings: MeasureSettings) -> FramePicture:
    """The picture of a measured frame; without a trace it is the frame alone."""
    measurement, profile = reading.measurement, reading.profile
    half = reading.half_window_px if settings.half_window_px == "auto" else settings.half_window_px
    window = None
    if measurement.mode == "spectrum" and half is not None and math.isfinite(measurement.center_px):
        window = (measurement.center_px - half, measurement.center_px + half)
    return FramePicture(
        name=frame.name,
        frame=frame,
        profile=() if profile is None else tuple(float(value) for value in profile.values),
        profile_start_px=0 if profile is None else int(profile.start_px),
        profile_fit=() if profile is None or profile.fit is None else tuple(float(value) for value in profile.fit),
        trace_px=_trace_points(frame, reading, measurement),
        window_px=window,
    )


def _trace_points(frame: Frame, reading: Reading, measurement: Measurement) -> tuple[tuple[float, float], ...]:
    """Points (x, y) of the trace in frame pixels, evenly along the dispersion."""
    if reading.trace is None:
        return ()
    import numpy as np

    rows, columns = frame.shape
    along = np.linspace(0.0, (columns if measurement.dispersion_axis == "x" else rows) - 1.0, TRACE_POINTS)
    across = np.broadcast_to(np.asarray(reading.trace.center(along), dtype=float), along.shape)
    pairs = zip(along.tolist(), across.tolist(), strict=True)
    return tuple(pairs) if measurement.dispersion_axis == "x" else tuple((y, x) for x, y in pairs)


def thumbnail(frame: Frame) -> tuple[NDArray[np.float32], int]:
    """The frame averaged over squares of pixels, and the side of a square; what does not fill one is left out."""
    import numpy as np

    rows, columns = frame.shape
    side = max(1, math.ceil(max(rows, columns) / THUMBNAIL_PX))
    high, wide = max(rows // side, 1), max(columns // side, 1)
    step_r, step_c = min(side, rows), min(side, columns)
    small = np.empty((high, wide), dtype="f4")
    for row in range(high):  # a strip at a time: a whole large frame as floats would not fit a small computer
        strip = frame.section(slice(row * step_r, (row + 1) * step_r), slice(0, wide * step_c))
        small[row] = strip.reshape(step_r, wide, step_c).mean(axis=(0, 2))
    return small, side


def pack(picture: FramePicture) -> bytes:
    """The picture as a compressed NumPy archive, its frame as a thumbnail."""
    import numpy as np

    arrays: dict[str, Any] = {
        "profile": np.asarray(picture.profile, dtype="f4"),
        "profile_fit": np.asarray(picture.profile_fit, dtype="f4"),
        "profile_start_px": np.asarray(picture.profile_start_px),
        "trace_px": np.asarray(picture.trace_px, dtype="f4").reshape(-1, 2),
        "window_px": np.asarray(picture.window_px or (), dtype="f4"),
    }
    if picture.frame is not None:
        small, side = thumbnail(picture.frame)
        fits_16_bit = bool(np.all((small >= 0.0) & (small < 65535.5)))  # false for NaN too
        arrays["thumbnail"] = np.rint(small).astype("u2") if fits_16_bit else small
        arrays["pixels_per_side"] = np.asarray(side)
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def unpack(name: str, packed: bytes) -> FramePicture:
    """The picture of an archive; its frame is the thumbnail, ``headers["PIXSIDE"]`` frame pixels to each of its own."""
    import zipfile

    import numpy as np

    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            frame = None
            if "thumbnail" in arrays:
                side = int(arrays["pixels_per_side"])
                frame = Frame(raw=arrays["thumbnail"], name=name, headers={"PIXSIDE": side})
            window = arrays["window_px"].tolist()
            return FramePicture(
                name=name,
                frame=frame,
                profile=tuple(arrays["profile"].tolist()),
                profile_start_px=int(arrays["profile_start_px"]),
                profile_fit=tuple(arrays["profile_fit"].tolist()),
                trace_px=tuple((float(x), float(y)) for x, y in arrays["trace_px"]),
                window_px=(window[0], window[1]) if window else None,
            )
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as fault:
        raise JournalError(f"the preview of frame {name} cannot be read") from fault
