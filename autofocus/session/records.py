"""CONTRACT's JSON objects of a frame and of a result, made from our values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autofocus import errors
from autofocus.arcfield import FieldFocus
from autofocus.errors import AutofocusError
from autofocus.model import BestFocus, CurveFit, FocusCurves, FocusResult, Measurement
from autofocus.session import jsonform
from autofocus.session.guidestar import guide_object

SCHEMA = 1
TIMES = ("total_s", "exposing_s", "moving_s", "settling_s", "guiding_s", "fetching_s", "measuring_s")
FRAME_FIELDS = (
    "file", "position", "fwhm_px", "fwhm_err_px", "fwhm_arcsec", "nsig", "nsig_err", "window_fraction",
    "window_fraction_err", "snr",
    "center_px", "slant_px", "background_adu", "peak_adu", "saturated_px", "exposure_s", "dispersion_axis",
    "flags", "started_utc",
)  # fmt: skip
SESSION_TIMES = ("elapsed_s", "cost_s", "exposing_s")
REST_FIELDS = ("temperature_c", "verdict", "notes", "guide_hfd_px", "guide_mass", "mode", "shows")
LINE_FIELDS = ("field", "field_px")
STAR_FIELDS = ("hfr_px", "hfr_err_px", "half_max_px", "half_max_err_px", "stars")
EXIT_CODES = {
    "settings": 2, "device": 3, "busy": 3, "guiding": 5, "frame": 6, "storage": 7, "internal": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run spent: exposures started, moves commanded, and seconds by kind of work."""

    exposures: int = 0
    moves: int = 0
    timing: Mapping[str, float] = field(default_factory=dict)


def frame_object(measurement: Measurement) -> dict[str, Any]:
    """The object of one frame; what was not measured is None, whole positions are integers."""
    made = jsonform.encode(measurement)
    of_its_kind = {"stars": STAR_FIELDS, "lines": LINE_FIELDS}.get(measurement.mode, ())
    data = {name: made[name] for name in (*FRAME_FIELDS, *REST_FIELDS, *of_its_kind)}
    data["position"] = whole(measurement.position)
    return data


def sample_objects(measurements: Sequence[Measurement], left_out: Mapping[int, str]) -> list[dict[str, Any]]:
    """The objects of all frames of a run, each with its phase and whether the fit used it."""
    samples = []
    for index, measurement in enumerate(measurements):
        why = left_out.get(index, measurement.why)
        used = measurement.used and index not in left_out
        sample = {**frame_object(measurement), "phase": measurement.phase, "used": used}
        if not used:
            sample["why"] = why
        sample |= {name: jsonform.encode(getattr(measurement, name)) for name in SESSION_TIMES}
        samples.append(sample)
    return samples


def curve_object(curve: CurveFit | None) -> dict[str, Any] | None:
    """One focus curve, with its line for whoever draws it."""
    if curve is None:
        return None
    made: dict[str, Any] = jsonform.encode(curve)
    names = ("position", "uncertainty", "value", "model", "points", "r_squared", "parameters", "line")
    return {name: made[name] for name in names}


def best_object(best: BestFocus | None) -> dict[str, Any] | None:
    """Where the objective is best."""
    if best is None:
        return None
    made: dict[str, Any] = jsonform.encode(best)
    return {name: made[name] for name in ("position", "uncertainty", "low", "high")}


def result_object(
    result: FocusResult,
    *,
    position: int | None = None,
    start_position: int | None = None,
    tally: Tally | None = None,
    session: str | None = None,
    warnings: Sequence[str] = (),
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The result object of ``run``, ``analyze`` and ``replay``; ``more`` adds fields, for example ``diverged_at``."""
    spent = tally or Tally()
    curves = result.curves
    confirmed = None
    if result.confirmed is not None:
        confirmed = {
            **frame_object(result.confirmed.measurement),
            "agrees": result.confirmed.agrees,
            "fwhm_sigmas": jsonform.encode(result.confirmed.fwhm_sigmas),
            "nsig_sigmas": jsonform.encode(result.confirmed.nsig_sigmas),
        }
    guide, remarks = guide_object(result.measurements, curves, curve_object)
    made = {
        "schema": SCHEMA,
        "outcome": result.outcome,
        "reason": result.reason,
        "message": result.message,
        "position": position,
        "start_position": start_position,
        "objective": result.objective,
        "best": best_object(curves.best),
        "curves": {"fwhm": curve_object(curves.fwhm), "nsig": curve_object(curves.nsig)},
        "confirmed": confirmed,
        "samples": sample_objects(result.measurements, curves.left_out),
        "exposures": spent.exposures,
        "moves": spent.moves,
        "warnings": list(dict.fromkeys((*result.warnings, *curves.warnings, *warnings, *remarks))),
        "losses": list(curves.losses),
        "guide": guide,
        "image_shift": None,
        "recovery": None,
        "field": field_of(result.measurements),
        "timing": {name: round(spent.timing.get(name, 0.0), 3) for name in TIMES},
        "session": session,
        **(more or {}),
    }
    safe: dict[str, Any] = jsonform.encode(made)
    return safe


def failure(
    error: BaseException,
    objective: Any,
    *,
    curves: FocusCurves | None = None,
    measurements: tuple[Measurement, ...] = (),
) -> FocusResult:
    """The result of a run that an error ended; an error that is not one of ours is a bug of ours."""
    known = curves or FocusCurves()
    if isinstance(error, AutofocusError):
        outcome: Any = error.outcome
        return FocusResult(
            outcome, error.reason, error.message, objective, replace(known, best=None), None, measurements
        )
    said = f"{type(error).__name__}: {error}".strip().rstrip(".:")
    message = f"A fault of autofocus itself: {said}. Please report it with the journal."
    return FocusResult("failed", "internal", message, objective, replace(known, best=None), None, measurements)


def exit_code(result: Mapping[str, Any]) -> int:
    """CONTRACT's exit code of a result object."""
    outcome = result["outcome"]
    if outcome == "focused":
        return 0
    if outcome == "no_focus":
        return errors.NoFocusFound.exit_code
    if outcome == "aborted":
        return errors.Aborted.exit_code
    return EXIT_CODES.get(str(result["reason"]), AutofocusError.exit_code)


def field_of(measurements: Sequence[Measurement]) -> FieldFocus | None:
    """Best focus over the field, where the frames are of an arc."""
    if not any(one.field for one in measurements):
        return None
    from autofocus.curve.field import fit_field

    return fit_field(measurements)


def whole(position: float | None) -> int | float | None:
    """The position as an integer where it is one; None where it is unknown."""
    if position is None or position != position:
        return None
    return int(position) if float(position).is_integer() else float(position)
