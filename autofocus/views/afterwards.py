"""What a run leaves behind for people and other programs: its report, and N.I.N.A.'s where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from autofocus.settings import SessionSettings
from autofocus.views.account import read_account


def leave_reports(folder: Path, settings: SessionSettings) -> list[str]:
    """Write the reports of a run that has ended; a sentence for each that could not be: the run itself is done.

    Call it once the focuser stands where it shall: nothing here may stand in the way of that.
    """
    try:
        account = read_account(folder)
    except Exception as fault:  # noqa: BLE001  a report that fails must not turn a focused telescope into a failed run
        return [_failed("report", fault)]

    def page() -> object:
        from autofocus.views.report import write_report

        return write_report(folder, account)

    def nina() -> object:
        from autofocus.views.nina import write_nina_report

        wanted = Path(settings.nina_report or "").expanduser()
        return write_nina_report(account, wanted, datetime.now().astimezone())

    wanted: list[tuple[str, Callable[[], object]]] = [("report", page)]
    if settings.nina_report:
        wanted.append(("N.I.N.A. report", nina))
    faults = []
    for name, write in wanted:
        try:
            write()
        except Exception as fault:  # noqa: BLE001  as above
            faults.append(_failed(name, fault))
    return faults


def _failed(name: str, fault: Exception) -> str:
    return f"the {name} could not be written: {type(fault).__name__}: {fault}"
