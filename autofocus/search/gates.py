"""What must hold before a position may be called focus, each in units of the data's own noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autofocus.curve.fit import predict
from autofocus.curve.series import light_of
from autofocus.model import BestFocus, Confirmation, FocusCurves, Measurement
from autofocus.search.approach import Direction
from autofocus.search.clouds import darkness, unsteadiness

CONTRAST_SIGMAS = 3.0
WORSE_SIGMAS = 3.0  # of a confirming frame
BETTER_SIGMAS = 5.0  # better than predicted is no reason to doubt the place, unless it is much better
GROWTH = 1.5  # of the width from best focus to an end: less lever, and a curve may bend unseen
EACH_SIDE = 2  # positions beyond best focus that bracket it
SPAN_PER_ERROR = 8.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well the curves know the focus: the sides that are still open, and whether the error is small enough.

    ``contrast`` is that of the inward and the outward end; ``unsteady`` says how the light speaks against a clear sky,
    where it decides and does.
    """

    open_sides: tuple[Direction, ...]
    sharp: bool
    contrast: tuple[float, float]
    unsteady: str = ""

    @property
    def passed(self) -> bool:
        """May this be called focus?"""
        return self.sharp and not self.unsteady and not self.open_sides


def judge(
    curves: FocusCurves,
    frames: Sequence[Measurement],
    tolerance: float,
    dropped: Sequence[Measurement] = (),
    seen: Sequence[Measurement] = (),
) -> Verdict:
    """Weigh the curves against the frames that they rest on, those that the fit dropped, and all ``seen`` before.

    A side is open where fewer than two positions lie beyond best focus, or where the objective at the outermost
    one is not worse than at best focus by `CONTRAST_SIGMAS`, or the trace there has not `grown`. The position is
    sharp where its error is within the tolerance, the range that costs less than 2 % of the objective, or an eighth
    of the sampled range.
    """
    best = curves.best
    positions = [frame.position for frame in frames if frame.position is not None]
    if best is None or not positions:
        return Verdict(("inward", "outward"), sharp=False, contrast=(0.0, 0.0))
    ends = (min(positions), max(positions))
    contrasts = (contrast(curves, best, ends[0]), contrast(curves, best, ends[1]))
    worse = [sigmas >= CONTRAST_SIGMAS and grown(curves, end) for sigmas, end in zip(contrasts, ends, strict=True)]
    enough = (
        _beyond(positions, best.position, inward=True) >= EACH_SIDE and worse[0],
        _beyond(positions, best.position, inward=False) >= EACH_SIDE and worse[1],
    )
    sides: tuple[Direction, Direction] = ("inward", "outward")
    limit = max(tolerance, (best.high - best.low) / 2, (ends[1] - ends[0]) / SPAN_PER_ERROR)
    open_sides = tuple(side for side, closed in zip(sides, enough, strict=True) if not closed)
    sharp = math.isfinite(best.uncertainty) and best.uncertainty <= limit
    unsteady = "" if best.objective == "fwhm" else darkness(curves, seen) or unsteadiness(curves, frames, dropped)
    return Verdict(open_sides, sharp, contrasts, unsteady)


def contrast(curves: FocusCurves, best: BestFocus, position: float) -> float:
    """How much worse the objective's metrics are at ``position`` than at best focus, in sigmas of a frame there.

    For ``snr`` both metrics count, in quadrature; a metric that is better there than at best focus counts nothing.
    """
    there, here = predict(curves, position), predict(curves, best.position)
    width = _ratio(there.fwhm_px - here.fwhm_px, math.hypot(there.fwhm_err_px, here.fwhm_err_px))
    light = _ratio(here.nsig - there.nsig, math.hypot(there.nsig_err, here.nsig_err))
    if best.objective == "fwhm":
        return width
    return light if best.objective == "nsig" else math.hypot(width, light)


def grown(curves: FocusCurves, position: float) -> bool:
    """Whether the trace is wider at ``position`` than at its narrowest by `GROWTH`; true where no width is known."""
    if curves.fwhm is None:
        return True
    return predict(curves, position).fwhm_px >= GROWTH * curves.fwhm.value


def compare(curves: FocusCurves, measurement: Measurement) -> Confirmation:
    """Does the frame at the answer show what the curves predict, in both metrics?

    Sigmas are positive where the frame is worse than predicted: wider, or with less light. A metric that was
    not measured, or whose light the guiding spoiled, does not count; without any the frame does not agree.
    """
    position = math.nan if measurement.position is None else measurement.position
    expected = predict(curves, position)
    light, light_err = light_of(measurement)
    wider = _sigmas(measurement.fwhm_px - expected.fwhm_px, measurement.fwhm_err_px, expected.fwhm_err_px)
    fainter = _sigmas(expected.nsig - light, light_err, expected.nsig_err)
    measured = [value for value in (wider, fainter) if math.isfinite(value)]
    agrees = bool(measured) and all(-BETTER_SIGMAS <= value <= WORSE_SIGMAS for value in measured)
    return Confirmation(measurement, agrees, wider, fainter)


def only_fainter(confirmation: Confirmation) -> bool:
    """Is the width as predicted, and only light missing? A cloud that passes does that."""
    width = confirmation.fwhm_sigmas
    return confirmation.nsig_sigmas > WORSE_SIGMAS and -BETTER_SIGMAS <= width <= WORSE_SIGMAS


def _beyond(positions: Iterable[float], best: float, *, inward: bool) -> int:
    return len({x for x in positions if (x < best if inward else x > best)})


def _ratio(difference: float, error: float) -> float:
    return max(difference, 0.0) / error if math.isfinite(difference) and error > 0.0 else 0.0


def _sigmas(difference: float, own: float, expected: float) -> float:
    error = math.hypot(own if math.isfinite(own) else 0.0, expected)
    return difference / error if error > 0.0 else math.nan
