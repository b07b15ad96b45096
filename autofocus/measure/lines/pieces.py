"""Short pieces of lines, a few rows of the slit each, averaged along the slit into one profile apiece."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.lines.bands import Bands
from autofocus.measure.lines.detection import Lines
from autofocus.measure.spectrum.sampling import ABSURD, along, lengths
from autofocus.model import Frame

Doubles = NDArray[np.float64]

LEAN_PER_PIECE_PX = 0.2
MOST_PIECES = 4
LEAST_ROWS = 3
REJECT_SIGMAS = 6.0
SHAPE_TOLERANCE = 0.3
QUANTUM_VARIANCE = 1.0 / 12.0


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """The pixels of a line on some rows: ``values`` (rows, pixels) in ADU, the first of them at ``start``.

    ``line`` numbers the line, ``center`` is about where it lies in the pixels, ``drift`` by how much it leans over
    the rows, px.
    """

    line: int
    values: Doubles
    start: int
    rows: tuple[int, int]
    center: float
    drift: float
    saturated: int

    @property
    def across(self) -> float:
        """The middle row."""
        return 0.5 * (self.rows[0] + self.rows[1] - 1)


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
    """All lines on some rows of the slit, each in as many pieces as its lean asks for."""
    lean = abs(float(bands.shift(float(rows[1])) - bands.shift(float(rows[0]))))
    count = max(1, min(MOST_PIECES, int(np.ceil(lean / LEAN_PER_PIECE_PX)), (rows[1] - rows[0]) // LEAST_ROWS))
    edges = np.linspace(rows[0], rows[1], count + 1).astype(int)
    _, length = lengths(frame, bands.axis)
    ceiling, pieces = ceiling_of(frame), []
    for first, last in pairwise(edges):
        shift = float(bands.shift(0.5 * (first + last - 1)))
        drift = abs(float(bands.shift(float(last)) - bands.shift(float(first))))
        for number, place in enumerate(lines.places):
            middle = round(float(place) + shift)
            low, high = middle - lines.window_px, middle + lines.window_px + 1
            if low < 0 or high > length:
                continue
            values = along(frame, bands.axis, slice(int(first), int(last)), slice(low, high)).astype(np.float64)
            if np.all(np.abs(values) < ABSURD):
                full = int(np.count_nonzero(values >= ceiling - 0.5 * abs(frame.bscale)))
                pieces.append(Piece(number, values, low, (int(first), int(last)), place + shift - low, drift, full))
    return pieces


def noise_of(pieces: list[Piece]) -> Noise:
    """Noise of a pixel against its light, from the difference between neighbouring rows of all pieces."""
    variances, lights = [np.full(1, QUANTUM_VARIANCE)], [np.zeros(1)]
    for piece in pieces:
        if piece.values.shape[0] < LEAST_ROWS:
            continue
        steps = np.diff(piece.values, axis=0)
        steps -= np.median(steps, axis=1, keepdims=True)  # the slit is not equally wide everywhere
        kept = np.abs(steps) <= REJECT_SIGMAS * 1.4826 * np.median(np.abs(steps), axis=0)
        typical = np.median(piece.values, axis=0)
        variances.append(0.5 * np.where(kept, steps**2, 0.0).sum(axis=0) / np.maximum(kept.sum(axis=0), 1))
        lights.append(typical - typical.min())
    return _straight_line(np.concatenate(lights), np.concatenate(variances))


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
    """Profile of a piece without what cosmic rays and hot pixels add, and how many rows each pixel's mean is of."""
    values = piece.values
    typical = np.median(values, axis=0)
    light = typical - typical.min()
    flux = np.clip((values - typical.min()) @ light / max(float(light @ light), 1e-30), 0.2, 5.0)
    # One hot pixel lifts the light of its row: the median of the ratios near the top does not follow it.
    core = light > 0.5 * light.max()
    ratio = np.median((values[:, core] - typical.min()) / light[core], axis=1) if core.any() else flux
    flux = np.where(np.abs(flux - ratio) < 0.2, flux, np.clip(ratio, 0.2, 5.0))
    expected = typical.min() + flux[:, None] * light
    slope = np.abs(np.gradient(typical))
    allowed = np.sqrt(noise.variance(light) * REJECT_SIGMAS**2 + np.square(SHAPE_TOLERANCE * slope))
    good = np.abs(values - expected) < allowed
    count = good.sum(axis=0)
    mean = expected.mean(axis=0) + np.where(good, values - expected, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.asarray(mean), np.maximum(count, 1).astype(np.float64)
