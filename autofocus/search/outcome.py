"""How a search ends: the result, and one sentence that a person can act on."""

from __future__ import annotations

from dataclasses import replace

from autofocus.digits import with_error
from autofocus.errors import NoFocusFound
from autofocus.model import BestFocus, Confirmation, FocusCurves, FocusResult, Measurement
from autofocus.search.approach import Direction, is_inside, sign
from autofocus.search.fitting import used_positions
from autofocus.search.gates import CONTRAST_SIGMAS, Verdict
from autofocus.search.log import ObservingLog

BUDGETS = {"time_limit": "the time allowed", "exposure_limit": "the exposures allowed"}
LEAST_SAMPLES = 5


def focused(log: ObservingLog, curves: FocusCurves, confirmation: Confirmation | None) -> FocusResult:
    """A focus that passed every gate; the reason says whether a budget ended the refining."""
    best = curves.best
    assert best is not None
    warnings = [*log.warnings, *curves.warnings]
    if confirmation is None and log.task.settings.confirm:
        warnings.append("No budget was left for a confirming frame.")
    tail = "" if log.ended is None else f"; {BUDGETS[log.ended]} ended before the error was within the tolerance"
    used = len(used_positions(log, curves))
    place = with_error(best.position, best.uncertainty)
    return FocusResult(
        outcome="focused",
        reason=log.ended,
        message=f"Best focus {place} ({best.objective}) from {used} frames{tail}.",
        objective=best.objective,
        curves=curves,
        confirmed=confirmation,
        measurements=annotated(log, curves),
        warnings=tuple(warnings),
        run_up_steps=log.run_up_steps,
    )


def no_focus(log: ObservingLog, failure: NoFocusFound, curves: FocusCurves) -> FocusResult:
    """No focus, with the reason; the curves are kept for whoever wants to look, a best position is not claimed."""
    return FocusResult(
        outcome="no_focus",
        reason=failure.reason,
        message=failure.message,
        objective=log.task.settings.objective if curves.best is None else curves.best.objective,
        curves=replace(curves, best=None),
        confirmed=log.confirmation,
        measurements=annotated(log, curves),
        warnings=(*log.warnings, *curves.warnings),
    )


def require(log: ObservingLog, curves: FocusCurves, verdict: Verdict) -> None:
    """Raise `NoFocusFound` with the gate that the curves did not pass; return if they passed all."""
    positions = used_positions(log, curves)
    best = curves.best
    if verdict.passed and len(positions) >= LEAST_SAMPLES:
        return
    if log.ended is not None:
        known = (
            f"{len(positions)} usable frames so far"
            if best is None
            else f"best guess {with_error(best.position, best.uncertainty)}"
        )
        message = f"{BUDGETS[log.ended].capitalize()} ended before a focus was certain ({known})."
        raise NoFocusFound(message, reason=log.ended)
    if best is None or len(positions) < LEAST_SAMPLES:
        raise NoFocusFound(
            f"Only {len(positions)} frames could be used, too few for a focus curve: check the exposure and the star.",
            reason="too_few_samples",
        )
    if verdict.open_sides:
        raise _open_end(log, positions, verdict)
    if verdict.unsteady:
        raise NoFocusFound(
            f"The light is not steady ({verdict.unsteady}), so its peak means nothing: wait until the clouds have"
            " passed and the guider holds the star, or focus by width (search.objective: fwhm).",
            reason="poor_fit",
        )
    raise NoFocusFound(
        f"The curves place best focus at {with_error(best.position, best.uncertainty)} steps: too uncertain to go to.",
        reason="poor_fit",
    )


def disagreement(best: BestFocus, confirmation: Confirmation) -> str:
    """What was wrong with the confirming frame."""
    parts = []
    if confirmation.fwhm_sigmas == confirmation.fwhm_sigmas:
        parts.append(f"FWHM {confirmation.fwhm_sigmas:+.1f} σ")
    if confirmation.nsig_sigmas == confirmation.nsig_sigmas:
        parts.append(f"light {-confirmation.nsig_sigmas:+.1f} σ")
    seen = " and ".join(parts) or "no trace"
    return f"At {best.position:.0f} two frames were not as the curves predict ({seen}): a cloud, drift or backlash."


def annotated(log: ObservingLog, curves: FocusCurves) -> tuple[Measurement, ...]:
    """Every measurement in order; those that the curves do not rest on say why."""
    reasons = {**curves.left_out, **log.left_out}
    return tuple(
        replace(m, used=False, why=reasons[i]) if i in reasons else replace(m, used=True, why="")
        for i, m in enumerate(log.measurements)
    )


def _open_end(log: ObservingLog, positions: list[float], verdict: Verdict) -> NoFocusFound:
    """The focus lies beyond what was, or can be, sampled."""
    sides = " and ".join(verdict.open_sides)
    at_limit = [side for side in verdict.open_sides if not _has_room(log, positions, side)]
    if at_limit:
        end = min(positions) if at_limit[0] == "inward" else max(positions)
        return NoFocusFound(
            f"Focus still improves {at_limit[0]} at {end:.0f}, where the travel reachable {log.task.approach} ends.",
            reason="travel_limit",
        )
    worst = min(verdict.contrast)
    return NoFocusFound(
        f"Focus is not bracketed on the {sides} side between {min(positions):.0f} and {max(positions):.0f}"
        f" (contrast {worst:.1f} σ, {CONTRAST_SIGMAS:.0f} needed).",
        reason="not_bracketed",
    )


def _has_room(log: ObservingLog, positions: list[float], side: Direction) -> bool:
    outermost = min(positions) if side == "inward" else max(positions)
    return is_inside(outermost + sign(side) * 2, log.task.room)
