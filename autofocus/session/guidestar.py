"""What the guide star tells besides where it is: the guide camera's own focus, clouds, and a star beside the slit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autofocus.curve.significance import chance_of_noise
from autofocus.digits import with_error
from autofocus.model import CurveFit, Flag, FocusCurves, Measurement

SHARP_PX = 7.0  # HFD up to which all of a guide star's light is in PHD2's aperture
ALIKE = 0.25  # beyond, stars whose HFD differ by no more than this part have the same part of their light in it
FEWEST_ALIKE = 3
CLOUD = 0.6  # of the usual mass of a guide star just as sharp: less is a cloud
DIM = 0.7  # of the light that the curve expects: less needs an explanation
FEWEST_POSITIONS = 5
LARGEST_CHANCE = 0.01  # that guide stars of one size scatter into such a curve
APERTURE_PX = 7.0  # radius within which PHD2 measures its star
DISC = math.sqrt(2.0)  # half-flux diameter of an evenly lit disc over its radius


def usual_mass(hfd_px: float, seen: Sequence[Measurement]) -> float | None:
    """The median mass of guide stars as sharp as this one, or None while too few were seen."""
    if not hfd_px > 0:
        return None
    masses = sorted(
        one.guide_mass
        for one in seen
        if _alike(one.guide_hfd_px, hfd_px) and one.guide_mass > 0 and Flag.CLOUDED not in one.flags
    )
    return masses[len(masses) // 2] if len(masses) >= FEWEST_ALIKE else None


def _alike(one_px: float, other_px: float) -> bool:
    """Should two guide stars of these HFD show the same mass?"""
    return max(one_px, other_px) <= SHARP_PX or abs(one_px - other_px) <= ALIKE * other_px


def cloud_note(hfd_px: float, mass: float, seen: Sequence[Measurement]) -> str:
    """Why a frame counts as clouded, or "" where the guide star does not say so."""
    usual = usual_mass(hfd_px, seen)
    if usual is None or not mass < CLOUD * usual:
        return ""
    return f"a cloud: the guide star had {mass / usual:.0%} of its usual light"


def blur_radius_px(position: float, seen: Sequence[Measurement]) -> float | None:
    """The radius of the guide star's disc predicted at a position from the HFD so far; None with too few positions.

    The square of an HFD is a parabola in position, as that of any width that is seeing and defocus in quadrature.
    """
    import numpy as np

    known = [(one.position, one.guide_hfd_px) for one in seen if one.position is not None and one.guide_hfd_px > 0]
    if len({place for place, _ in known}) < FEWEST_POSITIONS:
        return None
    place, hfd = (np.array(column) for column in zip(*known, strict=True))
    middle, scale = float(place.mean()), float(np.ptp(place))
    square = np.polyfit((place - middle) / scale, hfd**2, 2, w=1.0 / hfd**2)
    if square[0] <= 0:
        return None  # no focus of the guide camera to be seen: nothing is predicted from that
    return math.sqrt(max(float(np.polyval(square, (position - middle) / scale)), 0.0)) / DISC


@dataclass(frozen=True, slots=True)
class GuideFocus:
    """Where the guide star is sharpest, and how far from the slit's focus that is (guide minus slit)."""

    curve: CurveFit
    offset_steps: float | None
    offset_err_steps: float | None


def guide_focus(measurements: Sequence[Measurement], curves: FocusCurves) -> GuideFocus | None:
    """Fit the guide star's HFD as a focus curve of its own; None where it shows no focus within the positions."""
    from autofocus.curve.fit import fit_focus

    seen = [_as_width(one) for one in measurements if one.guide_hfd_px > 0 and one.position is not None]
    if len({one.position for one in seen}) < FEWEST_POSITIONS:
        return None
    curve = fit_focus(seen, objective="fwhm").fwhm
    if curve is None or not curve.bracketed or chance_of_noise(curve) > LARGEST_CHANCE:
        return None
    reach = max(one.position or 0.0 for one in seen) - min(one.position or 0.0 for one in seen)
    if not curve.uncertainty < 0.25 * reach:
        return None
    slit = curves.nsig or curves.best
    if slit is None:
        return GuideFocus(curve, None, None)
    return GuideFocus(curve, curve.position - slit.position, math.hypot(curve.uncertainty, slit.uncertainty))


def _as_width(one: Measurement) -> Measurement:
    """The guide star of a sample in the place of its spectrum."""
    return Measurement(position=one.position, fwhm_px=one.guide_hfd_px, exposure_s=one.exposure_s, phase=one.phase)


def sentence(found: GuideFocus) -> str:
    """The guide–slit offset, for a person."""
    said = f"The guide stars are sharpest at {with_error(found.curve.position, found.curve.uncertainty)}"
    if found.offset_steps is None or found.offset_err_steps is None:
        return f"{said}."
    if abs(found.offset_steps) <= 2.0 * found.offset_err_steps:
        return f"{said}, which agrees with the slit's focus: the guide camera is focused on the slit."
    side = "outward" if found.offset_steps > 0 else "inward"
    return (
        f"{said}, {with_error(abs(found.offset_steps), found.offset_err_steps)} steps {side} of the slit's focus: "
        "focusing by the guide star alone would miss it by so much."
    )


def dim_frames(measurements: Sequence[Measurement], curves: FocusCurves) -> list[str]:
    """For each frame with far less light than its curve: was it a cloud, or the star beside the slit?"""
    if curves.nsig is None or not curves.nsig.line:
        return []
    said = []
    for number, one in enumerate(measurements, start=1):
        usual = usual_mass(one.guide_hfd_px, [other for other in measurements if other is not one])
        expected = _on_line(curves.nsig, one.position)
        light = one.nsig / one.window_fraction if one.window_fraction > 0 else one.nsig
        if usual is None or expected is None or not light < DIM * expected or not one.guide_mass > 0:
            continue
        mass = one.guide_mass / usual
        cause = "a cloud" if mass < math.sqrt(DIM) else "the star stood beside the slit"
        said.append(
            f"frame {number} at {one.position:.0f} holds {light / expected:.0%} of the light expected there; the "
            f"guide star had {mass:.0%} of its own: {cause}"
        )
    return said


def _on_line(curve: CurveFit, position: float | None) -> float | None:
    if position is None or not curve.line[0][0] <= position <= curve.line[-1][0]:
        return None
    return min(curve.line, key=lambda point: abs(point[0] - position))[1]


def guide_object(
    measurements: Sequence[Measurement], curves: FocusCurves, curve_object: Any
) -> tuple[dict[str, Any] | None, list[str]]:
    """The result's ``guide`` and the sentences that belong among the warnings; (None, []) without a guide star."""
    if not any(one.guide_hfd_px > 0 for one in measurements):
        return None, []
    found = guide_focus(measurements, curves)
    remarks = dim_frames(measurements, curves)
    made = {
        "curve": curve_object(found.curve if found else None),
        "position": found.curve.position if found else None,
        "uncertainty": found.curve.uncertainty if found else None,
        "offset_steps": found.offset_steps if found else None,
        "offset_err_steps": found.offset_err_steps if found else None,
        "message": sentence(found) if found else "The guide star shows no focus of its own within the positions.",
    }
    return made, remarks
