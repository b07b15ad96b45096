"""Pieces of lines: rows of the slit in which a line lies alike on the pixels, averaged into one profile apiece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.lines.bands import Bands
from autofocus.measure.lines.detection import Lines
from autofocus.measure.spectrum.finding.sampling import ABSURD, along, lengths
from autofocus.model import Frame

Doubles = NDArray[np.float64]

LEAN_PER_PIECE_PX = 0.2
MOST_PIECES = 5
NOISE_ROWS = 48
LEAST_ROWS = 3
REJECT_SIGMAS = 6.0
SHAPE_TOLERANCE = 0.3
FLUX_TOLERANCE = 0.2
QUANTUM_VARIANCE = 1.0 / 12.0


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """The pixels of a line on some rows: ``values`` (rows, pixels) in ADU, each row from where the line is in it.

    ``line`` numbers the line; ``center`` is about where it lies in the pixels, ``box`` the width of a pixel with what
    the lean of the line over the rows adds to it, px; ``along`` and ``across`` are its place on the frame.
    """

    line: int
    values: Doubles
    center: float
    box: float
    along: float
    across: float
    saturated: int


@dataclass(frozen=True, slots=True)
class Noise:
    """Variance of one pixel: ``read`` + ``shot`` x its light, ADU²."""

    read: float
    shot: float

    def variance(self, light: Doubles) -> Doubles:
        """Variance of a pixel with this much light above the darkest, ADU."""
        return np.asarray(self.read + self.shot * np.maximum(light, 0.0))


def ceiling_of(frame: Frame) -> float:
    """The value at which a pixel is full, ADU."""
    if frame.saturation_adu is not None:
        return frame.saturation_adu
    kind = frame.raw.dtype
    return float(np.iinfo(kind).max) * frame.bscale + frame.bzero if kind.kind in "iu" else float("inf")


def cut_pieces(frame: Frame, bands: Bands, lines: Lines, rows: tuple[int, int]) -> list[Piece]:
    """All lines on some rows of the slit, each in as many pieces as its lean asks for.

    The rows of a piece have the line at nearly the same place within a pixel, each in its own pixels.
    """
    _, length = lengths(frame, bands.axis)
    every = np.arange(*rows)
    shift = bands.shift(every.astype(np.float64))
    count = int(np.clip(np.ceil(float(np.ptp(shift)) / LEAN_PER_PIECE_PX), 1, MOST_PIECES))
    window = np.arange(-lines.window_px, lines.window_px + 1)
    pieces = []
    for number, place in enumerate(lines.places):
        center = place + shift
        middle = 0.5 * float(center.min() + center.max())  # lines that lean by less than a pixel stay in theirs
        pixel = np.rint(center - middle).astype(np.intp) + round(middle)
        low, high = int(pixel.min() + window[0]), int(pixel.max() + window[-1]) + 1
        if low < 0 or high > length:
            continue
        part = along(frame, bands.axis, slice(*rows), slice(low, high)).astype(np.float64)
        values = np.take_along_axis(part, pixel[:, None] + window - low, axis=1)
        if np.all(np.abs(values) < ABSURD):
            order = np.argsort(center - pixel, kind="stable")
            pieces += [
                _piece(frame, number, values[chosen], center[chosen], pixel[chosen], every[chosen])
                for chosen in np.array_split(order, min(count, max(every.size // LEAST_ROWS, 1)))
            ]
    return pieces


def _piece(
    frame: Frame, line: int, values: Doubles, center: Doubles, pixel: NDArray[np.intp], rows: NDArray[np.intp]
) -> Piece:
    phase = center - pixel
    full = int(np.count_nonzero(values >= ceiling_of(frame) - 0.5 * abs(frame.bscale)))
    middle = 0.5 * (values.shape[1] - 1) + float(phase.mean())
    box = float(np.sqrt(1.0 + 12.0 * phase.var()))
    return Piece(line, values, middle, box, float(center.mean()), float(rows.mean()), full)


def noise_of(frame: Frame, bands: Bands, lines: Lines) -> Noise:
    """Noise of a pixel against its light: from the second differences along the slit, which no lean of a line has."""
    variances, lights = [np.full(1, QUANTUM_VARIANCE)], [np.zeros(1)]
    _, length = lengths(frame, bands.axis)
    first, last = bands.rows[0][0], bands.rows[-1][1]
    count = min(NOISE_ROWS, last - first)
    for row in sorted({first, (first + last - count) // 2, last - count}):
        for place in lines.places:
            middle = round(float(place + bands.shift(row + 0.5 * count)))
            low, high = max(middle - lines.window_px, 0), min(middle + lines.window_px + 1, length)
            values = along(frame, bands.axis, slice(row, row + count), slice(low, high)).astype(np.float64)
            if count >= 2 * LEAST_ROWS and values.size and np.all(np.abs(values) < ABSURD):
                variances.append(_variance(values))
                typical = np.median(values, axis=0)
                lights.append(typical - typical.min())
    return _straight_line(np.concatenate(lights), np.concatenate(variances))


def _variance(values: Doubles) -> Doubles:
    """Variance of each column's pixels from row to row, what is hit and what the slit itself does left out."""
    bend = values[2:] - 2.0 * values[1:-1] + values[:-2]
    kept = np.abs(bend) <= REJECT_SIGMAS * 1.4826 * np.median(np.abs(bend), axis=0)
    return np.asarray(np.where(kept, bend**2, 0.0).sum(axis=0) / np.maximum(kept.sum(axis=0), 1) / 6.0)


