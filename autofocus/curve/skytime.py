"""When the frames of a run were taken, by the time in which the air changes and the focus drifts.

On the sky that is the clock's. A simulator may run fast: then an exposure is over sooner than it should be, and between
two frames the simulated air has had as much more time. Taken for frames in quick succession, through air that had no
time to change, such frames would be believed far too much.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from autofocus.curve.hyperbola import Array
from autofocus.model import Measurement

LONGEST_S = 1e9  # no run takes thirty years
UTC = re.compile(r"(\d{4}-\d\d-\d\d(?:T[\d:.]+)?)(?:Z|\+00:00)?", re.ASCII)
ROUNDED_S = 1.0  # times of exposures in headers are often whole seconds


def sky_times(frames: Sequence[Measurement]) -> Array:
    """Times of the frames, seconds.

    Parameters
    ----------
    frames : sequence of Measurement
        With ``elapsed_s`` from a session of ours, or ``started_utc`` from their headers. Where ``exposing_s`` says
        that the exposures took less than their time, all that passed is counted as much longer.

    Returns
    -------
    array, shape (n,)
        From an arbitrary moment; all NaN where they are not known of every frame, or where frames lie closer
        together than their exposures are long, as by the clock of no sky.
    """
    elapsed = np.array([frame.elapsed_s for frame in frames], dtype=float)
    if elapsed.size and np.all((elapsed > 0.0) & (elapsed < LONGEST_S)):
        times = elapsed * _pace(frames)
    else:
        times = np.array([_epoch_s(frame.started_utc) for frame in frames], dtype=float)
        times = times - times.min(initial=np.inf)
    possible = np.all(times < LONGEST_S) and _far_enough_apart(times, frames)
    return times if possible else np.full(len(frames), np.nan)


def _pace(frames: Sequence[Measurement]) -> float:
    """How many times faster than the sky's the time of these frames runs."""
    paces = [
        frame.exposure_s / frame.exposing_s
        for frame in frames
        if frame.exposure_s and 0.0 < frame.exposing_s < frame.exposure_s < math.inf
    ]
    return float(np.median(paces)) if 2 * len(paces) > len(frames) else 1.0


def _far_enough_apart(times: Array, frames: Sequence[Measurement]) -> bool:
    exposures = [frame.exposure_s for frame in frames if frame.exposure_s and frame.exposure_s < math.inf]
    if len(times) < 2 or not exposures:
        return True
    return float(np.median(np.diff(np.sort(times)))) + ROUNDED_S >= float(np.median(exposures))


def _epoch_s(started_utc: str | None) -> float:
    moment = UTC.fullmatch(started_utc or "")
    if moment is None:
        return math.nan
    try:
        return float((np.datetime64(moment[1]) - np.datetime64(0, "s")) / np.timedelta64(1, "s"))
    except ValueError:  # a thirteenth month
        return math.nan
