"""What happens during a run as plain lines: for a pipe, a log, a terminal without colours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from autofocus.digits import with_error
from autofocus.session import events
from autofocus.views.lines import frame_line, printable


def event_line(event: events.Event, *, verbose: bool = False) -> str | None:
    """An event as one line, or None where it need not be said."""
    match event:
        case events.SessionStarted():
            if event.start_position is None:
                return None  # the devices could not be opened: the result says why
            return f"{event.session}: {event.camera}, {event.focuser}, from {event.start_position}"
        case events.SweepPlanned():
            positions = ", ".join(map(str, event.positions))
            left = f"; about {event.exposures_left} more after that" if event.exposures_left else ""
            return f"{event.phase}: {positions}{' (' + event.why + ')' if event.why else ''}{left}"
        case events.SampleMeasured():
            return f"  {event.number:3d}  {frame_line(event.measurement)}"
        case events.PhaseChanged():
            return event.why or event.phase
        case events.CurveFitted() if event.curves.best is not None:
            best = event.curves.best
            return f"best focus so far: {with_error(best.position, best.uncertainty)} ({best.objective})"
        case events.Warned():
            return f"warning: {event.message}"
        case events.FocuserMoved() if verbose:
            return f"       moved to {event.position} in {event.took_s:.1f} s"
        case events.Settled() if verbose or not event.settled:
            return (
                f"       settled after {event.waited_s:.1f} s" if event.settled else f"       not settled: {event.why}"
            )
    return None


def result_lines(result: Mapping[str, Any]) -> list[str]:
    """The verdict first, then both curves, the compromise and the warnings."""
    lines = [str(result["message"])]
    best = result["best"]
    if best is not None:
        lines.append(
            f"best focus ({result['objective']}): {_place(best)}; "
            f"within 2 % from {best['low']:.0f} to {best['high']:.0f}"
        )
    for metric, name, unit in (("fwhm", "narrowest (FWHM)", "px"), ("nsig", "brightest (NSIG)", "ADU/s")):
        curve = result["curves"][metric]
        if curve is not None:
            value = f"{curve['value']:.2f} {unit}" if curve["value"] is not None else "?"
            lines.append(f"{name}: {_place(curve)}, {value}, {curve['points']} positions, {curve['model']}")
    lines += [str(loss) for loss in result.get("losses", ())]
    lines += [f"warning: {warning}" for warning in result["warnings"]]
    if result.get("recovery"):
        lines.append(str(result["recovery"]))
    if result.get("session"):
        lines.append(f"session: {result['session']}")
    return [printable(line) for line in lines]


def _place(optimum: Mapping[str, Any]) -> str:
    error = optimum["uncertainty"]
    return with_error(optimum["position"], math.nan if error is None else error)
