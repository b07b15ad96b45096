"""A run as N.I.N.A. would have reported it, for the programs that read its autofocus reports.

The width of the trace stands where N.I.N.A. has the HFR of the stars (method STARHFR): smaller is better for both.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from autofocus.curve.fit import predict
from autofocus.model import CurveFit
from autofocus.session.journal import write_whole
from autofocus.views.account import Account

VERSION = 2
NAME = "autofocus"


def write_nina_report(account: Account, directory: Path, now: datetime) -> Path | None:
    """Leave the report in the folder; None for a run without a focus, of which N.I.N.A. writes none either.

    ``now`` is local time with its offset. N.I.N.A. shows files whose name ends in its profile's GUID or in none.
    """
    if account.result["outcome"] != "focused":
        return None
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / now.strftime("%Y-%m-%d--%H-%M-%S.json")
    text = json.dumps(nina_report(account, now), indent=2, allow_nan=False, ensure_ascii=False)
    write_whole(path, text.encode())
    return path


def nina_report(account: Account, now: datetime) -> dict[str, Any]:
    """The report with all fields of ``AutoFocusReport.cs``; what a slit has no counterpart for is null or NaN."""
    result, curves = account.result, account.curves
    calculated = _calculated(account)
    return {
        "Version": VERSION,
        "Filter": "",
        "AutoFocuserName": NAME,
        "StarDetectorName": NAME,
        "Timestamp": _timestamp(now),
        "Temperature": _temperature(account),
        "Method": "STARHFR",
        "Fitting": "HYPERBOLIC",
        "InitialFocusPoint": _point(result.get("start_position"), math.nan),
        "CalculatedFocusPoint": calculated,
        "PreviousFocusPoint": calculated,
        "MeasurePoints": measure_points(account),
        "Intersections": {
            "TrendLineIntersection": None,
            "HyperbolicMinimum": None if curves.fwhm is None else _minimum(curves.fwhm),
            "QuadraticMinimum": None,
            "GaussianMaximum": None,
        },
        "Fittings": {
            "Quadratic": "",
            "Hyperbolic": "" if curves.fwhm is None else curves.fwhm.model,
            "Gaussian": "",
            "LeftTrend": "",
            "RightTrend": "",
        },
        "RSquares": {
            "Quadratic": "NaN",
            "Hyperbolic": "NaN" if curves.fwhm is None else _number(curves.fwhm.r_squared),
            "LeftTrend": "NaN",
            "RightTrend": "NaN",
        },
        "BacklashCompensation": _backlash(account),
        "Duration": _duration(float(result.get("timing", {}).get("total_s") or 0.0)),
    }


def measure_points(account: Account) -> list[dict[str, Any]]:
    """One point for each position that the fit used, the frames there averaged by weight, in order of position."""
    at: defaultdict[float, list[tuple[float, float]]] = defaultdict(list)
    for index, one in enumerate(account.measurements):
        taken = one.used and index not in account.curves.left_out and one.phase != "confirm"
        if taken and one.position is not None and math.isfinite(one.fwhm_px):
            at[one.position].append((one.fwhm_px, one.fwhm_err_px))
    return [_point(position, *_mean(at[position])) for position in sorted(at)]


def _mean(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Weighted mean and its error; with an unknown error among them, the plain mean without one."""
    if any(not error > 0 for _, error in values):
        return sum(value for value, _ in values) / len(values), 0.0
    weights = [error**-2 for _, error in values]
    total = sum(weights)
    return sum(w * value for w, (value, _) in zip(weights, values, strict=True)) / total, total**-0.5


def _calculated(account: Account) -> dict[str, Any]:
    best = account.curves.best
    if best is None:
        return _point(None, math.nan)
    expected = predict(account.curves, best.position)
    return _point(round(best.position), expected.fwhm_px, expected.fwhm_err_px)


def _minimum(curve: CurveFit) -> dict[str, Any]:
    return _point(curve.position, curve.value)


def _point(position: float | None, value: float, error: float = 0.0) -> dict[str, Any]:
    whole = None if position is None else int(position) if float(position).is_integer() else float(position)
    return {
        "Position": "NaN" if whole is None else whole,
        "Value": _number(value),
        "Error": error if math.isfinite(error) else 0,
    }


def _number(value: float | None) -> float | str:
    """N.I.N.A. writes not-a-number as a string, since JSON has none."""
    return "NaN" if value is None or not math.isfinite(value) else float(value)


def _temperature(account: Account) -> float | str:
    known = (one.temperature_c for one in reversed(account.measurements) if one.temperature_c is not None)
    return _number(next(known, None))


def _backlash(account: Account) -> dict[str, Any]:
    """What arrives inward overshoots on its ways out, which is N.I.N.A.'s BacklashOUT."""
    started = account.started
    focuser: Mapping[str, Any] = {} if started is None else started.settings.get("focuser", {})
    steps = focuser.get("backlash_steps", 0)
    inward = focuser.get("approach", "inward") == "inward"
    return {
        "BacklashCompensationModel": "OVERSHOOT",
        "BacklashIN": 0 if inward else steps,
        "BacklashOUT": steps if inward else 0,
    }


def _timestamp(now: datetime) -> str:
    """ISO time with seven decimals and offset, as .NET writes it."""
    offset = now.strftime("%z") or "+0000"
    return f"{now.strftime('%Y-%m-%dT%H:%M:%S')}.{now.microsecond:06d}0{offset[:3]}:{offset[3:5]}"


def _duration(seconds: float) -> str:
    ticks = round(seconds * 1e7)
    whole, part = divmod(ticks, 10**7)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{part:07d}"
