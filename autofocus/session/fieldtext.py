"""What a sweep of arc frames says of the spectrograph's camera, in sentences."""

from __future__ import annotations

import math

from autofocus.arcfield import FieldFocus
from autofocus.digits import with_error

CLEAR_SIGMAS = 2.0


def field_sentences(field: FieldFocus) -> tuple[str, ...]:
    """Focus of the middle, tilt along and across the dispersion, curvature: each with its error."""
    made = [f"in the middle of the frame focus is at {with_error(field.position, field.uncertainty)}"]
    parts = (
        (
            field.tilt_along_steps,
            field.tilt_along_err_steps,
            "tilt along the dispersion",
            "from its first pixel to its last",
        ),
        (
            field.tilt_across_steps,
            field.tilt_across_err_steps,
            "tilt along the slit",
            "from its first pixel to its last",
        ),
        (field.curvature_steps, field.curvature_err_steps, "curvature", "in the corners against the middle"),
    )
    made += [_part(*part) for part in parts]
    open_ = sum(not cell.bracketed for cell in field.cells)
    if open_:
        few = f"{open_} of {len(field.cells)} places of the field are not bracketed"
        made.append(f"{few}: take frames on both sides of their focus before you believe tilt and curvature")
    return tuple(made)


def _part(steps: float, error: float, name: str, where: str) -> str:
    if not math.isfinite(steps):
        return f"{name}: the lines do not reach far enough to tell"
    said = f"{name}: {with_error(steps, error, signed=True)} steps {where}"
    return said if abs(steps) > CLEAR_SIGMAS * error else f"{said}, none that could be told from chance"
