"""The focus curves as one Plotly figure: page, report and ``analyze --report`` all draw what is made here.

The figure is a plain dict in Plotly's own JSON form. Building it needs no plotly at run time: its Python package
costs more to import than all the rest of a view, and adds nothing to a dozen lines and markers.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autofocus.digits import with_error
from autofocus.model import BestFocus, CurveFit, FocusCurves, Measurement, Metric
from autofocus.session.advice import OPTIMUM
from autofocus.session.state import SessionState
from autofocus.views.lines import light_name, measured, printable

Figure = dict[str, Any]
Theme = Literal["light", "dark"]

GAP = 0.07  # between the panels, of the height
CONFIG: Mapping[str, Any] = {
    "displaylogo": False,
    "responsive": True,
    "showSendToCloud": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}


@dataclass(frozen=True, slots=True)
class Colours:
    """Told apart by the colour-blind, and by symbol and dash as well."""

    text: str
    grid: str
    fwhm: str
    nsig: str
    third: str
    best: str
    left_out: str


COLOURS: Mapping[Theme, Colours] = {
    "light": Colours("#1f2328", "rgba(128,128,128,0.25)", "#0f6fb5", "#c25a00", "#1b8a5a", "#111111", "#777777"),
    "dark": Colours("#e6e6e6", "rgba(160,160,160,0.25)", "#62b5f0", "#ffa347", "#5fd3a2", "#ffffff", "#9a9a9a"),
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One row of the figure: what its points are, and the axis it is drawn on."""

    title: str
    points: Sequence[tuple[float, float, float]]
    colour: str
    axis: str
    curve: CurveFit | None = None
    metric: Metric | None = None


def session_figure(state: SessionState, theme: Theme = "light") -> Figure:
    """The figure of a session, running or ended."""
    return focus_figure(state.measurements, state.curves, theme=theme)


def focus_figure(measurements: Sequence[Measurement], curves: FocusCurves | None, *, theme: Theme = "light") -> Figure:
    """Both focus curves over one axis of positions: points with errors, fits, optima, the band, the chosen point.

    Where the guide camera saw its star, the star's HFD gets a third panel.
    """
    known = curves or FocusCurves()
    colours = COLOURS[theme]
    light = f"{light_name(measurements)}, ADU/s"
    panels = [
        Panel("FWHM, px", values(measurements, "fwhm"), colours.fwhm, "y", known.fwhm, "fwhm"),
        Panel(light, values(measurements, "nsig"), colours.nsig, "y2", known.nsig, "nsig"),
    ]
    if known.nsig is None and measurements and all(one.mode == "lines" for one in measurements):
        panels.pop()  # a lamp's light is not measured
    guide = [(one.position, one.guide_hfd_px, math.nan) for one in measurements if one.position is not None]
    if any(hfd > 0 for _, hfd, _ in guide):
        panels.append(Panel("guide star HFD, px", guide, colours.third, "y3"))
    traces: list[Figure] = []
    for panel in panels:
        traces += _curve_traces(panel)
        traces += _point_traces(panel, measurements, known, colours)
        traces += _optimum_trace(panel)
    return {"data": traces, "layout": _layout(panels, known.best, colours), "config": dict(CONFIG)}


def values(measurements: Sequence[Measurement], metric: Metric) -> list[tuple[float, float, float]]:
    """(position, value, error) of every measurement; NSIG is corrected for the light beside the window, as in the fit.

    NaN where something was not measured.
    """
    points = []
    for one in measurements:
        position = math.nan if one.position is None else one.position
        if metric == "fwhm":
            points.append((position, one.fwhm_px, one.fwhm_err_px))
        else:
            held = one.window_fraction if 0.0 < one.window_fraction <= 1.0 else 1.0
            points.append((position, one.nsig / held, one.nsig_err / held))
    return points


