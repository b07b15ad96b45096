"""The figure of the focus curves as a PNG, drawn with Pillow from the same dict that Plotly draws: no browser needed.

It knows what `figures` makes and no more of Plotly: scatter traces, shapes over the whole height, one line of text.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autofocus.views.figures import Figure
from autofocus.views.framepicture import text_font

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SIZE = (1200, 900)
FINER = 2  # drawn this many times larger and reduced: smooth lines
LEFT, RIGHT, TOP, BOTTOM = 92, 24, 46, 66
FONT_PX = 17
TITLE_PX = 120  # what a panel's name takes
PAPER = (255, 255, 255, 255)
TICKS = 6
MARGIN = 0.06  # of the range, on every side

Colour = tuple[int, int, int, int]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Plane:
    """A panel: where it lies on the picture (left, top, right, bottom) and the range of x and y that it shows."""

    box: Box
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point of the plane on the picture."""
        left, top, right, bottom = self.box
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return left + across * (right - left), bottom - up * (bottom - top)


def figure_png(figure: Figure, size: tuple[int, int] = SIZE) -> bytes:
    """The figure as a PNG of this size."""
    from PIL import Image, ImageDraw

    whole = Image.new("RGBA", (size[0] * FINER, size[1] * FINER), PAPER)
    planes = _planes(figure, size)
    for plane in planes.values():
        _draw_shapes(whole, figure["layout"]["shapes"], plane)
    pen = ImageDraw.Draw(whole)
    for number, (axis, plane) in enumerate(planes.items()):
        _draw_frame(pen, plane, figure, axis, lowest=number == len(planes) - 1)
    for trace in figure["data"]:
        whole = _draw_trace(whole, trace, planes[trace["yaxis"]])
    _draw_words(whole, figure, next(iter(planes.values())), size)
    small = whole.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    small.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def colour_of(text: str) -> Colour:
    """A colour as the figure writes them: ``#rrggbb`` or ``rgba(r,g,b,a)``."""
    if text.startswith("#"):
        red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
        return red, green, blue, 255
    parts = [float(part) for part in re.findall(r"[\d.]+", text)]
    return int(parts[0]), int(parts[1]), int(parts[2]), round(255 * parts[3])


def ticks(low: float, high: float, wanted: int = TICKS) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) between low and high."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1.0, 2.0, 5.0, 10.0) if one * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _planes(figure: Figure, size: tuple[int, int]) -> dict[str, Plane]:
    """The panels by the name of their axis, from the top."""
    layout, data = figure["layout"], figure["data"]
    shapes = [shape[end] for shape in layout["shapes"] if shape["type"] == "line" for end in ("x0", "x1")]
    across = _range([x for trace in data for x in trace["x"]] + shapes)
    left, right = LEFT * FINER, (size[0] - RIGHT) * FINER
    height = (size[1] - TOP - BOTTOM) * FINER
    planes = {}
    for key in sorted(name for name in layout if name.startswith("yaxis")):
        axis = key.replace("axis", "")
        low, high = layout[key]["domain"]
        box = (left, TOP * FINER + (1 - high) * height, right, TOP * FINER + (1 - low) * height)
        planes[axis] = Plane(box, across, _range(_heights(data, axis)))
    return planes


def _heights(data: Sequence[Figure], axis: str) -> list[float | None]:
    """All values on an axis, with the ends of their error bars."""
    heights: list[float | None] = []
    for trace in data:
        if trace["yaxis"] == axis:
            heights += trace["y"]
            errors = trace.get("error_y", {}).get("array", ())
            pairs = [(y, e) for y, e in zip(trace["y"], errors, strict=False) if y is not None and e is not None]
            heights += [y + sign * e for y, e in pairs for sign in (-1, 1)]
    return heights


def _range(values: Sequence[float | None]) -> tuple[float, float]:
    seen = [value for value in values if value is not None]
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    room = (high - low) * MARGIN or max(abs(high), 1.0) * MARGIN
    return low - room, high + room


def _draw_shapes(whole: Image, shapes: Sequence[Figure], plane: Plane) -> None:
    from PIL import Image, ImageDraw

    for shape in shapes:
        (x0, _), (x1, _) = plane.place(shape["x0"], 0.0), plane.place(shape["x1"], 0.0)
        x0, x1 = (min(max(x, plane.box[0]), plane.box[2]) for x in (x0, x1))
        if shape["type"] == "rect":
            over = Image.new("RGBA", whole.size, (0, 0, 0, 0))
            ImageDraw.Draw(over).rectangle((x0, plane.box[1], x1, plane.box[3]), fill=colour_of(shape["fillcolor"]))
            whole.alpha_composite(over)
        else:
            pen, y, dash = ImageDraw.Draw(whole), plane.box[1], 8 * FINER
            while y < plane.box[3]:
                ends = (x0, y, x0, min(y + dash, plane.box[3]))
                pen.line(ends, fill=colour_of(shape["line"]["color"]), width=2 * FINER)
                y += 2 * dash


