"""Retake: frames that a cloud spoiled, every place under a changing sky, and the first place of a long run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator

from autofocus.model import FocusCurves, Measurement, Sweep
from autofocus.search.approach import in_order, is_inside
from autofocus.search.clouds import CLEARLY_FAINTER, FAINT, brightening, clouded
from autofocus.search.fitting import used_frames, used_positions
from autofocus.search.log import Attempt, ObservingLog, has_trace

MOST_PASSES = 3
LONG_RUN_S = 600.0  # before that no telescope cools by a step that counts


def faint_places(log: ObservingLog, attempt: Attempt, curves: FocusCurves) -> tuple[int, ...]:
    """Positions whose frame lacks light or a trace amid others that have it; each is retaken once."""
    frames = used_frames(log, curves)
    suspects = [frames[i].position for i in clouded(frames, curves)]
    if curves.best is not None:
        suspects += [m.position for m in log.frames() if not has_trace(m) and m.phase != "locate"]
    fresh = {round(x) for x in suspects if x is not None} - attempt.retaken
    return in_order({x for x in fresh if is_inside(x, log.task.room)}, log.task.approach)


def retake(
    log: ObservingLog, attempt: Attempt, curves: FocusCurves, places: tuple[int, ...]
) -> Generator[Sweep, tuple[Measurement, ...], bool]:
    """Take faint frames again; one that was much fainter than its repeat keeps its width alone."""
    attempt.retaken.update(places)
    got = yield from log.ask(places, "sweep", "again where a cloud seems to have passed", curves=curves, follow=2)
    _flag_clouded(log, FAINT)
    return bool(got)


def revisit(
    log: ObservingLog, attempt: Attempt, curves: FocusCurves
) -> Generator[Sweep, tuple[Measurement, ...], bool]:
    """Take the places seen least often again: a cloud only takes light, so the brightest frame is the truest."""
    log.cloudy = True
    before = len(log.clouded)
    _flag_clouded(log, CLEARLY_FAINTER)
    if len(log.clouded) > before:
        return True
    if attempt.passes == MOST_PASSES:
        return False
    attempt.passes += 1
    seen = Counter(round(x) for x in used_positions(log, curves))
    places = [place for place, times in seen.items() if times <= attempt.passes]
    why = "the light is not steady: every place once more, for its clearest frame"
    got = yield from log.ask(in_order(places, log.task.approach), "sweep", why, curves=curves, follow=2)
    _flag_clouded(log, CLEARLY_FAINTER)
    return bool(got)


def has_to_look_back(log: ObservingLog, attempt: Attempt) -> bool:
    """Under a changing sky, and in a long run, the place where the attempt began is worth another look."""
    frames = log.frames()
    long = len(frames) > 1 and frames[-1].elapsed_s - frames[0].elapsed_s > LONG_RUN_S
    return (log.cloudy or long) and not attempt.looked_back


def look_back(
    log: ObservingLog, attempt: Attempt, curves: FocusCurves
) -> Generator[Sweep, tuple[Measurement, ...], bool]:
    """Look again where this attempt began: the light, and the width, there tell whether the curve is real."""
    attempt.looked_back = True
    first = used_positions(log, curves)[0]
    why = "back where the sweep began: are light and width still the same?"
    got = yield from log.ask([round(first)], "sweep", why, curves=curves, follow=1)
    return bool(got)


def _flag_clouded(log: ObservingLog, share: float) -> None:
    """Note the frames that had less than this share of the light that another one had at their place."""
    indices = log.indices()
    for i in indices:
        gain = max((brightening(log.at(i), log.at(k)) for k in indices), default=1.0)
        if gain * share > 1.0:
            log.cloudy = True
            log.clouded.add(i)
