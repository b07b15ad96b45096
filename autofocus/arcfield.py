"""Values of a spectrograph's field: widths of an arc's lines all over one frame, and best focus from a sweep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldCell:
    """The lines of an arc in one place of the field: ``column`` and ``row`` number it along and across the dispersion.

    ``along_px`` and ``across_px`` are where its lines lie in the mean, frame pixels.
    """

    column: int
    row: int
    along_px: float
    across_px: float
    fwhm_px: float
    fwhm_err_px: float
    lines: int = 0


@dataclass(frozen=True, slots=True)
class CellFocus:
    """Best focus of the lines in one place of the field, and how wide they are there in focus."""

    column: int
    row: int
    along_px: float
    across_px: float
    position: float
    uncertainty: float
    fwhm_px: float
    bracketed: bool = True


@dataclass(frozen=True, slots=True)
class FieldFocus:
    """Best focus over the field, from a sweep of arc frames, in steps.

    ``position`` is that of the middle of the frame. The tilts are the best focus at the far end of the frame less that
    at its beginning (pixel 0), along the dispersion and across it; ``curvature`` is that of the corners less the
    middle's. NaN where the lines do not reach far enough to tell. ``size_px`` is the frame along and across.
    """

    position: float
    uncertainty: float
    tilt_along_steps: float
    tilt_along_err_steps: float
    tilt_across_steps: float
    tilt_across_err_steps: float
    curvature_steps: float
    curvature_err_steps: float
    size_px: tuple[int, int]
    cells: tuple[CellFocus, ...] = ()
