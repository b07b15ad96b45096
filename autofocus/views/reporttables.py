"""The tables and bars of the report, as HTML; whatever is shown passes through `escaped`."""

from __future__ import annotations

import html
import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from autofocus import __version__
from autofocus.digits import DASH, number, with_error
from autofocus.model import Measurement
from autofocus.session.advice import OPTIMUM
from autofocus.views.account import Account
from autofocus.views.decision import Choice, choices, plate_scale
from autofocus.views.lines import light_name, printable
from autofocus.views.strips import PROFILE_HEIGHT, PROFILE_WIDTH, Strip, profile_points

LIBRARIES = ("numpy", "scipy", "astropy")
# in the order in which a frame is taken; fetching and measuring run beside the next move
TIMES = (
    ("exposing_s", "exposing", "#0f6fb5"),
    ("moving_s", "moving", "#c25a00"),
    ("settling_s", "settling", "#e0a458"),
    ("guiding_s", "guiding", "#1b8a5a"),
)
BESIDE_TIMES = (("fetching_s", "fetching"), ("measuring_s", "measuring"))


def escaped(text: object) -> str:
    """Text from anywhere as HTML: markup and control characters lose their power."""
    return html.escape(printable(str(text)))


def table(heads: Sequence[str], rows: Sequence[str]) -> str:
    """A table that scrolls sideways on a phone; heads that begin with ``<`` stand on the left."""
    made = "".join(
        f'<th class="left">{escaped(head[1:])}</th>' if head.startswith("<") else f"<th>{escaped(head)}</th>"
        for head in heads
    )
    return f'<div class="scroll"><table><thead><tr>{made}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def row(cells: Sequence[str], kind: str = "") -> str:
    """A row of plain texts."""
    return f'<tr class="{kind}">' + "".join(f"<td>{escaped(cell)}</td>" for cell in cells) + "</tr>"


def subtitle(account: Account) -> str:
    """Session, devices and counts in one line."""
    result, started = account.result, account.started
    parts = [account.title]
    if started is not None:
        parts += [name for name in (started.camera, started.focuser) if name]
        parts.append(f"started {started.started_utc[:19].replace('T', ' ')} UTC")
    seen = len(account.measurements)
    parts.append("1 frame" if seen == 1 else f"{seen} frames")
    if result.get("moves"):
        parts.append(f"{result['moves']} moves")
    reason = f" ({result['reason']})" if result.get("reason") else ""
    return " · ".join([*parts, f"{result['outcome']}{reason}"])


def decision_table(account: Account) -> str:
    """The chosen position and both optima, with what each gives and costs."""
    scale = plate_scale(account.measurements)
    best = account.curves.best
    rows = [_choice_row(one, "" if best is None else best.objective) for one in choices(account.curves, scale)]
    said = "".join(f"<li>{escaped(loss)}</li>" for loss in account.curves.losses)
    light = f"{light_name(account.measurements)} ADU/s"
    heads = ("<", "position", "FWHM px", "arcsec", light, "of the light", "wider by")
    return (table(heads, rows) if rows else "") + (f"<ul>{said}</ul>" if said else "")


def _choice_row(one: Choice, objective: str) -> str:
    name = f"chosen ({OPTIMUM.get(objective, objective)})" if one.name == "chosen" else one.name
    cells = (
        name,
        with_error(one.position, one.uncertainty),
        number(one.fwhm_px, 2),
        number(one.fwhm_arcsec, 2),
        number(one.nsig, 1),
        f"{100 * one.light:.1f} %" if math.isfinite(one.light) else DASH,
        f"{one.wider_px:.2f} px" if math.isfinite(one.wider_px) else DASH,
    )
    return row(cells, "best" if one.name == "chosen" else "")


def frames_table(rows: Sequence[str], measurements: Sequence[Measurement], *, pictures: bool) -> str:
    """All frames, stacked by position."""
    light = light_name(measurements)
    kind = "lines" if any(one.mode == "lines" for one in measurements) else "star" if light == "flux" else "trace"
    told = "All strips share one stretch: their brightness may be compared. "
    told += "They lie about the brightest star." if kind == "star" else "The dispersion runs from left to right."
    seen = (f"<{kind}", "<profile and fit") if pictures else ()
    heads = ("position", "n", "FWHM px", light, "SNR", *seen, "<")
    return table(heads, rows) + (f'<p class="dim">{told}</p>' if pictures else "")


def frame_row(account: Account, strip: Strip, image: str, *, pictures: bool) -> str:
    """One frame: its numbers, its strip (an ``<img>``, or nothing), its profile, and what is to be said of it."""
    one = strip.measurement
    out = strip.index in account.curves.left_out or not one.used
    kind = "best" if strip.index == account.best else "out" if out else ""
    cells = [
        DASH if one.position is None else f"{one.position:g}",
        str(strip.index + 1),
        with_error(one.fwhm_px, one.fwhm_err_px, 2, unknown=""),
        with_error(one.nsig, one.nsig_err, 1, unknown=""),
        number(one.snr, 1 if one.snr < 10 else 0),
    ]
    numbers = "".join(f"<td>{escaped(cell)}</td>" for cell in cells)
    said = escaped(_remarks(one, account.curves.left_out.get(strip.index, one.why if out else "")))
    seen = f'<td class="strip left">{image}</td><td class="left">{_profile(strip)}</td>' if pictures else ""
    return f'<tr class="{kind}">{numbers}{seen}<td class="left said">{said}</td></tr>'


