"""The display stretch: a frame as an 8-bit picture on which a faint spectrum shows at once.

Reduced first (squares of pixels averaged, which also makes a faint trace stand out of the noise), then stretched by
the midtones transfer function, m(x) = (t - 1) x / ((2 t - 1) x - t), whose one parameter t puts the sky at a fixed
grey: black a little under the background, white at the trace.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autofocus.model import Frame

LONGEST_PX = 1024  # longer side of the page's picture
SKY_GREY = 0.12  # where the background comes to lie, of full white
BLACK_SIGMAS = 2.8  # below the background, in its own noise: the sky's grain stays visible
FAINTEST_SIGMAS = 12.0  # white is never nearer to the background, so that a frame of noise alone looks dark
WHITE_PERCENTILE = 99.9  # without a trace; averaging has made hot pixels rarer than that
ROWS_ADDED = 4  # about so many of a square's rows: of a very large frame more would take longer and show no more
SAMPLED = 60_000  # pixels that the levels are taken from

Trace = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Levels:
    """What becomes black and white, in ADU, and the parameter of the curve between them."""

    black: float
    white: float
    midtone: float


@dataclass(frozen=True, slots=True, eq=False)
class Stretched:
    """A picture, shape (rows, columns), 0 to 255; ``side`` frame pixels went into each side of one of its pixels."""

    pixels: NDArray[np.uint8]
    side: int
    levels: Levels


def stretch(frame: Frame, trace_px: Trace = (), *, longest_px: int = LONGEST_PX) -> Stretched:
    """The frame as a picture whose longer side is at most ``longest_px``.

    ``trace_px`` are points (x, y) of the trace in frame pixels, as `FramePicture` holds them; the frame may also be a
    session's preview, which is reduced already and says so in ``PIXSIDE``.
    """
    pixels, side = reduce(frame, longest_px)
    before = preview_side(frame)
    on_picture = [(x / (side * before), y / (side * before)) for x, y in trace_px]
    levels = levels_of(pixels, on_picture)
    return Stretched(apply_levels(pixels, levels), side * before, levels)


def preview_side(frame: Frame) -> int:
    """How many frame pixels went into each side of a preview's pixel; 1 for a whole frame."""
    side = frame.headers.get("PIXSIDE", 1)
    return side if isinstance(side, int) and side > 0 else 1


def reduce(frame: Frame, longest_px: int = LONGEST_PX) -> tuple[NDArray[np.float32], int]:
    """The frame averaged over squares of pixels, and the side of a square; what does not fill one is left out."""
    rows, columns = frame.shape
    side = max(1, math.ceil(max(rows, columns) / longest_px))
    step_r, step_c = min(side, rows), min(side, columns)
    high, wide = rows // step_r, columns // step_c
    raw = frame.raw[: high * step_r, : wide * step_c]
    rest = raw.reshape(high, step_r, wide * step_c)
    # whole rows are added first, in the order in which they lie in memory; then a few strided columns
    taken = range(0, step_r, math.ceil(step_r / ROWS_ADDED))
    total = _wide(rest[:, 0])
    for row in taken[1:]:
        total += rest[:, row]
    small = total[:, ::step_c].astype("f4")
    for column in range(1, step_c):
        small += total[:, column::step_c]
    small *= frame.bscale / (len(taken) * step_c)
    small += frame.bzero
    return small, side


def _wide(rows: NDArray[Any]) -> NDArray[Any]:
    """A copy wide enough to hold the sum of a few dozen rows."""
    if rows.dtype.kind in "ui":
        return rows.astype("i4" if rows.dtype.itemsize <= 2 else "i8")
    return rows.astype("f4" if rows.dtype.itemsize <= 4 else "f8")


def levels_of(pixels: NDArray[np.float32], trace_px: Trace = ()) -> Levels:
    """Black from the background, white from the trace (or, without one, from the brightest pixels)."""
    sky, noise = background(pixels)
    white = _white(pixels, trace_px)
    black = sky - BLACK_SIGMAS * noise
    white = max(white if math.isfinite(white) else sky, sky + FAINTEST_SIGMAS * noise)
    at = (sky - black) / (white - black)
    # the midtone that puts ``at`` at SKY_GREY: the function solved for its parameter
    midtone = at * (SKY_GREY - 1.0) / (2.0 * SKY_GREY * at - SKY_GREY - at)
    return Levels(black, white, midtone)


def background(pixels: NDArray[np.float32]) -> tuple[float, float]:
    """Level and noise of the sky, by median and median deviation after clipping what is brighter, a few times."""
    step = max(1, round(math.sqrt(pixels.size / SAMPLED)))
    seen = pixels[::step, ::step].ravel()
    seen = seen[np.isfinite(seen)]
    if seen.size == 0:
        return 0.0, 1.0
    level, noise = 0.0, 0.0
    for _ in range(4):
        level = float(np.median(seen))
        noise = 1.4826 * float(np.median(np.abs(seen - level)))
        kept = seen[seen <= level + 3.0 * noise]
        if kept.size == seen.size:
            break
        seen = kept
    return level, max(noise, 0.3, 1e-6 * abs(level))  # 0.3: a step of one ADU, 1/√12, is noise as well


def _white(pixels: NDArray[np.float32], trace_px: Trace) -> float:
    rows, columns = pixels.shape
    # a pixel's centre has a whole coordinate in the frame; the picture's pixel that holds it is the floor
    places = [(int(x), int(y)) for x, y in trace_px if 0 <= x < columns and 0 <= y < rows]
    if places:
        x, y = np.array(places).T
        near = [(0, 0), (0, -1), (0, 1), (-1, 0), (1, 0)]
        along = np.max(
            [pixels[np.clip(y + dy, 0, rows - 1), np.clip(x + dx, 0, columns - 1)] for dx, dy in near], axis=0
        )
        along = along[np.isfinite(along)]
        if along.size:
            return float(np.percentile(along, 90.0))
    step = max(1, round(math.sqrt(pixels.size / (4 * SAMPLED))))
    seen = pixels[::step, ::step]
    seen = seen[np.isfinite(seen)]
    return float(np.percentile(seen, WHITE_PERCENTILE)) if seen.size else math.nan


def apply_levels(pixels: NDArray[np.float32], levels: Levels) -> NDArray[np.uint8]:
    """Stretch to 0 to 255; not-a-number is black."""
    x = (pixels - np.float32(levels.black)) / np.float32(levels.white - levels.black)
    np.nan_to_num(x, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(x, 0.0, 1.0, out=x)
    t = np.float32(levels.midtone)
    below = x * (2.0 * t - 1.0) - t
    x *= 255.0 * (t - 1.0)
    x /= below
    x += 0.5
    return x.astype("u1")


def encode(pixels: NDArray[np.uint8], kind: Literal["png", "jpeg"] = "png") -> bytes:
    """The picture as a PNG (exact) or a JPEG (several times smaller and quicker: for the page)."""
    from PIL import Image

    packed = io.BytesIO()
    if kind == "png":
        Image.fromarray(pixels).save(packed, "PNG", compress_level=3)
    else:
        Image.fromarray(pixels).save(packed, "JPEG", quality=88)
    return packed.getvalue()