def _curve_traces(panel: Panel) -> list[Figure]:
    """The fitted line over the stretch of its own 1 σ."""
    curve = panel.curve
    if curve is None or not curve.line:
        return []
    x = [_shown(position) for position, _ in curve.line]
    line = _trace(panel, x, [_shown(value) for _, value in curve.line], name=f"{panel.title.partition(',')[0]} fit")
    line |= {"mode": "lines", "line": {"color": panel.colour, "width": 2}, "hoverinfo": "skip"}
    if len(curve.band) != len(curve.line):
        return [line]
    upper = [_shown(value + band[1]) for (_, value), band in zip(curve.line, curve.band, strict=True)]
    lower = [_shown(value - band[1]) for (_, value), band in zip(curve.line, curve.band, strict=True)]
    stretch = _trace(panel, x + x[::-1], upper + lower[::-1], name="1 σ of the curve")
    stretch |= {"mode": "lines", "fill": "toself", "fillcolor": _faint(panel.colour), "hoverinfo": "skip"}
    stretch["line"] = {"width": 0, "color": _faint(panel.colour)}
    return [stretch, line]


def _point_traces(
    panel: Panel, measurements: Sequence[Measurement], curves: FocusCurves, colours: Colours
) -> list[Figure]:
    """The frames that the fit used, those it left out, and the confirming one, each with its own symbol."""
    if panel.metric is None:
        made = _trace(panel, [_shown(x) for x, _, _ in panel.points], [_shown(y) for _, y, _ in panel.points])
        return [made | {"name": panel.title, "mode": "markers", "marker": {"color": panel.colour, "size": 7}}]
    groups: dict[str, list[int]] = {"used": [], "left out": [], "confirming": []}
    for index, one in enumerate(measurements):
        if math.isfinite(panel.points[index][0]) and math.isfinite(panel.points[index][1]):
            out = index in curves.left_out or not one.used
            groups["confirming" if one.phase == "confirm" else "left out" if out else "used"].append(index)
    markers: dict[str, Figure] = {
        "used": {"color": panel.colour, "size": 8},
        "left out": {"color": colours.left_out, "size": 9, "symbol": "x-thin-open", "line": {"width": 2}},
        "confirming": {"color": panel.colour, "size": 12, "symbol": "diamond-open", "line": {"width": 2}},
    }
    return [
        _points(panel, measurements, curves, group, chosen) | {"marker": markers[group]}
        for group, chosen in groups.items()
        if chosen
    ]


def _points(
    panel: Panel, measurements: Sequence[Measurement], curves: FocusCurves, group: str, chosen: Sequence[int]
) -> Figure:
    made = _trace(
        panel,
        [_shown(panel.points[index][0]) for index in chosen],
        [_shown(panel.points[index][1]) for index in chosen],
        name=f"{panel.title.partition(',')[0]} {group}",
    )
    errors = [_shown(panel.points[index][2]) for index in chosen]
    made["mode"] = "markers"
    made["error_y"] = {"type": "data", "array": errors, "thickness": 1.2, "width": 3, "color": panel.colour}
    made["text"] = [said_of(index, measurements[index], curves) for index in chosen]
    made["customdata"] = [index + 1 for index in chosen]  # tells the page which frame was clicked
    made["hovertemplate"] = "%{text}<extra></extra>"
    return made


def said_of(index: int, one: Measurement, curves: FocusCurves) -> str:
    """What hovering over a frame says, in Plotly's HTML: whatever comes from outside is escaped."""
    said = [f"<b>{index + 1}</b> at {one.position:g}" if one.position is not None else f"<b>{index + 1}</b>"]
    said += measured(one)
    remarks = [one.phase, *(str(flag) for flag in one.flags)]
    said.append(", ".join(remark for remark in remarks if remark != "recorded"))
    why = curves.left_out.get(index, one.why)
    if why:
        said.append(f"left out: {why}")
    said.append(one.file)
    shown = [said[0], *(html.escape(printable(text)) for text in said[1:] if text)]
    return "<br>".join(shown)


