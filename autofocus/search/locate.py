"""Locate: from wherever the focuser starts to a sweep's width of best focus, in as few frames as can be."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterator

from autofocus.errors import NoFocusFound
from autofocus.model import SOUGHT, Measurement, Mode, Sweep
from autofocus.search.approach import clipped, is_inside, sign
from autofocus.search.gates import GROWTH
from autofocus.search.log import ObservingLog, has_trace
from autofocus.search.task import Estimate, FocusTask
from autofocus.search.vertex import VertexPosterior, VertexPrior, locate_vertex

SPACING_PER_BLUR = 0.43  # a sweep of ± 4 spacings then reaches widths of twice the floor
FLOOR_UM = 25.0  # the image of a star on a slit, seeing and optics together
DISC_FWHM = math.sqrt(3.0) / 2.0  # of a uniform disc's profile, in diameters
BLUR_UNKNOWN_STEPS = 60.0
SURE_ENOUGH = 0.75  # a sweep that misses can be widened for less than another probe costs
BETWEEN_PREFERRED = 0.4
MOST_PROBES = 8
GROWN_BLURS = 1.2 * math.sqrt(GROWTH**2 - 1.0)  # a hyperbola has grown by that, and a fifth for what is not known
MOST_STRETCHED = 2.5  # times what was asked for: the blur is hardly known before the sweep
LONGEST_RUN_UP_STEPS = 600  # no gear has so much play
TO_SHOW: dict[Mode, str] = {
    "spectrum": "put the star on the slit, or expose longer",
    "stars": "point the camera at stars, focus roughly, or expose longer",
    "lines": "switch the arc lamp on, or expose longer",
}
LAMP_OR_SKY = ("spectrum", "lines")
SCAN_STRIDE = 12.0  # in blur lengths: widths grow to six times the floor between two frames of the scan


def first_guess(task: FocusTask, start: float) -> VertexPrior:
    """What is known before the first frame.

    The user's spacing is taken for a statement about the optics, right within a factor of two; else the optics
    tell: a step of ``m`` microns spreads a disc of ``m / N`` microns.
    """
    settings = task.settings
    if settings.spacing_steps != "auto":
        blur, scatter = settings.spacing_steps / SPACING_PER_BLUR, 0.7
    elif task.f_ratio is not None and task.microns_per_step is not None:
        blur, scatter = FLOOR_UM * task.f_ratio / (DISC_FWHM * task.microns_per_step), 0.7
    else:
        blur, scatter = BLUR_UNKNOWN_STEPS, 1.2
    return VertexPrior(start, blur, scatter, task.low, task.high)


def half_span(task: FocusTask, blur_steps: float) -> float:
    """How far the sweep reaches to each side of the estimate: as asked, or until the trace has grown enough.

    A spacing far too small for the optics would only have the sweep widened again and again.
    """
    spacing, each_side = task.settings.spacing_steps, task.settings.samples_each_side
    if spacing == "auto":
        return max(SPACING_PER_BLUR * blur_steps, 1.0) * each_side
    asked = float(spacing) * each_side
    return max(asked, min(GROWN_BLURS * blur_steps, MOST_STRETCHED * asked))


def run_up_steps(task: FocusTask) -> int:
    """How far to arrive from at the least, where there is room: half a sweep, as play that bends a curve is less.

    Of a focuser with finer steps both the sweep and its play are more steps.
    """
    reach = half_span(task, first_guess(task, task.start_position).blur_steps)
    return max(round(min(reach, LONGEST_RUN_UP_STEPS)), task.backlash_steps)


def locate(log: ObservingLog, start: float) -> Generator[Sweep, tuple[Measurement, ...], Estimate]:
    """Find about where the focus is: one frame where we stand, then each next one where it is most likely.

    Raises
    ------
    NoFocusFound
        ``no_spectrum`` after the coarse scan, or the budget that ended before a trace was seen.
    """
    prior = first_guess(log.task, start)
    if not log.frames():
        yield from log.ask([round(clipped(start, log.task.room))], "locate", "a first look where the focuser stands")
    if not any(has_trace(m) for m in log.frames()):
        yield from _scan(log, prior)
    for _ in range(MOST_PROBES):
        posterior = posterior_of(log, prior)
        reach = half_span(log.task, posterior.blur_steps)
        center, probability = _likeliest(log, posterior, reach)
        probe = _next_probe(log, posterior, center, reach)
        if probe is None or (probability >= SURE_ENOUGH and _traces(log) > 1):
            break
        why = f"the width at {_last_position(log)} puts focus near {center:.0f}, {100 * probability:.0f} % likely"
        if not (yield from log.ask([probe], "locate", why)):
            break
    return Estimate(center, reach)


def _likeliest(log: ObservingLog, posterior: VertexPosterior, reach: float) -> tuple[float, float]:
    """The likeliest window and its probability; one between the frames taken where it is not much less likely.

    Widths on both sides of the focus and widths on one slope look alike. A frame between those taken tells them
    apart just as well as one further out, and serves the sweep if it was the focus.
    """
    center, probability = posterior.densest(reach)
    places = [m.position for m in log.frames() if has_trace(m) and m.position is not None]
    inner = posterior.densest(reach, min(places), max(places))
    return inner if inner[1] > BETWEEN_PREFERRED * probability else (center, probability)


def posterior_of(log: ObservingLog, prior: VertexPrior) -> VertexPosterior:
    """The posterior of the vertex from every frame of this attempt."""
    traces = [m for m in log.frames() if has_trace(m)]
    empty = [m.position for m in log.frames() if m.position is not None and not has_trace(m)]
    return locate_vertex(traces, empty, prior)


def _next_probe(log: ObservingLog, posterior: VertexPosterior, center: float, reach: float) -> int | None:
    """The position of the next frame; None when the likeliest place has been looked at already."""
    room = log.task.room
    if len(log.frames()) == 1:
        return _second_look(log, posterior, reach)
    probe = round(clipped(center, room))
    near = (m.position for m in log.frames() if m.position is not None)
    return None if any(abs(probe - x) < reach / 2 for x in near) else probe


def _second_look(log: ObservingLog, posterior: VertexPosterior, reach: float) -> int:
    """As far from the only trace as its width says the focus is, first in the approach direction.

    At the least it is an end of the sweep about that trace, so that nothing is lost should focus be there.
    """
    only = next(m for m in log.frames() if has_trace(m))
    position = float(only.position or 0.0)
    defocus = posterior.blur_steps * math.sqrt(max((only.fwhm_px / posterior.floor_px) ** 2 - 1.0, 0.0))
    step = sign(log.task.approach) * max(reach, defocus)
    ahead, behind = clipped(position + step, log.task.room), clipped(position - step, log.task.room)
    return round(ahead if abs(ahead - position) >= min(reach, abs(behind - position)) else behind)


def _scan(log: ObservingLog, prior: VertexPrior) -> Generator[Sweep, tuple[Measurement, ...], None]:
    """Look where focus was before, then further and further out on both sides, until something to measure shows.

    The end is the travel's, or half of all exposures allowed; or a second look at the first place that shows once more
    what cannot be focused so.
    """
    yield from _look_twice(log)
    most = max(log.task.settings.max_exposures // 2, 4)
    stride = SCAN_STRIDE * prior.blur_steps
    for position, why in _likely_places(log.task, prior.start, stride):
        if len(log.frames()) >= most:
            break
        if any(m.position is not None and abs(m.position - position) < stride / 2 for m in log.frames()):
            continue  # a trace so near would have shown
        got = yield from log.ask([position], "locate", f"{_seen_so_far(log)}: {why}")
        if any(has_trace(m) for m in got):
            return
        if not got:
            break
    raise _nothing_seen(log)


def _seen_so_far(log: ObservingLog) -> str:
    last = log.frames()[-1] if log.frames() else Measurement()
    hint = "" if last.shows is None else f" but {SOUGHT[last.shows]} (measure.mode: {last.shows})"
    return f"no {last.mode} yet{hint}"


def _look_twice(log: ObservingLog) -> Generator[Sweep, tuple[Measurement, ...], None]:
    """End where two frames show beyond doubt what this mode does not measure: no focus would change that.

    Not for lines behind a slit: they may be the sky's, and the star far out of focus.
    """
    first = log.frames()[-1] if log.frames() else None
    if first is None or first.position is None or first.shows is None or (first.mode, first.shows) == LAMP_OR_SKY:
        return
    why = f"the frame shows {SOUGHT[first.shows]} and not {SOUGHT[first.mode]}: once more, to be sure"
    got = yield from log.ask([round(first.position)], "locate", why)
    if got and got[-1].shows == first.shows:
        raise _nothing_seen(log)


def _nothing_seen(log: ObservingLog) -> NoFocusFound:
    """What was looked for and where, what most frames show, and what to do."""
    frames = [m for m in log.frames() if m.position is not None]
    if not frames:
        return NoFocusFound("The budget ended before the first frame.", reason=log.ended or "no_spectrum")
    low, high = (end(m.position for m in frames if m.position is not None) for end in (min, max))
    where = f"between {low:.0f} and {high:.0f}" if low < high else f"at {low:.0f}"
    telling = [m for m in frames if m.shows] or frames
    (mode, shows, verdict), _ = Counter((m.mode, m.shows, m.verdict) for m in telling).most_common(1)[0]
    said = f" ({verdict})" if verdict else ""
    mend = f"set measure.mode: {shows}, or {TO_SHOW[mode]}" if shows else TO_SHOW[mode]
    return NoFocusFound(f"No {mode} in {len(frames)} frames {where}{said}: {mend}.", reason="no_spectrum")


def _likely_places(task: FocusTask, start: float, stride: float) -> Iterator[tuple[int, str]]:
    """Positions of the scan in order of likelihood, and why there.

    Where focus was on earlier nights, then outward from the start, the approach side before the other.
    """
    for position in task.focused_before:
        if is_inside(position, task.room):
            yield position, "looking where focus was on an earlier night"
    why = f"scanning outward from {start:.0f}"
    start = clipped(start, task.room)
    for ring in range(1, 1000):
        pair = [start + sign(task.approach) * side * ring * stride for side in (1, -1)]
        inside = [round(position) for position in pair if is_inside(position, task.room)]
        if not inside:
            return
        yield from ((position, why) for position in inside)


def _traces(log: ObservingLog) -> int:
    return sum(has_trace(m) for m in log.frames())


def _last_position(log: ObservingLog) -> str:
    position = log.frames()[-1].position
    return "?" if position is None else f"{position:.0f}"
