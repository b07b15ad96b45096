"""Best focus over the field of a spectrograph's camera: where it is sharp in the middle, its tilt, its curvature.

Every place of the field has a focus curve of its own, from the widths of an arc's lines there. Squared, the hyperbola
w² = f² + k² (p - c)² is a parabola, which linear least squares fit; the foci c of all places then lie on
c(u, v) = c0 + T u / 2 + S v / 2 + Q r², with u and v from -1 to 1 along and across the dispersion and r² from 0 in the
middle to 1 in the corners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autofocus.arcfield import CellFocus, FieldCell, FieldFocus
from autofocus.measure.lines.typical import typical_width
from autofocus.model import NAN, Measurement

Doubles = NDArray[np.float64]

LEAST_PLACES = 4
EACH_SIDE = 2
MISFIT = 0.01  # no hyperbola follows the image of a slit closer
FILLED_IN = 0.03  # error of a width that is filled in
ROBUST_SIGMAS = 2.5
MOST_OUTSIDE = 1.0  # of the range sampled: a parabola says nothing of what is further away
Place = tuple[int, int]


def fit_field(measurements: Sequence[Measurement]) -> FieldFocus | None:
    """Fit best focus over the field.

    Parameters
    ----------
    measurements : sequence of Measurement
        Frames of an arc in any order; those without cells or a position are passed over.

    Returns
    -------
    FieldFocus or None
        None where fewer than three places of the field have a focus curve of four positions. Errors hold the
        scatter of the places about the plane.
    """
    frames = _arcs(measurements)
    sizes = {one.field_px for one in frames}
    if len(sizes) != 1:
        return None
    (size,) = sizes
    curves = [(place, _curve_of(place, frames)) for place in _places(frames)]
    cells = tuple(_cell_focus(place, curve) for place, curve in curves if curve is not None)
    return _surface(cells, size) if len(cells) >= 3 else None


def levelled(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Arc frames whose typical width is of the same places of the field in all of them.

    A frame far out of focus loses its faint lines, and with them places that are in focus elsewhere: their widths are
    filled in from their own focus curves. Frames without cells come back as they are.
    """
    taken = tuple(measurements)
    frames = _arcs(taken)
    curves = {place: curve for place in _places(frames) if (curve := _curve_of(place, frames)) is not None}
    return tuple(_completed(one, curves) if one.field and one.position is not None else one for one in taken)


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """The focus curve of one place: w² = a + b x + c x² with x = (position - middle) / half."""

    coefficients: Doubles
    covariance: Doubles
    middle: float
    half: float
    cells: tuple[FieldCell, ...]
    positions: Doubles

    @property
    def vertex(self) -> float:
        """Where it is narrowest, in its own units."""
        _, slope, bend = self.coefficients
        return float(-0.5 * slope / bend)

    def width_px(self, x: float) -> float:
        """The width there."""
        constant, slope, bend = self.coefficients
        return float(np.sqrt(max(constant + (slope + bend * x) * x, 0.0)))


def _arcs(measurements: Sequence[Measurement]) -> list[Measurement]:
    return [one for one in measurements if one.field and one.position is not None]


def _places(frames: Sequence[Measurement]) -> list[Place]:
    return sorted({(cell.column, cell.row) for one in frames for cell in one.field})


def _curve_of(place: Place, frames: Sequence[Measurement]) -> _Curve | None:
    """The focus curve of one place of the field; None where too few positions show it, or it has no minimum."""
    seen = [(one.position, cell) for one in frames for cell in one.field if (cell.column, cell.row) == place]
    position = np.array([at for at, _ in seen], dtype=np.float64)
    if np.unique(position).size < LEAST_PLACES:
        return None
    width = np.array([cell.fwhm_px for _, cell in seen])
    error = np.hypot([cell.fwhm_err_px for _, cell in seen], MISFIT * width)
    middle, half = 0.5 * (position.min() + position.max()), 0.5 * np.ptp(position)
    x = (position - middle) / half
    coefficients, covariance = _weighted(np.stack([np.ones_like(x), x, x**2], axis=1), width**2, 2.0 * width * error)
    if not coefficients[2] > 0:
        return None
    curve = _Curve(coefficients, covariance, middle, half, tuple(cell for _, cell in seen), position)
    return curve if abs(curve.vertex) <= 1.0 + 2.0 * MOST_OUTSIDE else None


