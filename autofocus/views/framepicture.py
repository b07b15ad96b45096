"""A stretched frame with what was found drawn on it: the trace, the extraction window, the numbers below."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from autofocus.model import Measurement, Mode
from autofocus.ports import FramePicture
from autofocus.views.lines import frame_line
from autofocus.views.stretch import LONGEST_PX, Stretched, stretch

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

TRACE_COLOUR = (255, 176, 0)
WINDOW_COLOUR = (64, 196, 255)
CAPTION_COLOUR = (230, 230, 230)
DASH_PX, SPACE_PX = 5, 9  # the trace shows between the dashes that mark it
TEXT_PX = 15
RINGED: Mapping[Mode, str] = {
    "stars": "the stars that counted",
    "lines": "the places of the map, each amid the lines measured there",
}
RING, LEAST_RING_PX, RING_CORNERS = 2.5, 6.0, 24  # about a star: half-flux radii, at least, and of how many lines
SMALLEST_PX = 640  # the picture of a small frame is enlarged to about this

Line = Sequence[tuple[float, float]]


def framepicture_png(picture: FramePicture, measurement: Measurement, *, longest_px: int = LONGEST_PX) -> bytes | None:
    """The frame as a PNG with trace, window and numbers; None for a picture without its frame."""
    if picture.frame is None:
        return None
    shown = draw(stretch(picture.frame, picture.trace_px, longest_px=longest_px), picture, measurement)
    packed = io.BytesIO()
    _captioned(shown, frame_line(measurement)).save(packed, "PNG", compress_level=3)
    return packed.getvalue()


def draw(stretched: Stretched, picture: FramePicture, measurement: Measurement) -> Image:
    """Lay the trace (dashed) and the edges of the window (whole lines) over the stretched frame."""
    from PIL import Image, ImageDraw

    grey = Image.fromarray(stretched.pixels)
    times = max(1, SMALLEST_PX // max(grey.size))
    if times > 1:
        grey = grey.resize((grey.width * times, grey.height * times), Image.Resampling.NEAREST)
    shown = grey.convert("RGB")
    pen = ImageDraw.Draw(shown)
    scale = times / stretched.side
    for edge in window_edges(picture, measurement):
        pen.line([_on_picture(point, scale) for point in edge], fill=WINDOW_COLOUR)
    for start, end in dashes([_on_picture(point, scale) for point in picture.trace_px]):
        pen.line([start, end], fill=TRACE_COLOUR)
    return shown


def window_edges(picture: FramePicture, measurement: Measurement) -> tuple[Line, ...]:
    """Both edges of the extraction window, points (x, y) in frame pixels, parallel to the trace.

    Of stars, and of the places where an arc's lines were measured, rings about them.
    """
    if measurement.stars:
        return tuple(_ring(star.x, star.y, max(RING * star.hfr_px, LEAST_RING_PX)) for star in measurement.stars)
    axis = measurement.dispersion_axis
    if measurement.field:
        places = [((cell.along_px, cell.across_px), cell.fwhm_px / 2.0) for cell in measurement.field]
        return tuple(
            _ring(*(place if axis == "x" else place[::-1]), max(RING * half, LEAST_RING_PX)) for place, half in places
        )
    if picture.window_px is None or not picture.trace_px:
        return ()
    half = (picture.window_px[1] - picture.window_px[0]) / 2.0
    if axis == "x":
        return tuple([(x, y + off) for x, y in picture.trace_px] for off in (-half, half))
    return tuple([(x + off, y) for x, y in picture.trace_px] for off in (-half, half))


def ringed(mode: Mode) -> str:
    """What the rings on a frame of this mode are drawn about; "" for a spectrum, which has a trace and a window."""
    return RINGED.get(mode, "")


def _ring(x: float, y: float, radius: float) -> Line:
    turns = [2.0 * math.pi * part / RING_CORNERS for part in range(RING_CORNERS + 1)]
    return [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns]


def dashes(line: Line) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """Cut a line of points (x, y) into dashes, from its beginning."""
    walked, period = 0.0, DASH_PX + SPACE_PX
    for (x0, y0), (x1, y1) in pairwise(line):
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        at = 0.0
        while at < length:
            phase = walked % period
            step = min(length - at, (DASH_PX if phase < DASH_PX else period) - phase) or length - at
            if phase < DASH_PX:
                ends = (at / length, (at + step) / length)
                yield _between((x0, y0), (x1, y1), ends[0]), _between((x0, y0), (x1, y1), ends[1])
            at += step
            walked += step


def _between(a: tuple[float, float], b: tuple[float, float], part: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part


def _on_picture(point: tuple[float, float], scale: float) -> tuple[float, float]:
    """Frame pixels count from the centre of the first one, a picture's coordinates from its corner."""
    return (point[0] + 0.5) * scale, (point[1] + 0.5) * scale


def _captioned(shown: Image, text: str) -> Image:
    """The picture over a black strip with the text, broken where it is too long."""
    from PIL import Image, ImageDraw

    font = text_font(TEXT_PX)
    lines = broken(text, shown.width - 12, font.getlength)
    whole = Image.new("RGB", (shown.width, shown.height + (TEXT_PX + 5) * len(lines) + 6))
    whole.paste(shown)
    ImageDraw.Draw(whole).multiline_text(
        (6, shown.height + 3), "\n".join(lines), font=font, fill=CAPTION_COLOUR, spacing=5
    )
    return whole


def broken(text: str, room: float, length: Callable[[str], float]) -> list[str]:
    """The text in lines no longer than ``room``: whole parts of it, a part that is longer itself between its words."""
    lines = [""]
    for part in text.split(" | "):
        for number, piece in enumerate([part] if length(part) <= room else part.split(" ")):
            longer = f"{lines[-1]}{' ' if number else ' | '}{piece}" if lines[-1] else piece
            if lines[-1] and length(longer) > room:
                lines.append(piece)
            else:
                lines[-1] = longer
    return lines


def text_font(size: int) -> FreeTypeFont | ImageFont:
    """The font that comes with Pillow, the same on every system."""
    from PIL import ImageFont

    return ImageFont.load_default(size)
