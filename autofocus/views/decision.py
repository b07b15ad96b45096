"""The decision between the two curves in numbers and a sentence: what is given up, and what each alternative costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from autofocus.digits import with_error
from autofocus.model import NAN, CurveFit, FocusCurves, Measurement
from autofocus.session.advice import OPTIMUM

WORTH_SAYING = 0.005  # of the light: less is nothing to speak of
WORTH_SAYING_PX = 0.05


@dataclass(frozen=True, slots=True)
class Choice:
    """One position to focus at: FWHM (px, and arcsec where the scale is known) and NSIG that the curves give there.

    ``light`` is the part of the most light there is, ``wider_px`` how much wider the trace is than at its narrowest.
    """

    name: Literal["chosen", "narrowest", "most light"]
    position: float
    uncertainty: float
    fwhm_px: float
    fwhm_arcsec: float
    nsig: float
    light: float
    wider_px: float


def choices(curves: FocusCurves, arcsec_per_px: float = NAN) -> list[Choice]:
    """The chosen position first, then both optima; none without both curves or without a decision."""
    best, fwhm, nsig = curves.best, curves.fwhm, curves.nsig
    if best is None or fwhm is None or nsig is None:
        return []
    places: list[tuple[Literal["chosen", "narrowest", "most light"], float, float]] = [
        ("chosen", best.position, best.uncertainty),
        ("narrowest", fwhm.position, fwhm.uncertainty),
        ("most light", nsig.position, nsig.uncertainty),
    ]
    made = []
    for name, position, uncertainty in places:
        width, light = value_at(fwhm, position), value_at(nsig, position)
        part, wider = light / nsig.value if nsig.value > 0 else NAN, width - fwhm.value
        made.append(Choice(name, position, uncertainty, width, width * arcsec_per_px, light, part, wider))
    return made


def given_up(curves: FocusCurves, arcsec_per_px: float = NAN) -> str:
    """``Best 9362.4 ± 5.1: 4 % of the light and 0.3" given up against the two extremes``, or ""."""
    best, made = curves.best, choices(curves, arcsec_per_px)
    if best is None or not made:
        return ""
    chosen, parts = made[0], []
    if 1.0 - chosen.light >= WORTH_SAYING:
        parts.append(f"{100 * (1.0 - chosen.light):.0f} % of the light")
    if chosen.wider_px >= WORTH_SAYING_PX:
        arcsec = chosen.wider_px * arcsec_per_px
        parts.append(f'{arcsec:.1f}"' if arcsec >= WORTH_SAYING_PX else f"{chosen.wider_px:.1f} px of width")
    where = f"Best {with_error(best.position, best.uncertainty)}"
    if not parts:
        return f"{where}: nothing to speak of is given up against {OPTIMUM['nsig']} and {OPTIMUM['fwhm']}."
    return f"{where}: {' and '.join(parts)} given up against the two extremes."


def plate_scale(measurements: Sequence[Measurement]) -> float:
    """Arcseconds per pixel, as the frames were measured with; NaN where none is known."""
    scales = (one.fwhm_arcsec / one.fwhm_px for one in measurements if one.fwhm_px > 0)
    return next((scale for scale in scales if math.isfinite(scale)), NAN)


def value_at(curve: CurveFit, position: float) -> float:
    """The curve by linear interpolation of its line; NaN beyond the sampled range."""
    for (x0, y0), (x1, y1) in pairwise(curve.line):
        if x0 <= position <= x1 and x1 > x0:
            return y0 + (y1 - y0) * (position - x0) / (x1 - x0)
    return NAN