def _completed(one: Measurement, curves: Mapping[Place, _Curve]) -> Measurement:
    shown = {(cell.column, cell.row): cell for cell in one.field if (cell.column, cell.row) in curves}
    if not shown or (len(shown) == len(curves) == len(one.field)):
        return one
    cells = []
    for place, curve in curves.items():
        width = curve.width_px((float(one.position or 0.0) - curve.middle) / curve.half)
        cells.append(shown.get(place) or replace(curve.cells[0], fwhm_px=width, fwhm_err_px=FILLED_IN * width))
    width, error = typical_width(cells)
    return replace(one, fwhm_px=width, fwhm_err_px=error)


def _cell_focus(place: Place, curve: _Curve) -> CellFocus:
    _, slope, bend = curve.coefficients
    gradient = np.array([0.0, -0.5 / bend, 0.5 * slope / bend**2])
    best = curve.middle + curve.half * curve.vertex
    positions = np.unique(curve.positions)
    return CellFocus(
        *place,
        along_px=float(np.mean([cell.along_px for cell in curve.cells])),
        across_px=float(np.mean([cell.across_px for cell in curve.cells])),
        position=float(best),
        uncertainty=float(curve.half * np.sqrt(gradient @ curve.covariance @ gradient)),
        fwhm_px=curve.width_px(curve.vertex),
        bracketed=min(int(np.sum(positions < best)), int(np.sum(positions > best))) >= EACH_SIDE,
    )


def _weighted(design: Doubles, values: Doubles, error: Doubles) -> tuple[Doubles, Doubles]:
    """Robust weighted least squares; the covariance grows with what is left beyond the errors."""
    robust = np.ones_like(values)
    solution, covariance = np.zeros(design.shape[1]), np.eye(design.shape[1])
    for _ in range(8):
        scale = np.sqrt(robust) / error
        scaled = design * scale[:, None]
        covariance = np.asarray(np.linalg.pinv(scaled.T @ scaled, hermitian=True))
        solution = covariance @ (scaled.T @ (values * scale))
        off = np.abs(values - design @ solution) / error
        robust = np.minimum(1.0, ROBUST_SIGMAS / np.maximum(off, 1e-9))
    left = np.square((values - design @ solution) / error) @ robust
    freedom = max(values.size - design.shape[1], 1)
    return solution, covariance * max(1.0, float(left) / freedom)


def _surface(cells: tuple[CellFocus, ...], size: tuple[int, int]) -> FieldFocus:
    """The plane and the curvature through the foci of the places, as far as the places span them."""
    half = 0.5 * (np.array(size, dtype=np.float64) - 1.0)
    at = np.array([(cell.along_px, cell.across_px) for cell in cells]) - half
    u, v = (at / half).T
    r2 = np.square(at).sum(axis=1) / np.square(half).sum()
    columns, rows = (len({getattr(cell, name) for cell in cells}) for name in ("column", "row"))
    terms = {"position": np.ones_like(u)}
    if columns > 1:
        terms["tilt_along"] = 0.5 * u
    if rows > 1 and len(cells) > 3:
        terms["tilt_across"] = 0.5 * v
    if max(columns, rows) > 2 and len(cells) > len(terms) + 1:
        terms["curvature"] = r2
    position = np.array([cell.position for cell in cells])
    error = np.array([cell.uncertainty for cell in cells])
    design = np.stack(list(terms.values()), axis=1)
    error = np.maximum(error, 0.5 * np.median(error))  # no place is to count for all
    solution, covariance = _weighted(design, position, error)
    value = dict(zip(terms, solution, strict=True))
    spread = dict(zip(terms, np.sqrt(np.diag(covariance)), strict=True))
    names = ("tilt_along", "tilt_across", "curvature")
    known = {f"{name}_steps": float(value.get(name, NAN)) for name in names}
    errors = {f"{name}_err_steps": float(spread.get(name, NAN)) for name in names}
    return FieldFocus(
        position=float(value["position"]),
        uncertainty=float(spread["position"]),
        **known,
        **errors,
        size_px=size,
        cells=cells,
    )
