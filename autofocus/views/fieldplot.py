"""Best focus over the field of the spectrograph's camera, drawn: a map of the frame, and a cut along the dispersion."""

from __future__ import annotations

import math

from autofocus.arcfield import CellFocus, FieldFocus
from autofocus.digits import shown_error
from autofocus.session.fieldtext import field_sentences
from autofocus.views.reporttables import escaped

WIDTH, LEFT, RIGHT, TOP = 720.0, 70.0, 20.0, 26.0
LEAST_MAP, MOST_MAP = 150.0, 320.0
CUT_TOP, CUT_HEIGHT = 8.0, 190.0
INK, DIM = "#1f2328", "#57606a"
INWARD, OUTWARD = (15, 111, 181), (194, 90, 0)
ROWS = ("#0f6fb5", "#1b8a5a", "#c25a00", "#8250df", "#57606a")
MOST_TICKS = 6
TICK_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def field_html(field: FieldFocus) -> str:
    """The map, the cut, and what they say."""
    said = "".join(f"<li>{escaped(sentence)}</li>" for sentence in field_sentences(field))
    told = (
        "Above: best focus of each place of the frame against that of its middle, in steps (orange: further out, blue: "
        "further in; faint: not bracketed). Below: the same along the dispersion, by place along the slit; lines: tilt "
        "and curvature as fitted."
    )
    return f'<ul>{said}</ul>{_map(field)}{_Cut(field).drawn()}<p class="dim">{told}</p>'


def surface(field: FieldFocus, along_px: float, across_px: float) -> float:
    """Best focus as fitted at a point of the frame, steps."""
    half_along, half_across = (0.5 * (side - 1.0) for side in field.size_px)
    x, y = along_px - half_along, across_px - half_across
    square = (x * x + y * y) / (half_along**2 + half_across**2)
    parts = (
        0.5 * field.tilt_along_steps * x / half_along,
        0.5 * field.tilt_across_steps * y / half_across,
        field.curvature_steps * square,
    )
    return field.position + sum(part for part in parts if math.isfinite(part))


def _map(field: FieldFocus) -> str:
    """The frame, the dispersion from left to right, a tile for each place."""
    length, across = field.size_px
    inner = WIDTH - LEFT - RIGHT
    height = min(max(inner * across / length, LEAST_MAP), MOST_MAP)
    columns, rows = (1 + max(getattr(cell, name) for cell in field.cells) for name in ("column", "row"))
    wide, high = inner / columns, height / rows
    most = max(*(abs(cell.position - field.position) for cell in field.cells), 1.0)
    made = [f'<rect x="{LEFT:g}" y="{TOP:g}" width="{inner:g}" height="{height:.1f}" fill="#f6f8fa" stroke="#8c959f"/>']
    for cell in field.cells:
        # The first row of the frame is at the bottom, as FITS viewers have it.
        x, y = LEFT + wide * (cell.column + 0.5), TOP + height - high * (cell.row + 0.5)
        made.append(_tile(cell, field.position, most, (x, y, wide - 6.0, high - 6.0)))
    return _svg("".join(made), height + TOP + 6.0)


def _tile(cell: CellFocus, middle: float, most: float, box: tuple[float, float, float, float]) -> str:
    x, y, wide, high = box
    steps = cell.position - middle
    red, green, blue = OUTWARD if steps > 0 else INWARD
    strength = 0.12 + 0.6 * min(abs(steps) / most, 1.0)
    faint = "" if cell.bracketed else ' opacity="0.45"'
    return (
        f'<g{faint}><rect x="{x - 0.5 * wide:.1f}" y="{y - 0.5 * high:.1f}" width="{wide:.1f}" height="{high:.1f}" '
        f'rx="4" fill="rgba({red},{green},{blue},{strength:.2f})"/>'
        + _text(x, y + 1.0, _signed(steps), INK, size=15)
        + _text(x, y + 15.0, f"± {shown_error(cell.uncertainty)}", DIM)
        + "</g>"
    )


class _Cut:
    """Best focus along the dispersion, a colour for each part of the slit, on one pair of axes."""

    def __init__(self, field: FieldFocus) -> None:
        self.field = field
        ends = [cell.position + sign * cell.uncertainty for cell in field.cells for sign in (-1, 1)]
        ends += [
            surface(field, along, cell.across_px) for cell in field.cells for along in (0.0, float(field.size_px[0]))
        ]
        room = 0.08 * (max(ends) - min(ends)) + 0.5
        self.low, self.high = min(ends) - room, max(ends) + room
        self.inner = WIDTH - LEFT - RIGHT

    def drawn(self) -> str:
        """The whole of it."""
        rows = sorted({cell.row for cell in self.field.cells})
        return _svg(self._frame() + "".join(self._row(row) for row in rows), CUT_TOP + CUT_HEIGHT + 42.0)

    def _at(self, along_px: float, steps: float) -> tuple[float, float]:
        y = CUT_TOP + CUT_HEIGHT * (self.high - steps) / (self.high - self.low)
        return LEFT + self.inner * along_px / self.field.size_px[0], min(max(y, CUT_TOP), CUT_TOP + CUT_HEIGHT)

    def _frame(self) -> str:
        right, below = LEFT + self.inner, CUT_TOP + CUT_HEIGHT + 17.0
        made = f'<rect x="{LEFT:g}" y="{CUT_TOP:g}" width="{self.inner:g}" height="{CUT_HEIGHT:g}" fill="none" '
        made += 'stroke="#d0d7de"/>'
        tick = next((step for step in TICK_STEPS if (self.high - self.low) / step <= MOST_TICKS), TICK_STEPS[-1])
        for steps in range(math.ceil(self.low / tick) * tick, math.floor(self.high) + 1, tick):
            _, y = self._at(0.0, steps)
            made += f'<line x1="{LEFT:g}" x2="{right:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eaeef2"/>'
            made += _text(LEFT - 8.0, y + 4.0, str(steps), DIM, anchor="end")
        made += _text(LEFT, below, "0", DIM) + _text(right, below, f"{self.field.size_px[0]} px", DIM, anchor="end")
        return made + _text(LEFT + 0.5 * self.inner, below, "along the dispersion", DIM)

    def _row(self, row: int) -> str:
        cells = [cell for cell in self.field.cells if cell.row == row]
        colour = ROWS[row % len(ROWS)]
        across = sum(cell.across_px for cell in cells) / len(cells)
        length = self.field.size_px[0]
        curve = [self._at(length * k / 40.0, surface(self.field, length * k / 40.0, across)) for k in range(41)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in curve)
        made = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
        for cell in cells:
            x, y = self._at(cell.along_px, cell.position)
            _, top = self._at(cell.along_px, cell.position + cell.uncertainty)
            made += f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{2 * y - top:.1f}" stroke="{colour}"/>'
            fill = colour if cell.bracketed else "#ffffff"
            made += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{colour}"/>'
        x = LEFT + self.inner * (row + 0.5) / (1 + max(cell.row for cell in self.field.cells))
        return made + _text(x, CUT_TOP + CUT_HEIGHT + 36.0, f"at pixel {across:.0f} along the slit", colour)


def _signed(steps: float) -> str:
    """A whole number of steps with its sign, 0 without one."""
    return f"{round(steps):+d}" if round(steps) else "0"


def _text(x: float, y: float, said: str, colour: str, *, size: int = 12, anchor: str = "middle") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f"<text {place}>{escaped(said)}</text>"


def _svg(content: str, height: float) -> str:
    return f'<svg class="field" viewBox="0 0 {WIDTH:g} {height:.0f}" role="img">{content}</svg>'
