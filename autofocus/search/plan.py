"""The procedure: locate, sweep, refine, confirm."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from autofocus.errors import NoFocusFound
from autofocus.model import Confirmation, FocusCurves, Measurement, Sweep
from autofocus.search import gates, outcome
from autofocus.search.adaptive import beyond, most_telling
from autofocus.search.approach import in_order
from autofocus.search.clouds import FAINT, brightening, clouded
from autofocus.search.exposure import first_exposure, fitting_exposure, overexposed
from autofocus.search.fitting import fit_log, used_frames, used_positions
from autofocus.search.locate import Estimate, first_guess, half_span, locate, posterior_of
from autofocus.search.log import ObservingLog, has_trace
from autofocus.search.sweep import symmetric_sweep
from autofocus.search.task import FocusTask, Search
from autofocus.search.travel import clipped, is_inside

LEAST_EACH_SIDE = 2  # nodes of the first, thin sweep; refining fills in what the error still needs
MOST_WIDENINGS = 6
MOST_SHORTENINGS = 3  # of the exposure: where the peak is cut off, one look does not tell by how much
LEAST_TO_STOP = 7  # frames: fewer cannot tell how much the seeing scatters, and may agree by chance
ENOUGH_FRAMES = 9  # before it may be said that more would not help
LEAST_SHRINKING = 0.02  # of the error, for each further exposure
HOPELESS = ("no_spectrum", "travel_limit", "time_limit", "exposure_limit")  # another attempt would end the same way


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
    estimate: Estimate | None = None
    for attempt in range(task.settings.retries + 1):
        try:
            if estimate is None:
                estimate = yield from locate(log, task.start_position)
                _choose_exposure(log)
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
        ``not_bracketed``, ``travel_limit``, ``poor_fit``, ``too_few_samples``, or the budget that ended.
    """
    yield from _first_sweep(log, estimate)
    for _ in range(MOST_SHORTENINGS):
        if not (overexposed(log.task, log.frames()) and _choose_exposure(log)):
            break
        yield from _first_sweep(log, estimate)
    widenings, retaken, returned = 0, set[float](), False
    while True:
        curves = fit_log(log, estimate.center, estimate.half_span)
        verdict = _judged(log, curves)
        if log.ended:
            break
        if again := _to_retake(log, curves, retaken):
            retaken.update(again)
            yield from _retake(log, curves, again)
        elif verdict.open_sides:
            widenings += 1
            estimate = _recentred(log, curves, estimate)
            positions = _widening(log, curves, estimate, verdict)
            if not positions or widenings > MOST_WIDENINGS:
                break
            yield from log.ask(positions, "sweep", _widening_why(verdict), curves=curves, follow=2)
        elif verdict.unsteady:
            log.cloudy = True
            break
        elif not _good_enough(log, curves, verdict):
            if not (yield from _refine(log, curves, estimate)):
                break
        elif log.cloudy and not returned:
            returned = True
            yield from _return(log, curves)
        else:
            break
    outcome.require(log, curves, verdict)
    return estimate, curves


def _judged(log: ObservingLog, curves: FocusCurves) -> gates.Verdict:
    """The gates' verdict on the curves of this attempt."""
    dropped = [log.measurements[i] for i in log.indices() if i in curves.left_out]
    return gates.judge(curves, used_frames(log, curves), log.task.settings.tolerance_steps, dropped)


def _retake(
    log: ObservingLog, curves: FocusCurves, again: tuple[int, ...]
) -> Generator[Sweep, tuple[Measurement, ...], None]:
    """Take faint frames again; one that was much fainter than its repeat is left out for good."""
    earlier = log.indices()
    got = yield from log.ask(again, "sweep", "again where a cloud seems to have passed", curves=curves, follow=2)
    for i in earlier:
        gain = max((brightening(log.measurements[i], one) for one in got), default=1.0)
        if gain * FAINT > 1.0:
            log.cloudy = True
            log.left_out[i] = f"a cloud: taken again it had {gain:.1f} times the light"


def _return(log: ObservingLog, curves: FocusCurves) -> Generator[Sweep, tuple[Measurement, ...], None]:
    """Look again where this attempt began: under a changing sky the light there tells whether the curve is real."""
    first = used_positions(log, curves)[0]
    why = "back where the sweep began: is the light still the same?"
    yield from log.ask([round(first)], "sweep", why, curves=curves, follow=1)


