"""A focus curve in characters: the fitted line in braille dots, the samples and best focus over it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # rows of a cell, left and right
MARGIN = 0.08  # of the range, above and below

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters a terminal can show."""

    point: str = "●"
    best: str = "│"
    braille: bool = True


UNICODE = Signs()
ASCII = Signs(point="o", best="|", braille=False)


@dataclass(frozen=True, slots=True)
class Area:
    """The part of the plane that is drawn: left to right, bottom to top."""

    left: float
    right: float
    bottom: float
    top: float


def area_of(points: Sequence[Point]) -> Area | None:
    """The area that shows all points with a margin; None without a finite one."""
    seen = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if not seen:
        return None
    xs, ys = [x for x, _ in seen], [y for _, y in seen]
    return Area(*_widened(min(xs), max(xs)), *_widened(min(ys), max(ys)))


def _widened(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * MARGIN or max(abs(high), 1.0) * MARGIN
    return low - room, high + room


def draw(
    points: Sequence[Point],
    line: Sequence[Point],
    best: float | None,
    *,
    width: int,
    height: int,
    signs: Signs = UNICODE,
) -> list[str]:
    """Rows of characters, the top first; blank where there is nothing to draw yet."""
    area = area_of(points)
    if area is None:
        return [" " * width] * height
    cells = [[" "] * width for _ in range(height)]
    if best is not None and area.left <= best <= area.right:
        column = _step(best, area.left, area.right, width)
        for cells_of_row in cells:
            cells_of_row[column] = signs.best
    _draw_line(cells, line, area, signs)
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            row = height - 1 - _step(y, area.bottom, area.top, height)
            cells[row][_step(x, area.left, area.right, width)] = signs.point
    return ["".join(row) for row in cells]


def _draw_line(cells: list[list[str]], line: Sequence[Point], area: Area, signs: Signs) -> None:
    """Lay the line over the cells, finely enough that it has no gaps along x."""
    height, width = len(cells), len(cells[0])
    dots_down, dots_across = (4, 2) if signs.braille else (1, 1)
    lit: dict[tuple[int, int], int] = {}
    for dot in range(width * dots_across):
        x = area.left + (dot + 0.5) / (width * dots_across) * (area.right - area.left)
        y = _value_at(line, x)
        if y is None or not area.bottom <= y <= area.top:
            continue
        down = height * dots_down - 1 - _step(y, area.bottom, area.top, height * dots_down)
        cell = (down // dots_down, dot // dots_across)
        lit[cell] = lit.get(cell, 0) | (DOTS[down % 4][dot % 2] if signs.braille else 1)
    for (row, column), bits in lit.items():
        cells[row][column] = chr(BRAILLE + bits) if signs.braille else "."


def _value_at(line: Sequence[Point], x: float) -> float | None:
    """The line's value by linear interpolation; None outside it."""
    for (x0, y0), (x1, y1) in pairwise(line):
        if x0 <= x <= x1 and x1 > x0:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return None


def _step(value: float, low: float, high: float, steps: int) -> int:
    return min(max(int((value - low) / (high - low) * steps), 0), steps - 1)
