"""How long to expose: the trace's peak in a window of the full well, and long enough to average the seeing.

The exposure changes only before a sweep, never inside one: exposures that differ inside one sweep bias the signal
per second (5 to 18 % on a real series of stars), and so would the curve be bent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from autofocus.model import Measurement
from autofocus.search.log import has_trace
from autofocus.search.task import FocusTask

PEAK_WINDOW = (0.2, 0.7)  # of the full well above the background, at best focus
PEAK_AIM = 0.45
SEEING_S = 5.0  # image motion and scintillation average out over seconds
WORTH_CHANGING = 1.25  # a smaller factor than this changes nothing


def first_exposure(task: FocusTask) -> float:
    """The exposure of the first frame: the one asked for, moved into the range allowed."""
    return _clipped(task.exposure_s, task)


def fitting_exposure(task: FocusTask, frames: Sequence[Measurement], exposure_s: float, floor_px: float) -> float:
    """The exposure at which the peak at best focus lies in the window; ``exposure_s`` where that does already.

    Parameters
    ----------
    frames : sequence of Measurement
        Any with a trace; those without are passed over.
    exposure_s : float
        The exposure in use.
    floor_px : float
        Width expected at best focus: the same light in a narrower trace has a higher peak.

    Returns
    -------
    float
        Seconds, inside ``task.exposure_range_s``; ``exposure_s`` itself where nothing is known of the full well.
    """
    filled = _fullest(task, frames, floor_px)
    if task.exposure_range_s is None or math.isnan(filled):
        return exposure_s
    if PEAK_WINDOW[0] <= filled * exposure_s <= PEAK_WINDOW[1]:
        return exposure_s
    wanted = PEAK_AIM / filled
    if wanted < SEEING_S:
        wanted = min(SEEING_S, PEAK_WINDOW[1] / filled)
    chosen = _clipped(wanted, task)
    return chosen if max(chosen / exposure_s, exposure_s / chosen) > WORTH_CHANGING else exposure_s


def overexposed(task: FocusTask, frames: Sequence[Measurement]) -> bool:
    """Whether a frame of the sweep is saturated, or peaks above the window, so that its numbers cannot be trusted."""
    taken = [m for m in frames if has_trace(m)]
    return any(m.saturated_px > 0 for m in taken) or any(
        _filling(task, m) * (m.exposure_s or 0.0) > PEAK_WINDOW[1] for m in taken
    )


def _fullest(task: FocusTask, frames: Sequence[Measurement], floor_px: float) -> float:
    """The part of the full well that one second fills at best focus, from the frame that says most; NaN if none."""
    rates = [_filling(task, m) * max(m.fwhm_px / floor_px, 1.0) for m in frames if has_trace(m)]
    return max((rate for rate in rates if rate > 0.0), default=math.nan)


def _filling(task: FocusTask, frame: Measurement) -> float:
    """The part of the full well that one second fills at the peak of this frame; NaN if it cannot be told."""
    if task.saturation_adu is None or not frame.exposure_s:
        return math.nan
    well = task.saturation_adu - frame.background_adu
    return (frame.peak_adu - frame.background_adu) / well / frame.exposure_s if well > 0.0 else math.nan


def _clipped(exposure_s: float, task: FocusTask) -> float:
    if task.exposure_range_s is None:
        return exposure_s
    low, high = task.exposure_range_s
    return min(max(exposure_s, low), high)
