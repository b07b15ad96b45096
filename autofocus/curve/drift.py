"""What changed by itself during a run, judged from places that were looked at more than once.

At one place focus does not change the light or the width; what does is time. With the curves' slopes at hand the two
kinds of drift are told apart: focus that wanders by v moves ln FWHM and ln NSIG at x by -(F'/F) v t and -(N'/N) v t,
with opposite signs on either side of best focus; transparency adds b t to ln NSIG everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from autofocus.curve.hyperbola import Array
from autofocus.curve.series import light_of
from autofocus.curve.skytime import sky_times
from autofocus.model import CurveFit, FocusCurves, Measurement

SAME_PLACE_STEPS = 2.0
CERTAIN_SIGMAS = 3.0
WORTH_SAYING = 0.05  # of the light, over the run
USUAL = np.array([0.01, 1e-3])  # steps and part of the light per second; a prior, so wide that it hardly matters
HOUR_S = 3600.0
LARGEST_SCATTER = (0.06, 0.04)  # of a frame's width and light: what the curves hold beyond may be the drift itself


@dataclass(frozen=True, slots=True)
class Drift:
    """How fast best focus and the light change, with 1 σ errors, and the time (s) that the repeats span."""

    steps_per_hour: float
    steps_per_hour_err: float
    light_per_hour: float
    light_per_hour_err: float
    span_s: float

    def warnings(self, tolerance_steps: float) -> tuple[str, ...]:
        """A sentence for each drift that is certain and matters: more than a tolerance, or 5 % of the light."""
        said = []
        moved = self.steps_per_hour * self.span_s / HOUR_S
        if abs(self.steps_per_hour) > CERTAIN_SIGMAS * self.steps_per_hour_err and abs(moved) > tolerance_steps:
            said.append(
                f"best focus drifted by {moved:+.1f} steps in {self.span_s / 60.0:.0f} minutes, as places seen twice"
                " show: the temperature changes, or the focuser slips"
            )
        changed = math.expm1(self.light_per_hour * self.span_s / HOUR_S)
        if abs(self.light_per_hour) > CERTAIN_SIGMAS * self.light_per_hour_err and abs(changed) > WORTH_SAYING:
            said.append(
                f"the light changed by {100.0 * changed:+.0f} % in {self.span_s / 60.0:.0f} minutes, as places seen"
                " twice show: clouds, the star's altitude, or the guiding"
            )
        return tuple(said)


def find_drift(measurements: Sequence[Measurement], curves: FocusCurves) -> Drift | None:
    """Fit both drifts to the frames that share a position.

    Parameters
    ----------
    measurements : sequence of Measurement
        With ``position`` and times as `sky_times` takes them; those without a trace are passed over.
    curves : FocusCurves
        Fitted to them: its slopes tell a drift of focus from one of the light, its bands how frames scatter.

    Returns
    -------
    Drift or None
        None where no position was looked at twice, or there are no curves.
    """
    information, pull = np.diag(USUAL**-2.0), np.zeros(2)
    times: list[float] = []
    for position, elapsed, frames in _repeats(measurements):
        for slope, values, errors, is_light in _both(position, frames, curves):
            good = np.isfinite(values) & np.isfinite(errors)
            if good.sum() < 2:
                continue
            weight = errors[good] ** -2.0
            time = elapsed[good] - np.average(elapsed[good], weights=weight)
            change = values[good] - np.average(values[good], weights=weight)
            design = time[:, None] * np.array([-slope, 1.0 if is_light else 0.0])
            information += design.T @ (weight[:, None] * design)
            pull += design.T @ (weight * change)
            times += elapsed[good].tolist()
    if not times or np.ptp(times) <= 0.0:
        return None
    covariance = np.linalg.inv(information)
    rate, error = HOUR_S * covariance @ pull, HOUR_S * np.sqrt(np.diag(covariance))
    return Drift(float(rate[0]), float(error[0]), float(rate[1]), float(error[1]), float(np.ptp(times)))


def _repeats(measurements: Sequence[Measurement]) -> Iterator[tuple[float, Array, list[Measurement]]]:
    """Positions that were looked at more than once, each with the times of its frames and the frames."""
    times = sky_times(measurements)
    placed = [
        (one.position, time, one) for one, time in zip(measurements, times, strict=True) if one.position is not None
    ]
    left = sorted((one for one in placed if math.isfinite(one[1])), key=lambda one: one[0])
    while left:
        near = [one for one in left if one[0] - left[0][0] <= SAME_PLACE_STEPS]
        left = left[len(near) :]
        if len(near) > 1:
            positions, elapsed, frames = zip(*near, strict=True)
            yield float(np.mean(positions)), np.array(elapsed), list(frames)


def _both(
    position: float, frames: Sequence[Measurement], curves: FocusCurves
) -> Iterator[tuple[float, Array, Array, bool]]:
    """For each curve its slope d ln y / dx, the frames' ln y and their errors, and whether it is the light's."""
    widths = [(frame.fwhm_px, frame.fwhm_err_px) for frame in frames]
    lights = [light_of(frame) for frame in frames]
    for curve, pairs, most in zip((curves.fwhm, curves.nsig), (widths, lights), LARGEST_SCATTER, strict=True):
        if curve is None or not curve.line[0][0] <= position <= curve.line[-1][0]:
            continue
        value, error = np.array(pairs, dtype=float).T
        good = value > 0.0
        value, error = np.where(good, value, np.nan), np.where(error > 0.0, error, 0.0)
        slope, scatter = _slope_and_scatter(curve, position)
        yield slope, np.log(value), np.hypot(error / value, min(scatter, most)), curve is curves.nsig


def _slope_and_scatter(curve: CurveFit, position: float) -> tuple[float, float]:
    places, values = (np.array(column) for column in zip(*curve.line, strict=True))
    of_frame = np.array([scatter for _, _, scatter in curve.band])
    logs = np.log(np.maximum(values, 1e-9))
    at = [float(np.interp(position, places, column)) for column in (np.gradient(logs, places), of_frame / values)]
    return at[0], at[1]
