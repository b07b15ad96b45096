"""``report``: the report of a session, made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autofocus.cli.command import AsJson, print_json, print_line, session_folder


def report(
    session: Annotated[Path, typer.Argument(metavar="SESSION", help="The folder of a session.")],
    *,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="OUT.png", help="Write the picture of the curves here as well.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="OUT.html", help="Write the report here, not into the session.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the report of a session again: one HTML file that needs nothing else, not even a network."""
    from autofocus.views.account import read_account
    from autofocus.views.curvepicture import figure_png
    from autofocus.views.figures import focus_figure
    from autofocus.views.report import REPORT, report_html, save

    account = read_account(session_folder(session))
    made = {"report": str(save(report_html(account).encode(), output or session / REPORT))}
    if png is not None:
        made["png"] = str(save(figure_png(focus_figure(account.measurements, account.curves)), png))
    if as_json:
        print_json(made)
    else:
        for path in made.values():
            print_line(path)
