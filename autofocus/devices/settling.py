"""When has the guider caught up after a move? A pure judgement over raw guide steps.

PHD2's own settle distance is smoothed (a jump of 5 px shows as 1.6 px), so it is not asked. The rule: over a
stretch of at least three steps and the settle time, the mean offset is shorter than the tolerance, and the steps
scatter no more than 1.5 times what they did before the run. Seeing alone must never time out, and it may have grown
since: so a longer stretch may also scatter as much as its own successive differences say (von Neumann 1941: for pure
noise both agree, for a star still on its way the scatter is larger). Fewer than eight steps cannot tell the two
apart: on a straight line of three the ratio is √2, and on a star coming back by two thirds a frame no more than 1.5.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from autofocus.devices.phd2_state import GuideStep

FEWEST_STEPS = 3
FEWEST_TO_KNOW_NOISE = 8
SCATTER_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class Settled:
    """The verdict on the newest stretch of steps: offsets in guide-camera pixels."""

    settled: bool
    why: str
    offset_px: float = math.nan
    scatter_px: float = math.nan


def scatter_px(steps: Sequence[GuideStep]) -> float:
    """RMS of the steps about their mean, both directions together; NaN for fewer than two."""
    if len(steps) < 2:
        return math.nan
    mean_x, mean_y = mean_px(steps)
    total = sum((s.dx_px - mean_x) ** 2 + (s.dy_px - mean_y) ** 2 for s in steps)
    return math.sqrt(total / (len(steps) - 1))


def mean_px(steps: Sequence[GuideStep]) -> tuple[float, float]:
    """The mean offset of the steps."""
    return sum(s.dx_px for s in steps) / len(steps), sum(s.dy_px for s in steps) / len(steps)


def judge(steps: Sequence[GuideStep], *, settle_px: float, settle_time_s: float, usual_scatter_px: float) -> Settled:
    """Whether the newest steps show a star at rest; ``steps`` are those begun after the move, oldest first.

    ``usual_scatter_px`` is the scatter before the run, NaN when unknown: then the steps' own noise must do.
    """
    count = _newest(steps, settle_time_s)
    if count is None:
        return Settled(False, f"{len(steps)} guide steps since the move do not yet span {settle_time_s:g} s")
    stretch = steps[-count:]
    offset, scatter = math.hypot(*mean_px(stretch)), scatter_px(stretch)
    if offset >= settle_px:
        return Settled(False, f"the star is {offset:.1f} px from the lock position", offset, scatter)
    if scatter <= SCATTER_GROWTH * usual_scatter_px or _is_noise(steps, count, settle_px):
        return Settled(True, f"the star rests {offset:.1f} px from the lock position", offset, scatter)
    before = "" if math.isnan(usual_scatter_px) else f", before the run by {usual_scatter_px:.1f} px"
    return Settled(False, f"the star still moves by {scatter:.1f} px{before}", offset, scatter)


def _newest(steps: Sequence[GuideStep], settle_time_s: float) -> int | None:
    """How many of the newest steps are a stretch long enough, or None."""
    for count in range(FEWEST_STEPS, len(steps) + 1):
        if steps[-1].at - steps[-count].at >= settle_time_s:
            return count
    return None


def _is_noise(steps: Sequence[GuideStep], count: int, settle_px: float) -> bool:
    """Whether the stretch, made long enough to tell, scatters about its mean as pure noise does."""
    count = max(count, FEWEST_TO_KNOW_NOISE)
    if len(steps) < count:
        return False
    stretch = steps[-count:]
    squares = [(b.dx_px - a.dx_px) ** 2 + (b.dy_px - a.dy_px) ** 2 for a, b in itertools.pairwise(stretch)]
    successive = math.sqrt(sum(squares) / len(squares) / 2)
    return math.hypot(*mean_px(stretch)) < settle_px and scatter_px(stretch) <= SCATTER_GROWTH * successive