def _straight_line(light: Doubles, variance: Doubles) -> Noise:
    """Least squares with weights from the line itself: a variance scatters as itself."""
    dark = light <= np.percentile(light, 25.0)
    read = max(float(np.median(variance[dark])), QUANTUM_VARIANCE)
    shot = max(float(np.median((variance - read) / np.maximum(light, 1.0))), 0.0)
    for _ in range(4):
        weight = 1.0 / np.square(read + shot * light)
        a, b, c = weight.sum(), (weight * light).sum(), (weight * light**2).sum()
        d, e = (weight * variance).sum(), (weight * light * variance).sum()
        determinant = a * c - b * b
        if determinant <= 0:
            break
        read = max(float((d * c - e * b) / determinant), QUANTUM_VARIANCE)
        shot = max(float((a * e - b * d) / determinant), 0.0)
    return Noise(read, shot)


def averaged(piece: Piece, noise: Noise) -> tuple[Doubles, Doubles]:
    """Profile of a piece without what cosmic rays and hot pixels add, and how many rows each pixel's mean is of.

    Rows beside the slit, where the line is dark, are left out.
    """
    values, typical = piece.values, np.median(piece.values, axis=0)
    level = float(typical.min())
    light = typical - level
    power = max(float(light @ light), 1e-30)
    flux = (values - level) @ light / power
    # One hot pixel lifts the light of its row: the median of the ratios near the top does not follow it.
    core = light > 0.5 * light.max()
    ratio = np.median((values[:, core] - level) / light[core], axis=1) if core.any() else flux
    flux = np.where(np.abs(flux - ratio) < FLUX_TOLERANCE, flux, ratio)
    dark = flux < 0.5 - 4.0 * np.sqrt(noise.variance(light) @ light**2) / power
    if dark.any() and not dark.all():
        values, flux = values[~dark], flux[~dark]
    expected = level + np.clip(flux, 0.2, 5.0)[:, None] * light
    slope = np.abs(np.gradient(typical))
    allowed = np.sqrt(noise.variance(light) * REJECT_SIGMAS**2 + np.square(SHAPE_TOLERANCE * slope))
    good = np.abs(values - expected) < allowed
    count = good.sum(axis=0)
    mean = expected.mean(axis=0) + np.where(good, values - expected, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.asarray(mean), np.maximum(count, 1).astype(np.float64)
