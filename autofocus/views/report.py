"""A session as one HTML file that opens from disk and loads nothing: the verdict first, then all that led to it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template

from autofocus.errors import JournalError
from autofocus.session.advice import diagnosis, disagreement
from autofocus.session.journal import write_whole
from autofocus.session.records import field_of
from autofocus.views import reporttables
from autofocus.views.account import Account, read_account
from autofocus.views.decision import given_up, plate_scale
from autofocus.views.fieldplot import field_html
from autofocus.views.figures import focus_figure
from autofocus.views.framepicture import framepicture_png, ringed
from autofocus.views.reporttables import escaped
from autofocus.views.strips import common_levels, cut_strip, stacked, strip_png

REPORT = "report.html"


def write_report(folder: Path, account: Account | None = None) -> Path:
    """Make the report of a session folder, in it; `JournalError` where that cannot be done."""
    return save(report_html(account or read_account(folder)).encode(), folder / REPORT)


def save(content: bytes, path: Path) -> Path:
    """Write a report or a picture whole; `JournalError` says what stood against it."""
    try:
        write_whole(path, content)
    except OSError as fault:
        raise JournalError(f"{path} cannot be written: {fault.strerror or fault}") from fault
    return path


def report_html(account: Account) -> str:
    """The whole page."""
    scripts = [plotly_javascript(), _template("report.js")]
    figure = focus_figure(account.measurements, account.curves)
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return Template(_template("report.html")).substitute(
        # nothing is loaded, and no script runs but these two: not even one that a file name smuggled in
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {hashes}",
        title=escaped(f"autofocus {account.title}"),
        style=_template("report.css"),
        body="\n".join(_sections(account)),
        figure=json.dumps(figure, allow_nan=False).replace("<", "\\u003c"),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


@cache
def plotly_javascript() -> str:
    """Plotly's JavaScript as the installed package brings it; nothing comes from the internet."""
    text = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    if "</script" in text.lower():
        raise ValueError("plotly.min.js cannot be written into a page")
    return text


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _template(name: str) -> str:
    return (files("autofocus.views") / "templates" / name).read_text(encoding="utf-8")


def _sections(account: Account) -> list[str]:
    result, best = account.result, account.curves.best
    made = [
        f'<h1 class="{escaped(result["outcome"])}">{escaped(result["message"])}</h1>',
        f'<p class="dim">{escaped(reporttables.subtitle(account))}</p>',
    ]
    sentence = given_up(account.curves, plate_scale(account.measurements))
    if sentence and best is not None:
        made.append(f"<p><strong>{escaped(sentence)}</strong></p>")
    gap, means = disagreement(account.curves), diagnosis(account.curves)
    made += [_note(said, "warning") for said in result["warnings"] if said not in (gap, means)]
    made += ["<h2>Focus curves</h2>", '<div id="curves"></div>', f'<p class="dim">{_caption(account)}</p>']
    made += _titled("The decision, and what the alternatives cost", reporttables.decision_table(account))
    if gap:
        made += ["<h2>Diagnosis</h2>", _note(f"{gap}. {sentence_of(means)} {COLOUR}")]
    field = field_of(account.measurements)
    made += _titled("Focus over the field: tilt and curvature", "" if field is None else field_html(field))
    made += _titled("Frames, by position", _strips(account))
    made += _titled("The frame nearest to best focus", _whole_picture(account))
    made += _titled("Guiding and image shift", reporttables.guiding(account))
    made += _titled("Where the time went", reporttables.timing_bar(result.get("timing", {})))
    made += _titled("What happened", reporttables.story(account))
    made += _titled("Settings and versions", reporttables.settings(account))
    return made


COLOUR = "Optics that bring colours to different foci (a refractor, a reducer) look alike; the focuser mends neither."
CAPTION = (
    "Dots: frames with their errors (crosses: left out of the fit; open diamonds: the confirming frame). "
    "Lines: the fitted curves within their 1&nbsp;σ. Stars: where each curve alone is best. Dashed: best focus; grey: "
    "where the objective stays within 2&nbsp;% of its best."
)


def _caption(account: Account) -> str:
    behind_a_slit = all(one.mode == "spectrum" for one in account.measurements)
    return CAPTION + (" NSIG is corrected for the light beside the window." if behind_a_slit else "")


def _titled(title: str, content: str) -> list[str]:
    return [f"<h2>{html.escape(title)}</h2>", content] if content else []


def _note(text: str, kind: str = "") -> str:
    return f'<p class="note {kind}">{escaped(sentence_of(text))}</p>'


def sentence_of(text: str) -> str:
    """The text with a capital at its beginning and a full stop at its end."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")


def _strips(account: Account) -> str:
    """One row for each frame, its trace strip beside its numbers; all strips share one stretch."""
    cut = [cut_strip(index, one, account.picture(index)) for index, one in enumerate(account.measurements)]
    levels = common_levels(cut)
    rows = []
    for strip in stacked(cut):
        packed = None if levels is None else strip_png(strip, levels)
        image = "" if packed is None else f'<img alt="" src="{data_uri(packed)}">'
        rows.append(reporttables.frame_row(account, strip, image, pictures=levels is not None))
    if not rows:
        return ""
    return reporttables.frames_table(rows, account.measurements, pictures=levels is not None)


def _whole_picture(account: Account) -> str:
    if account.best is None:
        return ""
    picture = account.picture(account.best)
    packed = None if picture is None else framepicture_png(picture, account.measurements[account.best])
    if packed is None:
        return ""
    said = "Dashed: the trace as it was found; lines: the window over which NSIG is summed."
    best = account.measurements[account.best]
    if rings := ringed(best.mode):
        said = f"The whole frame, in the stretch of the page. Rings: {rings}."
    return f'<img class="whole" alt="" src="{data_uri(packed)}"><p class="dim">{said}</p>'


def data_uri(png: bytes) -> str:
    """A PNG as the source of an image."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