def _draw_frame(pen: ImageDraw, plane: Plane, figure: Figure, axis: str, *, lowest: bool) -> None:
    """Grid, ticks and their numbers, and the panel's name."""
    layout = figure["layout"]
    text, grid = colour_of(layout["font"]["color"]), (215, 215, 215, 255)
    font = text_font(FONT_PX * FINER)
    left, top, right, bottom = plane.box
    for tick in ticks(*plane.x, 8):
        x, _ = plane.place(tick, 0.0)
        pen.line((x, top, x, bottom), fill=grid, width=FINER)
        if lowest:
            pen.text((x, bottom + 8 * FINER), f"{tick:.0f}", font=font, fill=text, anchor="ma")
    for tick in ticks(*plane.y):
        _, y = plane.place(0.0, tick)
        pen.line((left, y, right, y), fill=grid, width=FINER)
        pen.text((left - 8 * FINER, y), f"{tick:.6g}", font=font, fill=text, anchor="rm")
    pen.rectangle(plane.box, outline=(150, 150, 150, 255), width=FINER)
    title = layout[axis.replace("y", "yaxis")]["title"]
    place = (left, top - 9 * FINER)
    pen.text(place, title["text"], font=font, fill=colour_of(title["font"]["color"]), anchor="ls")


def _draw_trace(whole: Image, trace: Figure, plane: Plane) -> Image:
    from PIL import Image, ImageDraw

    pairs = zip(trace["x"], trace["y"], strict=True)
    places = [None if x is None or y is None else plane.place(x, y) for x, y in pairs]
    if trace.get("fill") == "toself":
        over = Image.new("RGBA", whole.size, (0, 0, 0, 0))
        corners = [place for place in places if place is not None]
        if len(corners) > 2:
            ImageDraw.Draw(over).polygon(corners, fill=colour_of(trace["fillcolor"]))
        whole.alpha_composite(over)
        return whole
    pen = ImageDraw.Draw(whole)
    if trace["mode"] == "lines":
        line = [place for place in places if place is not None]
        pen.line(line, fill=colour_of(trace["line"]["color"]), width=2 * FINER, joint="curve")
        return whole
    _draw_errors(pen, trace, plane)
    for place in places:
        if place is not None:
            _draw_marker(pen, place, trace["marker"])
    return whole


def _draw_errors(pen: ImageDraw, trace: Figure, plane: Plane) -> None:
    for axis in ("x", "y"):
        bars = trace.get(f"error_{axis}")
        if bars is None:
            continue
        for x, y, error in zip(trace["x"], trace["y"], bars["array"], strict=True):
            if x is None or y is None or error is None:
                continue
            along = (error, 0.0) if axis == "x" else (0.0, error)
            ends = plane.place(x - along[0], y - along[1]), plane.place(x + along[0], y + along[1])
            pen.line(ends, fill=colour_of(bars["color"]), width=2 * FINER)


def _draw_marker(pen: ImageDraw, place: tuple[float, float], marker: Mapping[str, Any]) -> None:
    (x, y), r = place, marker["size"] * FINER * 0.62
    colour, symbol = colour_of(marker["color"]), marker.get("symbol", "circle")
    if symbol == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif symbol == "diamond-open":
        corners = [(x, y - r), (x + r, y), (x, y + r), (x - r, y), (x, y - r)]
        pen.line(corners, fill=colour, width=2 * FINER, joint="curve")
    elif symbol == "star":
        turns = [(math.pi * (n / 5.0 - 0.5), r * 1.3 * (1.0 if n % 2 == 0 else 0.45)) for n in range(10)]
        pen.polygon([(x + size * math.cos(turn), y + size * math.sin(turn)) for turn, size in turns], fill=colour)
    else:
        pen.line((x - r, y - r, x + r, y + r), fill=colour, width=2 * FINER)
        pen.line((x - r, y + r, x + r, y - r), fill=colour, width=2 * FINER)


def _draw_words(whole: Image, figure: Figure, top: Plane, size: tuple[int, int]) -> None:
    from PIL import ImageDraw

    pen, layout = ImageDraw.Draw(whole), figure["layout"]
    text, font = colour_of(layout["font"]["color"]), text_font(FONT_PX * FINER)
    middle = (LEFT + size[0] - RIGHT) / 2 * FINER
    pen.text((middle, (size[1] - 12) * FINER), layout["xaxis"]["title"]["text"], font=font, fill=text, anchor="ms")
    for told in layout["annotations"]:
        half = font.getlength(told["text"]) / 2
        leftmost = top.box[0] + TITLE_PX * FINER + half
        x = min(max(top.place(told["x"], 0.0)[0], leftmost), top.box[2] - half)
        pen.text((x, top.box[1] - 10 * FINER), told["text"], font=font, fill=text, anchor="ms")