def confirm(log: ObservingLog, curves: FocusCurves) -> Generator[Sweep, tuple[Measurement, ...], Confirmation | None]:
    """Take a frame at the answer and compare it with the curves; look once more before believing that it disagrees.

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
    for why in ("a last frame at the answer", "once more: the last frame was not as predicted"):
        first = len(log.measurements)
        answer = round(clipped(best.position, log.task.room))
        got = yield from log.ask([answer], "confirm", why, curves=curves)
        log.left_out |= dict.fromkeys(range(first, len(log.measurements)), "it confirms the answer")
        if not got:
            break
        log.confirmation = confirmation = gates.compare(curves, got[-1])
        if confirmation.agrees:
            break
    if confirmation is not None and not confirmation.agrees:
        raise NoFocusFound(outcome.disagreement(best, confirmation), reason="confirmation_failed")
    return confirmation


def _refine(
    log: ObservingLog, curves: FocusCurves, estimate: Estimate
) -> Generator[Sweep, tuple[Measurement, ...], bool]:
    """Take the next exposures where they tell most; False, and none taken, where no exposure would tell enough."""
    best = curves.best
    assert best is not None
    frames = used_frames(log, curves)
    design = most_telling(log.task.settings, frames, best, estimate.half_span, log.task.room)
    if design is None:
        return False
    shrinks = 1.0 - design.uncertainty_after / max(design.uncertainty_now, 1e-9)
    if len(frames) >= ENOUGH_FRAMES and shrinks < LEAST_SHRINKING * len(design.positions):
        log.warnings.append(
            f"The error of {best.uncertainty:.1f} steps is more than the tolerance, but further exposures would hardly"
            " shrink it: the models of the curve differ by that much."
        )
        return False
    positions = in_order([round(x) for x in design.positions], log.task.approach)
    why = f"where the error of {best.uncertainty:.1f} steps shrinks most"
    yield from log.ask(positions, "refine", why, curves=curves, follow=1)
    return True


def _first_sweep(log: ObservingLog, estimate: Estimate) -> Generator[Sweep, tuple[Measurement, ...], None]:
    """The thin symmetric sweep, without the places that locating has seen already."""
    each_side = max(LEAST_EACH_SIDE, -(-log.task.settings.samples_each_side // 2))
    taken = [m.position for m in log.frames() if has_trace(m) and m.position is not None]
    plan = symmetric_sweep(
        estimate.center,
        estimate.half_span / each_side,
        each_side,
        room=log.task.room,
        approach=log.task.approach,
        taken=taken,
    )
    why = f"a sweep of ± {estimate.half_span:.0f} steps about {estimate.center:.0f}"
    if plan.shift_steps:
        log.warnings.append(f"The sweep was shifted by {plan.shift_steps:+d} steps to stay inside the travel limits.")
        why += f", shifted by {plan.shift_steps:+d} to stay inside the travel"
    yield from log.ask(plan.positions, "sweep", why, follow=2)


def _choose_exposure(log: ObservingLog) -> bool:
    """Fit the exposure to the star before a sweep; frames of another exposure are left out from then on."""
    frames = log.frames()
    if log.task.exposure_range_s is None or not any(has_trace(m) for m in frames):
        return False
    floor_px = posterior_of(log, first_guess(log.task, log.task.start_position)).floor_px
    chosen = fitting_exposure(log.task, frames, log.exposure_s, floor_px)
    if chosen == log.exposure_s:
        return False
    log.warnings.append(f"The exposure was changed from {log.exposure_s:.3g} s to {chosen:.3g} s to suit the star.")
    log.begin_attempt(f"taken with another exposure ({log.exposure_s:.3g} s)")
    log.exposure_s = chosen
    return True


def _to_retake(log: ObservingLog, curves: FocusCurves, retaken: set[float]) -> tuple[int, ...]:
    """Positions whose frame lacks light or a trace amid others that have it; each is retaken once."""
    frames = used_frames(log, curves)
    suspects = [frames[i].position for i in clouded(frames, curves)]
    if curves.best is not None:
        suspects += [m.position for m in log.frames() if not has_trace(m) and m.phase != "locate"]
    fresh = {round(x) for x in suspects if x is not None and x not in retaken}
    return in_order({x for x in fresh if is_inside(x, log.task.room)}, log.task.approach)


def _recentred(log: ObservingLog, curves: FocusCurves, estimate: Estimate) -> Estimate:
    """Centre on the fit where it is inside what was sampled, else on what the widths alone say."""
    positions = used_positions(log, curves)
    if curves.best is not None and min(positions) < curves.best.position < max(positions):
        return replace(estimate, center=curves.best.position)
    if not any(has_trace(m) for m in log.frames()):
        return estimate
    posterior = posterior_of(log, first_guess(log.task, log.task.start_position))
    return Estimate(posterior.densest(estimate.half_span)[0], half_span(log.task, posterior.blur_steps))


def _widening(log: ObservingLog, curves: FocusCurves, estimate: Estimate, verdict: gates.Verdict) -> tuple[int, ...]:
    """Where to go on on the open sides."""
    # Also the places whose frames the fit left out: asked again, they would be left out again.
    swept = [m.position for m in log.frames() if m.phase == "sweep" and m.position is not None]
    positions = used_positions(log, curves) + swept or [estimate.center]
    spacing = estimate.half_span / LEAST_EACH_SIDE
    sides = (
        beyond(positions, estimate.center, estimate.half_span, spacing, side, log.task.room)
        for side in verdict.open_sides
    )
    return in_order({x for side in sides for x in side}, log.task.approach)


def _widening_why(verdict: gates.Verdict) -> str:
    sides = " and ".join(verdict.open_sides)
    return f"best focus is not bracketed yet: on to the {sides} side"


def _good_enough(log: ObservingLog, curves: FocusCurves, verdict: gates.Verdict) -> bool:
    best = curves.best
    if best is None or not verdict.passed or len(used_positions(log, curves)) < LEAST_TO_STOP:
        return False
    return best.uncertainty <= log.task.settings.tolerance_steps


def _learned(log: ObservingLog, estimate: Estimate | None) -> Estimate | None:
    """Where the next attempt begins: about the fit of this one if it has one."""
    if estimate is None:
        return None
    best = _curves_of(log, estimate).best
    return estimate if best is None else replace(estimate, center=best.position)


def _curves_of(log: ObservingLog, estimate: Estimate | None) -> FocusCurves:
    """What an attempt knew when it failed."""
    return FocusCurves() if estimate is None else fit_log(log, estimate.center, estimate.half_span)
