"""A recorded series judged: both focus curves, the decision between them, and why there may be none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autofocus.curve.significance import chance_of_noise
from autofocus.digits import shown_error, with_error
from autofocus.model import SOUGHT, Flag, FocusCurves, FocusResult, Measurement
from autofocus.session.advice import OPTIMUM, deciding, diagnosis, disagreement
from autofocus.settings import SearchSettings

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_POSITIONS = 4
LARGEST_CHANCE = 0.02  # that a series without a focus shows such a curve
CLEAR_CONTRAST = 3.0  # sigmas of one frame by which the end of a series is worse than best focus


def analyze(
    measurements: Sequence[Measurement],
    settings: SearchSettings | None = None,
    *,
    fit: Callable[..., FocusCurves] | None = None,
) -> FocusResult:
    """Fit the focus curves of a recorded series and judge them.

    Parameters
    ----------
    measurements
        In any order; positions may repeat. What cannot be used is left out of the fit, with the reason.
    settings
        ``objective``, ``science_exposure_s`` and ``min_nsig_fraction`` of the search section; None: the defaults.
    fit
        In place of `autofocus.curve.fit.fit_focus`.

    Returns
    -------
    FocusResult
        ``focused``, or ``no_focus`` with the reason ``no_spectrum``, ``too_few_samples``, ``not_bracketed`` or
        ``poor_fit``. Never raises on poor data.
    """
    from autofocus.curve.fit import fit_focus

    asked = settings or SearchSettings()
    taken = tuple(measurements)
    curves = (fit or fit_focus)(
        taken,
        objective=asked.objective,
        science_exposure_s=asked.science_exposure_s,
        min_nsig_fraction=asked.min_nsig_fraction,
    )
    best = curves.best
    objective = best.objective if best else asked.objective
    reason, message = _fault(taken, curves, asked.tolerance_steps)
    remarks = tuple(sentence for sentence in (disagreement(curves), diagnosis(curves)) if sentence)
    if best is not None and not reason:
        message = f"Best focus ({OPTIMUM[objective]}) is at {with_error(best.position, best.uncertainty)}."
    return FocusResult(
        outcome="no_focus" if reason else "focused",
        reason=reason or None,
        message=message,
        objective=objective,
        curves=curves,
        measurements=taken,
        warnings=remarks,
    )


def _fault(taken: Sequence[Measurement], curves: FocusCurves, tolerance: float) -> tuple[str, str]:
    """CONTRACT's reason why there is no focus, and a sentence; two empty ones when there is."""
    telling = [one for one in taken if Flag.NO_TRACE not in one.flags and (one.fwhm_px > 0 or one.nsig > 0)]
    if taken and not telling:
        shown = Counter(one.shows for one in taken if one.shows is not None).most_common(1)
        hint = f"; {shown[0][1]} of them show {SOUGHT[shown[0][0]]}: set measure.mode: {shown[0][0]}" if shown else ""
        return "no_spectrum", f"None of the {len(taken)} frames holds {SOUGHT[taken[-1].mode]}{hint}."
    positions = {one.position for one in telling if one.position is not None}
    if len(positions) < LEAST_POSITIONS:
        known = f"{len(positions)} position{'' if len(positions) == 1 else 's'}"
        hint = "" if positions else "; give them in the header (FOCUSPOS) or the name, or with --position-pattern"
        return "too_few_samples", f"A focus curve needs {LEAST_POSITIONS} positions, the series has {known}{hint}."
    best = curves.best
    if best is None:
        return "poor_fit", "No focus curve fits the series."
    if not best.bracketed:
        side = "inward" if best.position < sum(positions) / len(positions) else "outward"
        return "not_bracketed", f"The frames do not bracket the focus: it lies further {side}; take frames there."
    from autofocus.search.gates import judge

    verdict = judge(curves, [one for one in telling if one.position is not None], tolerance)
    if not verdict.sharp:
        span = max(positions) - min(positions)
        open_by = shown_error(best.uncertainty)
        return "poor_fit", f"The curve leaves its optimum open by ± {open_by} of the {span:.0f} steps sampled."
    chance = min(chance_of_noise(curve) for curve in deciding(curves, best.objective))
    if chance > LARGEST_CHANCE and max(verdict.contrast) < CLEAR_CONTRAST:
        return "poor_fit", "The numbers scatter about their mean as much as about a focus curve."
    return "", ""


def read_session(folder: Path) -> list[Measurement]:
    """The measurements that a session folder's journal holds, in the order they were taken."""
    from autofocus.session.journal import read_measurements

    return read_measurements(folder)
