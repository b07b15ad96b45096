"""Measure an arc frame: find its lines, and their width on a grid of places all over the field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autofocus.arcfield import FieldCell
from autofocus.measure.lines.bands import Bands, find_bands
from autofocus.measure.lines.detection import Lines, find_lines
from autofocus.measure.lines.pieces import Noise, Piece, averaged, cut_pieces, noise_of
from autofocus.measure.lines.shared import Profiles, SharedFit, fit_shared
from autofocus.measure.lines.slitimage import SlitImage
from autofocus.measure.lines.typical import typical_width
from autofocus.measure.reading import Reading, SpatialProfile, known, nothing
from autofocus.measure.spectrum.finding.sampling import lengths
from autofocus.model import Axis, Flag, Frame
from autofocus.settings import MeasureSettings

Doubles = NDArray[np.float64]

CELLS_ALONG, CELLS_ACROSS = 5, 3
MOST_LINES = 6  # the brightest of each cell
LEAST_LINES = 2  # of a frame, when nobody said which way the dispersion runs
SATURATED_PART = 0.01
BLEND_SIGMAS, BLEND_PART = 4.0, 0.04
LOW_SNR = 7.0


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One place of the field: the fit of its lines, and which of the pieces it is of."""

    field: FieldCell
    fit: SharedFit
    profiles: Profiles
    pieces: tuple[Piece, ...]


def measure_lines(frame: Frame, settings: MeasureSettings) -> Reading:
    """Measure the width of an arc's lines along the dispersion.

    Parameters
    ----------
    frame : Frame
        Any image; pixels may be NaN.
    settings : MeasureSettings
        ``dispersion_axis`` is obeyed; ``auto`` takes the direction in which more lines stand.

    Returns
    -------
    Reading
        ``fwhm_px`` is the robust mean over the cells of the field, ``measurement.field`` holds these. ``nsig`` is
        NaN: a lamp's light says nothing of focus. Never raises on pixels: without lines the flag ``no_trace`` is set
        and ``verdict`` says why.
    """
    with np.errstate(all="ignore"):
        try:
            return _measure(frame, settings)
        except np.linalg.LinAlgError:
            return nothing(frame, "lines", "the pixels admit no fit")


def _measure(frame: Frame, settings: MeasureSettings) -> Reading:
    bands, lines = _look(frame, settings)
    if bands is None or lines is None:
        return nothing(frame, "lines", "no emission lines that stand alone across the dispersion")
    rows = _slit_parts(bands)
    pieces = [cut_pieces(frame, bands, lines, part) for part in rows]
    if not any(pieces):
        return nothing(frame, "lines", "the lines are cut off by the edge of the frame")
    noise = noise_of(frame, bands, lines)
    full = _saturated(pieces)
    _, length = lengths(frame, bands.axis)
    cells: list[Cell] = []
    for across, part in enumerate(pieces):
        for number in range(CELLS_ALONG):
            low, high = number * length / CELLS_ALONG, (number + 1) * length / CELLS_ALONG
            here = _brightest(part, lines, full, low, high)
            like = cells[-1].fit.shape if cells else None
            cell = _cell(here, lines, noise, (number, across), like) if here else None
            if cell is not None:
                cells.append(cell)
    if not cells:
        return nothing(frame, "lines", "all lines are saturated" if len(full) == lines.places.size else "no line fits")
    return _fill(frame, bands, lines, noise, cells, pieces)


def _look(frame: Frame, settings: MeasureSettings) -> tuple[Bands | None, Lines | None]:
    """The bands and lines in the direction asked for, or in that with more of them."""
    asked = settings.dispersion_axis
    axes: tuple[Axis, ...] = ("x", "y") if asked == "auto" else (asked,)
    best: tuple[Bands | None, Lines | None] = (None, None)
    for axis in axes:
        bands = find_bands(frame, axis)
        lines = find_lines(bands) if bands is not None else None
        if lines is None or (asked == "auto" and lines.places.size + lines.rejected < LEAST_LINES):
            continue
        if best[1] is None or lines.places.size > best[1].places.size:
            best = bands, lines
    return best


def _slit_parts(bands: Bands) -> list[tuple[int, int]]:
    """The lit slit in `CELLS_ACROSS` parts of equal length."""
    edges = np.linspace(bands.rows[0][0], bands.rows[-1][1], CELLS_ACROSS + 1).astype(int)
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def _saturated(pieces: list[list[Piece]]) -> set[int]:
    """The lines that are full somewhere."""
    every = (piece for part in pieces for piece in part)
    return {piece.line for piece in every if piece.saturated > SATURATED_PART * piece.values.shape[0]}


def _brightest(pieces: list[Piece], lines: Lines, full: set[int], low: float, high: float) -> list[Piece]:
    """The pieces of the brightest lines of a part of the spectrum that are not saturated."""
    inside = [k for k in range(lines.places.size) if low <= lines.places[k] < high and k not in full]
    chosen = set(sorted(inside, key=lambda k: -float(lines.heights[k]))[:MOST_LINES])
    return [piece for piece in pieces if piece.line in chosen]