def _remarks(one: Measurement, why: str) -> str:
    parts = [one.phase if one.phase != "recorded" else one.file, *(str(flag) for flag in one.flags)]
    parts += [text for text in (one.verdict, f"left out: {why}" if why else "") if text]
    return ", ".join(parts)


def _profile(strip: Strip) -> str:
    seen, fit = profile_points(strip)
    if not seen:
        return ""
    lines = f'<polyline class="seen" points="{seen}"/>' + (f'<polyline class="fit" points="{fit}"/>' if fit else "")
    box = f"0 -2 {PROFILE_WIDTH:g} {PROFILE_HEIGHT + 4:g}"
    return f'<svg class="profile" viewBox="{box}" preserveAspectRatio="none">{lines}</svg>'


def guiding(account: Account) -> str:
    """Image shift of the focuser's moves and the guide camera's own focus, where a guider saw them."""
    shift, guide = account.result.get("image_shift"), account.result.get("guide")
    made = ""
    if isinstance(shift, Mapping):
        for way in ("outward", "inward"):
            rate = shift.get(way)
            if isinstance(rate, Mapping):
                made += f"<p>{escaped(_rate(way, rate))}</p>"
        heads = ("at", "steps out", "steps in", "shift px", "shift arcsec", "settled after s")
        names = ("position", "outward_steps", "inward_steps", "shift_px", "shift_arcsec", "settled_s")
        moves = [row([_cell(move.get(name)) for name in names]) for move in shift.get("moves", ())]
        made += table(heads, moves) if moves else ""
    if isinstance(guide, Mapping):
        said = guide.get("sentence") or guide.get("message")
        made += f"<p>{escaped(said)}</p>" if said else f"<pre>{escaped_block(guide)}</pre>"
    lost = sum(any(flag.startswith("guiding") for flag in one.flags) for one in account.measurements)
    if lost:
        made += (
            f"<p>{lost} {'frame was' if lost == 1 else 'frames were'} taken while guiding was unsettled or lost.</p>"
        )
    return made


def _rate(way: str, rate: Mapping[str, Any]) -> str:
    arcsec, error = rate.get("arcsec_per_100_steps"), rate.get("arcsec_err")
    shown = (
        f"{_cell(rate.get('px_per_100_steps'))} px on the guide camera"
        if arcsec is None
        else with_error(arcsec, math.nan if error is None else error, 2) + '"'
    )
    return f"100 steps {way} shift the image by {shown}, from {_cell(rate.get('moves'))} moves."


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return DASH if value is None else str(value)


def timing_bar(timing: Mapping[str, float]) -> str:
    """The seconds of the run as one bar, and what ran beside them."""
    spent = [(name, colour, float(timing.get(key) or 0.0)) for key, name, colour in TIMES]
    total = max(float(timing.get("total_s") or 0.0), sum(seconds for _, _, seconds in spent))
    if total <= 0 or not any(seconds > 0 for _, _, seconds in spent):
        return ""
    spent.append(("waiting and all else", "#c9ced4", total - sum(seconds for _, _, seconds in spent)))
    shown = [(name, colour, seconds) for name, colour, seconds in spent if seconds > 0]
    bar = "".join(f'<span style="width:{100 * s / total:.2f}%;background:{c}"></span>' for _, c, s in shown)
    key = "".join(f'<span><i style="background:{c}"></i>{n} {s:.1f} s</span>' for n, c, s in shown)
    beside = " and ".join(f"{name} {float(timing.get(key) or 0.0):.1f} s" for key, name in BESIDE_TIMES)
    return (
        f'<div class="bar">{bar}</div><div class="key">{key}</div>'
        f'<p class="dim">{total:.1f} s in all. Beside that, while the focuser moved on: {beside}.</p>'
    )


def story(account: Account) -> str:
    """All that happened, sentence by sentence."""
    if not account.story:
        return ""
    lines = "\n".join(f"{elapsed_s:8.1f} s  {escaped(sentence)}" for elapsed_s, sentence in account.story)
    return f"<details><summary>{len(account.story)} moments</summary><pre>{lines}</pre></details>"


def settings(account: Account) -> str:
    """What the run was told, and what ran it."""
    started = account.started
    ran = f"run by autofocus {started.version}; " if started is not None else ""
    said = f"<p>{escaped(ran)}report made by autofocus {escaped(__version__)} with Python {platform.python_version()}"
    said += "".join(f", {name} {escaped(_version(name))}" for name in LIBRARIES) + ".</p>"
    if started is None or not started.settings:
        return said
    return f"{said}<details><summary>settings</summary><pre>{escaped_block(started.settings)}</pre></details>"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "?"


def escaped_block(value: Mapping[str, Any]) -> str:
    """A nested mapping as indented lines, ``key: value``."""
    lines = []
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            lines.append(f"{key}:")
            lines += [f"  {name}: {json.dumps(item, ensure_ascii=False)}" for name, item in inner.items()]
        else:
            lines.append(f"{key}: {json.dumps(inner, ensure_ascii=False)}")
    return "\n".join(escaped(line) for line in lines)
