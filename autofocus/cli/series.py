"""``analyze`` and ``replay``: series that were taken before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autofocus.cli.command import AsJson, MaybeConfig, Sets, print_json, say, session_folder
from autofocus.cli.frames import Columns, HalfWindow, Pattern, PlateScale, measure_settings

if TYPE_CHECKING:
    from autofocus.frames.recorded import RecordedSeries
    from autofocus.model import FocusResult, Measurement
    from autofocus.ports import FramePicture


def analyze(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Frames, a folder of frames, a session folder, a CSV or a N.I.N.A. report."
        ),
    ],
    *,
    config: MaybeConfig = None,
    overrides: Sets = None,
    objective: Annotated[str | None, typer.Option(metavar="snr|nsig|fwhm", help="What best focus means.")] = None,
    csv_columns: Annotated[
        str | None, typer.Option(metavar="OURS=THEIRS,...", help="Columns of a CSV: position=cam_foc,fwhm_px=width.")
    ] = None,
    columns: Columns = None,
    half_window: HalfWindow = None,
    plate_scale: PlateScale = None,
    position_pattern: Pattern = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="OUT.html", help="Write a report, one file that needs no network."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Fit the focus curves of a recorded series."""
    chosen = [*(overrides or ()), *([f"search.objective={objective}"] if objective else [])]
    settings = measure_settings(config, chosen, columns, half_window, plate_scale)
    from autofocus import wiring
    from autofocus.session import records
    from autofocus.session.series import analyze as judge
    from autofocus.views.lines import printable, result_lines

    previews: dict[str, FramePicture] = {}
    series = wiring.recorded_series(
        paths, settings, position_pattern, csv_columns, None if report is None else previews
    )
    measuring = [columns, half_window, plate_scale, *(word for word in chosen if word.startswith("measure."))]
    remarks = _remarks(paths, series, asks_to_measure=any(option is not None for option in measuring))
    for remark in remarks:
        say(f"autofocus analyze: {printable(remark)}")
    result = judge(series.measurements, settings.search)
    made = records.result_object(result, session=_session(paths), warnings=remarks)
    if report is not None:
        _write_report(report, paths, result, made, previews)
    if as_json:
        print_json(made)
    else:
        typer.echo("\n".join(result_lines(result)))
    return records.exit_code(made)


def _remarks(paths: list[Path], series: RecordedSeries, *, asks_to_measure: bool) -> list[str]:
    """What was passed over: files that cannot be read, and options of measuring where nothing is measured."""
    remarks = [f"{one.file}: {one.error}" for one in series.unreadable]
    if asks_to_measure and _session(paths):
        anew = paths[0] / "frames"
        remarks.append(f"a session's numbers are as it recorded them: to measure its frames anew, analyze {anew}")
    return remarks


def _write_report(
    path: Path, paths: list[Path], result: FocusResult, made: Mapping[str, Any], previews: Mapping[str, FramePicture]
) -> None:
    """The report of the series; frames of a session are shown by the previews that its journal keeps."""
    from autofocus.session.journal import read_picture
    from autofocus.views.account import account_of
    from autofocus.views.report import report_html, save

    def picture(one: Measurement) -> FramePicture | None:
        folder = made["session"]
        return read_picture(Path(folder), Path(one.file).stem) if folder else previews.get(one.file)

    title = f"{paths[0].name}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}"
    save(report_html(account_of(title, result, made, picture)).encode(), path)


def _session(paths: list[Path]) -> str | None:
    """The session folder, where one was analyzed."""
    from autofocus.session.journal import EVENTS

    return str(paths[0]) if len(paths) == 1 and (paths[0] / EVENTS).is_file() else None


def replay(
    session: Annotated[Path, typer.Argument(metavar="SESSION", help="The folder of a session.")],
    *,
    remeasure: Annotated[bool, typer.Option("--remeasure", help="Measure its frames anew.")] = False,
    as_json: AsJson = False,
) -> int:
    """Run a recorded session again through the search, without devices."""
    from autofocus import wiring
    from autofocus.cli.lines import result_lines
    from autofocus.session import records

    made = wiring.replayed(session_folder(session), remeasure=remeasure)
    if as_json:
        print_json(made)
    else:
        typer.echo("\n".join(result_lines(made)))
    return records.exit_code(made)
