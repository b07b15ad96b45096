"""Clouds: light that changes with time must not pass for light that changes with focus.

A sweep is monotone, so that a cloud which thickens or clears during it tilts the light's curve and moves its peak
without a trace in the residuals. What gives it away: frames far too faint, which are retaken; frames far too bright,
for a cloud only takes light; and a place seen twice, at different times, with different light.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import median

from autofocus.curve.fit import predict
from autofocus.curve.series import light_of
from autofocus.model import FocusCurves, Measurement

FAINT = 0.75  # of the predicted light: a cloud, or the star off the slit
CLEARLY_FAINTER = 0.85  # than another frame at the same place, under a sky known to change
MOST_RETAKEN = 2
STEADY_SCATTER = 0.12  # RMS of the light about its curve, relative: a clear night stays below
STEADY_REPEAT = 0.2  # two frames at one place
TOO_BRIGHT = 0.3  # above the curve
DARK = 0.05  # of the light seen before: three magnitudes of cloud
REPEAT_STEPS = 2.0
REPEAT_SIGMAS = 4.0  # of the scatter that seeing and guiding explain
OWN_SIGMAS = 3.0


def clouded(measurements: Sequence[Measurement], curves: FocusCurves) -> tuple[int, ...]:
    """Indices of the frames with far less light than the curves predict, the faintest first, at most two.

    A frame whose position the curves do not cover is not judged.
    """
    shares = {}
    for index, measurement in enumerate(measurements):
        if measurement.position is None:
            continue
        expected, (light, _) = predict(curves, measurement.position), light_of(measurement)
        if expected.nsig > 0.0 and light < FAINT * expected.nsig:
            shares[index] = light / expected.nsig
    return tuple(sorted(shares, key=shares.__getitem__)[:MOST_RETAKEN])


def brightening(before: Measurement, after: Measurement) -> float:
    """How many times the light of ``before`` the frame ``after`` has, taken at the same place; 1 at another place."""
    if before.position is None or after.position is None or abs(before.position - after.position) > REPEAT_STEPS:
        return 1.0
    (first, _), (second, _) = light_of(before), light_of(after)
    return second / first if first > 0.0 and second > 0.0 else 1.0


def unsteadiness(curves: FocusCurves, frames: Sequence[Measurement], dropped: Sequence[Measurement]) -> str:
    """How the light of a series contradicts a clear sky, in words; empty where it does not.

    Parameters
    ----------
    curves : FocusCurves
    frames : sequence of Measurement
        Those that the curves rest on.
    dropped : sequence of Measurement
        Those that the fit left out; only those much brighter than the curve count.
    """
    scatter = light_scatter(curves, frames)
    if scatter > STEADY_SCATTER:
        return f"it scatters by {scatter:.0%} about its curve"
    change = largest_change(frames)
    if change > max(STEADY_REPEAT, REPEAT_SIGMAS * math.sqrt(2.0) * _usual_scatter(curves)):
        return f"it changed by {change:.0%} between two frames at one place"
    if any(_excess(curves, frame) > TOO_BRIGHT for frame in dropped):
        return "one frame is far brighter than the curve of the others"
    return ""


def darkness(curves: FocusCurves, seen: Sequence[Measurement]) -> str:
    """How little light the curve rests on, in words; empty unless some frame of the search, anywhere, had far more.

    In focus there is more light than elsewhere, so a peak below what was seen before stands under a cloud. A steady
    thin one does no harm; under `DARK` the noise of hardly any light decides where the peak is.
    """
    if curves.nsig is None:
        return ""
    lights = [light - OWN_SIGMAS * error for light, error in map(light_of, seen)]
    brightest = max((light for light in lights if light > 0.0), default=0.0)
    if curves.nsig.value >= DARK * brightest:
        return ""
    return f"hardly any is left, {curves.nsig.value / brightest:.1%} of what was seen before"


def largest_change(frames: Sequence[Measurement]) -> float:
    """Largest relative difference of the light of two frames at one place, beyond three of their own errors."""
    largest = 0.0
    for one, other in combinations(frames, 2):
        if one.position is None or other.position is None or abs(one.position - other.position) > REPEAT_STEPS:
            continue
        (first, first_err), (second, second_err) = light_of(one), light_of(other)
        difference = abs(first - second) - OWN_SIGMAS * math.hypot(first_err, second_err)
        if difference > 0.0:
            largest = max(largest, difference / max(first, second))
    return largest


def light_scatter(curves: FocusCurves, frames: Sequence[Measurement]) -> float:
    """RMS relative deviation of the light from its curve, the frames' own errors taken off; 0 without a curve."""
    excess = []
    for frame in frames:
        light, error = light_of(frame)
        expected = math.nan if frame.position is None else predict(curves, frame.position).nsig
        if expected > 0.0 and math.isfinite(light):
            own = error / expected if math.isfinite(error) else 0.0
            excess.append((light / expected - 1.0) ** 2 - own**2)
    return math.sqrt(max(sum(excess) / len(excess), 0.0)) if excess else 0.0


def _usual_scatter(curves: FocusCurves) -> float:
    """Relative scatter of one frame's light that the fit puts down to seeing, median along the curve."""
    curve = curves.nsig
    if curve is None or not curve.band:
        return 0.0
    return median(of_frame / value for (_, value), (_, _, of_frame) in zip(curve.line, curve.band, strict=True))


def _excess(curves: FocusCurves, frame: Measurement) -> float:
    """How much brighter than the curve a frame inside its range is, relative, beyond three of its own errors."""
    curve = curves.nsig
    if curve is None or frame.position is None or not curve.line[0][0] <= frame.position <= curve.line[-1][0]:
        return 0.0
    light, error = light_of(frame)
    expected = predict(curves, frame.position).nsig
    return (light - OWN_SIGMAS * error) / expected - 1.0 if expected > 0.0 and error >= 0.0 else 0.0
