"""Best focus over the field of a spectrograph's camera: where it is sharp in the middle, its tilt, its curvature.

Every place of the field has a focus curve of its own, from the widths of an arc's lines there. Squared, the hyperbola
w² = f² + k² (p - c)² is a parabola, which linear least squares fit; the foci c of all places then lie on
c(u, v) = c0 + T u / 2 + S v / 2 + Q r², with u and v from -1 to 1 along and across the dispersion and r² from 0 in the
middle to 1 in the corners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.lines.typical import typical_width
from autofocus.model import NAN, CellFocus, FieldCell, FieldFocus, Measurement

Doubles = NDArray[np.float64]

LEAST_PLACES = 4
EACH_SIDE = 2
MISFIT = 0.01  # no hyperbola follows the image of a slit closer
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
    frames = [one for one in measurements if one.field and one.position is not None]
    sizes = {one.field_px for one in frames}
    if len(sizes) != 1:
        return None
    (size,) = sizes
    places = sorted({(cell.column, cell.row) for one in frames for cell in one.field})
    found = [_cell_focus(place, frames) for place in places]
    cells = tuple(one for one in found if one is not None)
    return _surface(cells, size) if len(cells) >= 3 else None


def common_widths(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Arc frames with the typical width of those places of the field alone that (nearly) all of them show.

    A frame far out of focus loses its faint lines; with them, places that are in focus elsewhere would leave the mean.
    """
    taken = tuple(measurements)
    frames = [one for one in taken if one.field]
    if len(frames) < 2:
        return taken
    shown = [{(cell.column, cell.row) for cell in one.field} for one in frames]
    union = set().union(*shown)
    common = set.intersection(*shown)
    if 2 * len(common) < len(union):
        common = {place for place in union if 3 * sum(place in one for one in shown) >= 2 * len(shown)}
    return tuple(_narrowed(one, common) for one in taken)


def _narrowed(one: Measurement, common: set[Place]) -> Measurement:
    cells = [cell for cell in one.field if (cell.column, cell.row) in common]
    if not cells or len(cells) == len(one.field):
        return one
    width, error = typical_width(cells)
    return replace(one, fwhm_px=width, fwhm_err_px=error)


def _cell_focus(place: Place, frames: Sequence[Measurement]) -> CellFocus | None:
    """The focus curve of one place of the field; None where too few positions show it, or it has no minimum."""
    seen: list[tuple[float, FieldCell]] = [
        (float(one.position or 0.0), cell) for one in frames for cell in one.field if (cell.column, cell.row) == place
    ]
    position = np.array([at for at, _ in seen])
    width = np.array([cell.fwhm_px for _, cell in seen])
    error = np.hypot([cell.fwhm_err_px for _, cell in seen], MISFIT * width)
    if np.unique(position).size < LEAST_PLACES:
        return None
    middle, half = 0.5 * (position.min() + position.max()), 0.5 * np.ptp(position)
    vertex = _vertex((position - middle) / half, width, error)
    if vertex is None or abs(vertex[0]) > 1.0 + 2.0 * MOST_OUTSIDE:
        return None
    at, uncertainty, floor = vertex
    best = middle + half * at
    beyond = min(np.unique(position[position < best]).size, np.unique(position[position > best]).size)
    return CellFocus(
        *place,
        along_px=float(np.mean([cell.along_px for _, cell in seen])),
        across_px=float(np.mean([cell.across_px for _, cell in seen])),
        position=float(best),
        uncertainty=float(half * uncertainty),
        fwhm_px=floor,
        bracketed=beyond >= EACH_SIDE,
    )


def _vertex(x: Doubles, width: Doubles, error: Doubles) -> tuple[float, float, float] | None:
    """Vertex of the hyperbola, its error, and the width there."""
    square, spread = width**2, 2.0 * width * error
    design = np.stack([np.ones_like(x), x, x**2], axis=1)
    solution, covariance = _weighted(design, square, spread)
    constant, slope, bend = solution
    if not bend > 0:
        return None
    at = -0.5 * slope / bend
    gradient = np.array([0.0, -0.5 / bend, 0.5 * slope / bend**2])
    floor = float(np.sqrt(max(constant + 0.5 * slope * at, 0.0)))
    return float(at), float(np.sqrt(gradient @ covariance @ gradient)), floor


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
    known = {name: float(value.get(name, NAN)) for name in names}
    errors = {f"{name}_err": float(spread.get(name, NAN)) for name in names}
    return FieldFocus(
        position=float(value["position"]),
        uncertainty=float(spread["position"]),
        **known,
        **errors,
        size_px=size,
        cells=cells,
    )
