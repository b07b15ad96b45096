"""Sweep: a thin set about the estimate, then on to the sides on which best focus is not bracketed."""

from __future__ import annotations

from collections.abc import Generator

from autofocus.model import FocusCurves, Measurement, Sweep
from autofocus.search.approach import in_order
from autofocus.search.exposure import fitting_exposure, overexposed
from autofocus.search.fitting import used_positions
from autofocus.search.gates import Verdict
from autofocus.search.locate import first_guess, half_span, posterior_of
from autofocus.search.log import Attempt, ObservingLog, has_trace
from autofocus.search.sweep import beyond, symmetric_sweep
from autofocus.search.task import Estimate

LEAST_EACH_SIDE = 2  # nodes of the first, thin sweep; refining fills in what the error still needs
MOST_WIDENINGS = 6
MOST_SHORTENINGS = 3  # of the exposure: where the peak is cut off, one look does not tell by how much


def sweep(log: ObservingLog, estimate: Estimate) -> Generator[Sweep, tuple[Measurement, ...], None]:
    """Sweep about the estimate, again with a shorter exposure where a frame is saturated."""
    yield from _thin_sweep(log, estimate)
    for _ in range(MOST_SHORTENINGS):
        if not (overexposed(log.task, log.frames()) and choose_exposure(log)):
            return
        yield from _thin_sweep(log, estimate)


def choose_exposure(log: ObservingLog) -> bool:
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


def widen(
    log: ObservingLog, attempt: Attempt, curves: FocusCurves, verdict: Verdict
) -> Generator[Sweep, tuple[Measurement, ...], bool]:
    """Go on on the open sides; False, and none taken, where the travel ends or it was done often enough."""
    attempt.widenings += 1
    attempt.estimate = _recentred(log, curves, attempt.estimate)
    positions = _open_positions(log, curves, attempt.estimate, verdict)
    if not positions or attempt.widenings > MOST_WIDENINGS:
        return False
    why = f"best focus is not bracketed yet: on to the {' and '.join(verdict.open_sides)} side"
    got = yield from log.ask(positions, "sweep", why, curves=curves, follow=2)
    return bool(got)


def _thin_sweep(log: ObservingLog, estimate: Estimate) -> Generator[Sweep, tuple[Measurement, ...], None]:
    """The symmetric set, without the places that locating has seen already."""
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


def _recentred(log: ObservingLog, curves: FocusCurves, estimate: Estimate) -> Estimate:
    """Centre on the fit where it is inside what was sampled, else on what the widths alone say; as wide as they say."""
    if not any(has_trace(m) for m in log.frames()):
        return estimate
    positions = used_positions(log, curves)
    posterior = posterior_of(log, first_guess(log.task, log.task.start_position))
    reach = half_span(log.task, posterior.blur_steps)
    if curves.best is not None and min(positions) < curves.best.position < max(positions):
        return Estimate(curves.best.position, max(estimate.half_span, reach))
    return Estimate(posterior.densest(estimate.half_span)[0], reach)


def _open_positions(log: ObservingLog, curves: FocusCurves, estimate: Estimate, verdict: Verdict) -> tuple[int, ...]:
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
