"""The procedure: locate, sweep, refine, confirm."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from autofocus.errors import NoFocusFound
from autofocus.model import Confirmation, FocusCurves, Measurement, Sweep
from autofocus.search import gates, outcome
from autofocus.search.approach import clipped
from autofocus.search.exposure import first_exposure
from autofocus.search.fitting import fit_log, used_frames
from autofocus.search.locate import locate, run_up_steps
from autofocus.search.log import Attempt, ObservingLog
from autofocus.search.play import take_up_play
from autofocus.search.refining import good_enough, refine
from autofocus.search.retaking import faint_places, has_to_look_back, look_back, retake, revisit
from autofocus.search.sweeping import choose_exposure, sweep, widen
from autofocus.search.task import Estimate, FocusTask, Search

HOPELESS = ("no_spectrum", "travel_limit", "time_limit", "exposure_limit")  # another attempt would end the same way
LOOKS = 2  # at the answer, before it is believed that the frame there disagrees
LOOKS_THROUGH_CLOUDS = 4


def focus(task: FocusTask) -> Search:
    """Search for best focus.

    Yields sweeps and receives their measurements, in order and at the positions reached; fewer than asked mean
    that a budget ended. The same measurements always lead to the same result.

    Returns
    -------
    FocusResult
        ``focused`` or ``no_focus``, with the reason; never raises for what the data are like.
    """
    log = ObservingLog(task)
    log.exposure_s = first_exposure(task)
    log.run_up_steps = run_up_steps(task)
    estimate: Estimate | None = None
    for attempt in range(task.settings.retries + 1):
        try:
            if estimate is None:
                estimate = yield from locate(log, task.start_position)
                choose_exposure(log)
            estimate, curves = yield from sweep_and_refine(log, estimate)
            confirmation = yield from confirm(log, curves)
            return outcome.focused(log, curves, confirmation)
        except NoFocusFound as failure:
            if failure.reason in HOPELESS or attempt == task.settings.retries or log.ended:
                return outcome.no_focus(log, failure, _curves_of(log, estimate))
            estimate = _learned(log, estimate)
            log.begin_attempt(f"an attempt that failed: {failure.reason}")
            log.warnings.append(f"An attempt failed and was begun again: {failure.message}")
    raise AssertionError("the last attempt returns")


def sweep_and_refine(
    log: ObservingLog, estimate: Estimate
) -> Generator[Sweep, tuple[Measurement, ...], tuple[Estimate, FocusCurves]]:
    """Sweep about the estimate, widen while a side is open, then refine until the error is small enough.

    Raises
    ------
    NoFocusFound
        ``not_bracketed``, ``travel_limit``, ``poor_fit``, ``too_few_samples``, ``confirmation_failed``, or the budget
        that ended.
    """
    attempt = Attempt(estimate)
    yield from sweep(log, estimate)
    while True:
        curves = fit_log(log, attempt.estimate.center, attempt.estimate.half_span)
        verdict = _judged(log, curves)
        improved = log.ended is None and (yield from _improve(log, attempt, curves, verdict))
        if not improved and not take_up_play(log, attempt.estimate):
            break
    outcome.require(log, curves, verdict)
    return attempt.estimate, curves


def _improve(
    log: ObservingLog, attempt: Attempt, curves: FocusCurves, verdict: gates.Verdict
) -> Generator[Sweep, tuple[Measurement, ...], bool]:
    """Take the frames that are missing most; False, and none taken, where the curves are as good as they will be."""
    if places := faint_places(log, attempt, curves):
        return (yield from retake(log, attempt, curves, places))
    if verdict.open_sides:
        return (yield from widen(log, attempt, curves, verdict))
    if verdict.unsteady:
        return (yield from revisit(log, attempt, curves))
    if not good_enough(log, attempt, curves, verdict):
        return (yield from refine(log, attempt, curves))
    if has_to_look_back(log, attempt):
        return (yield from look_back(log, attempt, curves))
    return False


def confirm(log: ObservingLog, curves: FocusCurves) -> Generator[Sweep, tuple[Measurement, ...], Confirmation | None]:
    """Take a frame at the answer and compare it with the curves; look again before believing that it disagrees.

    Raises
    ------
    NoFocusFound
        ``confirmation_failed``.
    """
    best = curves.best
    assert best is not None
    if not log.task.settings.confirm:
        return None
    confirmation: Confirmation | None = None
    answer = round(clipped(best.position, log.task.room))
    why = "a last frame at the answer"
    for look in range(LOOKS_THROUGH_CLOUDS):
        first = len(log.measurements)
        got = yield from log.ask([answer], "confirm", why, curves=curves)
        log.left_out |= dict.fromkeys(range(first, len(log.measurements)), "it confirms the answer")
        if not got:
            break
        log.confirmation = confirmation = gates.compare(curves, got[-1])
        if confirmation.agrees or (look + 1 >= LOOKS and not gates.only_fainter(confirmation)):
            break
        why = "once more: the last frame was not as predicted"
    if confirmation is not None and not confirmation.agrees:
        raise NoFocusFound(outcome.disagreement(best, confirmation), reason="confirmation_failed")
    return confirmation


def _judged(log: ObservingLog, curves: FocusCurves) -> gates.Verdict:
    """The gates' verdict on the curves of this attempt."""
    dropped = [log.at(i) for i in log.indices() if i in curves.left_out]
    tolerance = log.task.settings.tolerance_steps
    return gates.judge(curves, used_frames(log, curves), tolerance, dropped, log.measurements)


def _learned(log: ObservingLog, estimate: Estimate | None) -> Estimate | None:
    """Where the next attempt begins: about the fit of this one if it has one."""
    if estimate is None:
        return None
    best = _curves_of(log, estimate).best
    return estimate if best is None else replace(estimate, center=best.position)


def _curves_of(log: ObservingLog, estimate: Estimate | None) -> FocusCurves:
    """What an attempt knew when it failed."""
    return FocusCurves() if estimate is None else fit_log(log, estimate.center, estimate.half_span)