def _optimum_trace(panel: Panel) -> list[Figure]:
    """Where this curve alone is best, with the error of the place."""
    curve = panel.curve
    if curve is None or not math.isfinite(curve.position) or not math.isfinite(curve.value):
        return []
    made = _trace(panel, [curve.position], [curve.value], name=f"{OPTIMUM[curve.metric]}")
    made |= {"mode": "markers", "marker": {"symbol": "star", "size": 13, "color": panel.colour}}
    made["error_x"] = {"type": "data", "array": [_shown(curve.uncertainty)], "thickness": 2, "color": panel.colour}
    unit = panel.title.partition(", ")[2]
    text = f"{OPTIMUM[curve.metric]} at {with_error(curve.position, curve.uncertainty)}: {curve.value:.4g} {unit}"
    made["text"] = [html.escape(text)]
    made["hovertemplate"] = "%{text}<extra></extra>"
    return [made]


def _trace(panel: Panel, x: Sequence[float | None], y: Sequence[float | None], name: str = "") -> Figure:
    return {
        "type": "scatter", "x": list(x), "y": list(y), "xaxis": "x", "yaxis": panel.axis, "name": name,
        "showlegend": False,
    }  # fmt: skip


def _layout(panels: Sequence[Panel], best: BestFocus | None, colours: Colours) -> Figure:
    axis: Figure = {
        "gridcolor": colours.grid, "zeroline": False, "linecolor": colours.grid, "showline": True, "mirror": True,
        "ticks": "outside", "tickcolor": colours.grid,
    }  # fmt: skip
    layout: Figure = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": colours.text, "size": 13},
        "margin": {"l": 64, "r": 16, "t": 58, "b": 48},
        "hovermode": "closest",
        "dragmode": "zoom",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#888888", "activecolor": colours.text},
        "uirevision": "focus",  # what a person zoomed into stays, while points arrive
        # a focuser's position is a count of steps: never 9.36k
        "xaxis": axis | {"title": {"text": "focuser position, steps"}, "anchor": panels[-1].axis, "tickformat": "d"},
        "shapes": [],
        "annotations": [],
    }
    height = (1.0 - GAP * (len(panels) - 1)) / len(panels)
    for number, panel in enumerate(panels):
        top = 1.0 - number * (height + GAP)
        named = panel.axis.replace("y", "yaxis")
        domain = [max(0.0, round(top - height, 4)), round(top, 4)]
        layout[named] = axis | {"title": {"text": panel.title, "font": {"color": panel.colour}}, "domain": domain}
    if best is not None and math.isfinite(best.position):
        layout["shapes"], layout["annotations"] = _decision(best, colours)
    return layout


def _decision(best: BestFocus, colours: Colours) -> tuple[list[Figure], list[Figure]]:
    """The band in which the objective stays within 2 % of its best, and the chosen point."""
    over_all: Figure = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    low, high = (end if math.isfinite(end) else best.position for end in (best.low, best.high))
    band = over_all | {"type": "rect", "x0": low, "x1": high, "fillcolor": "rgba(128,128,128,0.16)"}
    band |= {"line": {"width": 0}, "name": "within 2 %"}
    chosen = over_all | {"type": "line", "x0": best.position, "x1": best.position, "name": "best focus"}
    chosen |= {"line": {"color": colours.best, "width": 1.5, "dash": "dash"}}
    told = {
        "xref": "x", "yref": "paper", "x": best.position, "y": 1.0, "yanchor": "bottom", "showarrow": False,
        "text": f"best {with_error(best.position, best.uncertainty)} ({best.objective})",
        "font": {"color": colours.best, "size": 14},
    }  # fmt: skip
    return [band, chosen], [told]


def _faint(colour: str) -> str:
    """A colour like ``#0f6fb5``, nearly transparent."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _shown(value: float) -> float | None:
    """A number as JSON can hold it: what is not finite is nothing."""
    return float(value) if math.isfinite(value) else None