def _cell(
    pieces: list[Piece], lines: Lines, noise: Noise, place: tuple[int, int], like: SlitImage | None
) -> Cell | None:
    """Fit the lines of one place, and once more without those that are wider than the others: blends."""
    made = [averaged(piece, noise) for piece in pieces]
    profiles = Profiles(
        np.stack([values for values, _ in made]),
        np.stack([rows for _, rows in made]),
        np.array([piece.center for piece in pieces]),
        float(np.mean([piece.box for piece in pieces])),
    )
    fit = fit_shared(profiles, noise, lines.width_px, like)
    for _ in range(2):
        if fit is None:
            return None
        keep = _like_the_others(fit, np.array([piece.line for piece in pieces]))
        if keep.all():
            break
        pieces = [piece for piece, kept in zip(pieces, keep, strict=True) if kept]
        profiles = profiles.only(keep)
        fit = fit_shared(profiles, noise, lines.width_px, fit.shape)
    if fit is None:
        return None
    width, error = fit.width
    if not (np.isfinite(width) and np.isfinite(error) and 0 < error < 0.5 * width):
        return None
    along = float(np.mean([piece.along for piece in pieces]))
    across = float(np.mean([piece.across for piece in pieces]))
    count = len({piece.line for piece in pieces})
    return Cell(FieldCell(*place, along, across, width, error, count), fit, profiles, tuple(pieces))


def _like_the_others(fit: SharedFit, line: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which pieces belong to lines as wide as most are; all where fewer than three lines could say."""
    numbers = np.unique(line)
    if numbers.size < 3:
        return np.ones(line.size, dtype=bool)
    weight = 1.0 / fit.wider_err**2
    wider = np.array([np.average(fit.wider[line == k], weights=weight[line == k]) for k in numbers])
    error = np.array([1.0 / np.sqrt(weight[line == k].sum()) for k in numbers])
    off = np.abs(wider - np.median(wider))
    odd = numbers[off > np.hypot(BLEND_SIGMAS * error, BLEND_PART)]
    return np.asarray(~np.isin(line, odd)) if odd.size < numbers.size - 1 else np.ones(line.size, dtype=bool)


def _fill(
    frame: Frame, bands: Bands, lines: Lines, noise: Noise, cells: list[Cell], pieces: list[list[Piece]]
) -> Reading:
    field = tuple(cell.field for cell in cells)
    across, length = lengths(frame, bands.axis)
    width, error = typical_width(field)
    used = [piece for cell in cells for piece in cell.pieces]
    levels = np.concatenate([cell.fit.own[:, 2] for cell in cells])
    snr = float(np.median(np.concatenate([_snr(cell, noise) for cell in cells])))
    saturated = sum(piece.saturated for part in pieces for piece in part)
    peak = max(float(piece.values.max()) for piece in used)
    flags = [
        flag
        for flag, is_set in (
            (Flag.SATURATED, 2 * len(_saturated(pieces)) > lines.places.size),
            (Flag.LOW_SNR, snr < LOW_SNR),
            (Flag.NO_EXPOSURE, not frame.exposure_s),
        )
        if is_set
    ]
    measurement = replace(
        known(frame, "lines"),
        fwhm_px=width,
        fwhm_err_px=error,
        snr=snr,
        background_adu=float(np.median(levels)),
        background_noise_adu=float(np.sqrt(noise.read)),
        peak_adu=peak,
        saturated_px=saturated,
        dispersion_axis=bands.axis,
        flags=tuple(flags),
        field=field,
        field_px=(length, across),
    )
    return Reading(measurement, _drawn(cells))


def _snr(cell: Cell, noise: Noise) -> Doubles:
    """Signal-to-noise of each piece of a line, all its rows together, optimally weighed (Horne 1986)."""
    pixels = np.arange(cell.profiles.values.shape[1]) - cell.profiles.centers[:, None] - cell.fit.own[:, 1:2]
    light = cell.fit.own[:, :1] * cell.fit.shape.values(pixels)
    return np.asarray(np.sqrt(np.sum(light**2 * cell.profiles.rows / noise.variance(light), axis=1)))


def _drawn(cells: list[Cell]) -> SpatialProfile:
    """The brightest line of the cell nearest to the typical width, for the eye."""
    typical = float(np.median([cell.field.fwhm_px for cell in cells]))
    cell = min(cells, key=lambda one: abs(one.field.fwhm_px - typical))
    k = int(np.argmax(cell.fit.own[:, 0]))
    light, place, level, gradient = cell.fit.own[k]
    offsets = np.arange(cell.profiles.values.shape[1]) - cell.profiles.centers[k]
    fit = light * cell.fit.shape.values(offsets - place, cell.profiles.box) + level + gradient * offsets
    return SpatialProfile(round(cell.pieces[k].along - cell.pieces[k].center), cell.profiles.values[k], fit)
