"""From the frames of a run to both focus curves and the decision between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autofocus.curve.candidates import Candidate, candidates
from autofocus.curve.cautions import cautions
from autofocus.curve.drift import find_drift
from autofocus.curve.ensemble import Ensemble, gather
from autofocus.curve.field import levelled
from autofocus.curve.hyperbola import Array
from autofocus.curve.objective import Decision, decide_by, describe_losses, within_best
from autofocus.curve.outliers import most_dropped, worst_outlier
from autofocus.curve.series import LIGHT, WIDTH, Series, build, sort_out
from autofocus.curve.solve import Solution, first_guesses, solve
from autofocus.model import NAN, BestFocus, CurveFit, FocusCurves, Measurement, Metric, Objective

LEAST_PLACES = 4
EACH_SIDE = 2
LINE_POINTS = 81
SUSPECT_TRANSPARENCY = 0.05
CLOUDED_TRANSPARENCY = 0.4
SAME_ANSWER = 0.25  # squared standard deviations
CHANNELS: tuple[tuple[Metric, int], ...] = (("fwhm", WIDTH), ("nsig", LIGHT))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the curves expect of one frame; errors are those of the curve and of a frame's scatter about it."""

    fwhm_px: float
    fwhm_err_px: float
    nsig: float
    nsig_err: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A run and the models fitted to it, before anything is decided."""

    series: Series
    ensemble: Ensemble
    left_out: dict[int, str]


def fit_focus(
    measurements: Sequence[Measurement],
    *,
    objective: Objective,
    science_exposure_s: float | None = None,
    min_nsig_fraction: float | None = None,
) -> FocusCurves:
    """Fit both curves and decide.

    Parameters
    ----------
    measurements : sequence of Measurement
        In any order; positions may repeat. Frames without a position or a trace are left out, with the reason.
    objective :
        What is asked for; `BestFocus.objective` says what was used.
    science_exposure_s : float, optional
        Exposure for which signal-to-noise is maximised; None: the median of the frames'.
    min_nsig_fraction : float, optional
        With ``fwhm``: only where NSIG keeps this part of its peak.

    Returns
    -------
    FocusCurves
        Curves are None where fewer than four positions were measured; ``warnings`` say why. Never raises on poor
        data.
    """
    fitted = fit_models(measurements)
    if isinstance(fitted, FocusCurves):
        return fitted
    series, ensemble = fitted.series, fitted.ensemble
    modelled = modelled_channels(ensemble)
    decision, warnings = decide_by(objective, measurements, series, modelled, science_exposure_s, min_nsig_fraction)
    curves = {metric: _curve(fitted, metric, channel) for metric, channel in CHANNELS if modelled[channel]}
    best = _best(fitted, decision)
    warnings += cautions(measurements, series, ensemble, best, EACH_SIDE)
    found = FocusCurves(
        fwhm=curves.get("fwhm"),
        nsig=curves.get("nsig"),
        best=best,
        left_out=fitted.left_out,
        losses=_losses(fitted, decision, curves, best) if all(modelled) else (),
        warnings=warnings,
    )
    drift = find_drift(measurements, found)
    return found if drift is None else replace(found, warnings=(*warnings, *drift.warnings(best.uncertainty)))


def fit_models(measurements: Sequence[Measurement]) -> Fitted | FocusCurves:
    """Fit every candidate, leaving out the frames that do not belong; curves without fits where data are too few."""
    measurements = levelled(measurements)
    usable, left_out = sort_out(measurements)
    series = build(measurements, usable)
    if series is None or not candidates(series, LEAST_PLACES):
        places = 0 if series is None else max(series.places(WIDTH), series.places(LIGHT))
        return FocusCurves(left_out=left_out, warnings=(f"{places} positions measured: a curve needs {LEAST_PLACES}",))
    allowed = most_dropped(series.x.size)
    starts: dict[str, list[Array]] = {}
    while True:
        models = candidates(series, LEAST_PLACES)
        solutions = _distinct(_solved(models, series, starts))
        if not solutions:
            return FocusCurves(left_out=left_out, warnings=("no curve could be fitted to such numbers",))
        starts = {}
        for one in solutions:
            starts.setdefault(one.candidate.name, []).append(one.theta)
        if series.has[:, LIGHT].any() and max(one.scatter[1] for one in solutions) >= SUSPECT_TRANSPARENCY:
            solutions = _distinct(solutions + _solved(models, series, {}, transparency=CLOUDED_TRANSPARENCY))
        best = min(solutions, key=lambda one: one.aicc)
        outlier = worst_outlier(best) if allowed else None
        if outlier is None:
            return Fitted(series, gather(solutions), left_out)
        row, channel, reason = outlier
        remaining = series.without([row], clouded=channel == LIGHT)
        if len(candidates(remaining, LEAST_PLACES)) < len(models):
            return Fitted(series, gather(solutions), left_out)
        left_out[int(series.index[row])] = reason
        series, allowed = remaining, allowed - 1


def _solved(
    models: Sequence[Candidate], series: Series, starts: dict[str, list[Array]], transparency: float | None = None
) -> list[Solution]:
    """The fits of the models, without any that numbers out of all reason made singular."""
    solutions = []
    for model in models:
        for start in starts.get(model.name) or first_guesses(model, series):
            try:
                one = solve(model, series, start, transparency=transparency)
            except np.linalg.LinAlgError:
                continue
            if math.isfinite(one.aicc) and np.all(np.isfinite(one.covariance)) and np.all(np.isfinite(one.theta)):
                solutions.append(one)
    return solutions


def _distinct(solutions: Sequence[Solution]) -> list[Solution]:
    """Those that are not the same model come to the same answer."""
    kept: list[Solution] = []
    for one in sorted(solutions, key=lambda solution: solution.aicc):
        same = (
            other.candidate.name == one.candidate.name
            and np.sum((one.theta - other.theta) @ other.information * (one.theta - other.theta)) < SAME_ANSWER
            for other in kept
        )
        if not any(same):
            kept.append(one)
    return kept


def modelled_channels(ensemble: Ensemble) -> tuple[bool, bool]:
    """Whether FWHM, and NSIG, have a curve."""
    candidate = ensemble.best.candidate
    return candidate.width_model is not None, candidate.light_model is not None


def predict(curves: FocusCurves, position: float) -> Prediction:
    """What a frame at ``position`` should show, from the curves alone; NaN for a curve that is missing.

    The errors hold the error of the curve, and the scatter of seeing and transparency; a frame's own measuring
    error is to be added in quadrature.
    """
    numbers: list[float] = []
    for curve in (curves.fwhm, curves.nsig):
        if curve is None or not curve.band:
            numbers += [NAN, NAN]
            continue
        places, of_curve, of_frame = (np.array(column) for column in zip(*curve.band, strict=True))
        value = np.interp(position, places, [value for _, value in curve.line])
        numbers += [
            float(value),
            float(np.hypot(np.interp(position, places, of_curve), np.interp(position, places, of_frame))),
        ]
    return Prediction(*numbers)


def bracketed(position: float, positions: Iterable[float], each_side: int = EACH_SIDE) -> bool:
    """Whether at least ``each_side`` distinct sampled positions lie on either side of ``position``."""
    distinct = set(positions)
    return min(sum(p < position for p in distinct), sum(p > position for p in distinct)) >= each_side


def _sampled(series: Series, channel: int | None = None) -> list[float]:
    rows = series.has.any(axis=1) if channel is None else series.has[:, channel]
    return [float(position) for position in series.position[rows]]


def _curve(fitted: Fitted, metric: Metric, channel: int) -> CurveFit:
    series, ensemble = fitted.series, fitted.ensemble
    unit = series.unit[channel]
    place, error = ensemble.optimum(Decision(metric, series.unit).merit)  # the very number of a decision by this curve
    x, mean, spread = ensemble.x, ensemble.mean()[:, channel], ensemble.spread()[:, channel]
    scatter = ensemble.frame_scatter()[:, channel]
    across = np.unique(np.append(np.linspace(series.x.min(), series.x.max(), LINE_POINTS), place))
    across = across[(across >= -1.0) & (across <= 1.0)]
    value, of_curve, of_frame = (np.interp(across, x, column) for column in (mean, spread, scatter))
    steps = [series.to_position(at) for at in across]
    best = ensemble.best
    name = best.candidate.width_model if channel == WIDTH else best.candidate.light_model
    position = series.to_position(place)
    sampled = _sampled(series, channel)
    return CurveFit(
        metric=metric,
        model=name or "",
        position=position,
        uncertainty=error * series.scale,
        value=float(np.interp(place, x, mean)) * unit,
        points=len(sampled),
        r_squared=_r_squared(series, x, mean, channel),
        parameters={
            "seeing_scatter": float(best.scatter[0]),
            "transparency_scatter": float(best.scatter[1]),
            "width_scatter": float(best.scatter[2]),
            "models": float(len(ensemble.solutions)),
        },
        line=tuple(zip(steps, (float(v) for v in value * unit), strict=True)),
        band=tuple(
            (step, float(a), float(b))
            for step, a, b in zip(steps, of_curve * unit, of_frame * value * unit, strict=True)
        ),
        bracketed=bracketed(position, sampled),
    )


def _r_squared(series: Series, x: np.ndarray, mean: np.ndarray, channel: int) -> float | None:
    rows = series.has[:, channel]
    values = series.values[rows, channel]
    total = float(np.sum((values - values.mean()) ** 2))
    if total <= 0:
        return None
    return 1.0 - float(np.sum((values - np.interp(series.x[rows], x, mean)) ** 2)) / total


def _best(fitted: Fitted, decision: Decision) -> BestFocus:
    series, ensemble = fitted.series, fitted.ensemble
    place, error = ensemble.optimum(decision.merit)
    low, high = within_best(ensemble.x, decision.merit(ensemble.mean()[None])[0], place)
    position = series.to_position(place)
    return BestFocus(
        objective=decision.objective,
        position=position,
        uncertainty=error * series.scale,
        low=series.to_position(low),
        high=series.to_position(high),
        bracketed=bracketed(position, _sampled(series)),
    )


def _losses(fitted: Fitted, decision: Decision, curves: dict[Metric, CurveFit], best: BestFocus) -> tuple[str, ...]:
    places: dict[Objective, float] = {metric: curve.position for metric, curve in curves.items()}
    if decision.objective == "snr":
        merit = decision.merit
        places["snr"] = best.position
    else:
        merit = None
    places[decision.objective] = best.position
    mean, x = fitted.ensemble.mean(), fitted.ensemble.x
    ratio = merit(mean[None])[0] if merit else np.full(x.size, NAN)
    columns = (mean[:, WIDTH], mean[:, LIGHT], ratio)
    at = {name: (place - fitted.series.middle) / fitted.series.scale for name, place in places.items()}
    values = {
        name: (
            float(np.interp(there, x, columns[0])),
            float(np.interp(there, x, columns[1])),
            float(np.interp(there, x, columns[2])),
        )
        for name, there in at.items()
    }
    return describe_losses(decision, places, values)
