"""The arc's spectrum at many places along the slit: which part of the slit is lit, and how its lines lean."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift as shifted

from autofocus.measure.spectrum.finding.sampling import ABSURD, along, lengths
from autofocus.model import Axis, Frame

Doubles = NDArray[np.float64]

MOST_PARTS = 32
LEAST_ROWS = 4
MOST_ROWS = 16
LEAST_LENGTH = 64
CONTINUUM_BLOCKS = 24
CONTINUUM_PART = 0.25
MOST_LEAN_PX = 6
LIT = 0.3  # of the brightest part
SURE_SIGMAS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """The lit parts of the slit, and the whole spectrum with all of them brought to one.

    ``rows`` are the edges of each lit part, first row and the row after the last; ``lean`` the coefficients, the
    highest first, of how far the lines lie beside where they are in the brightest part, px, against rows from
    ``middle``. ``halves`` (2, length) are the spectra less their continuum of every other part, brought to where the
    brightest has its lines, so that they share no noise; ``noise`` is that of their mean.
    """

    axis: Axis
    rows: tuple[tuple[int, int], ...]
    middle: float
    lean: Doubles
    halves: Doubles
    noise: float

    @property
    def spectrum(self) -> Doubles:
        """All lit parts together, ADU above the continuum, shape (length,)."""
        return np.asarray(self.halves.mean(axis=0))

    def shift(self, row: Doubles | float) -> Doubles:
        """How far the lines at a row lie beside where they are in `spectrum`, px."""
        return np.asarray(np.polyval(self.lean, np.asarray(row) - self.middle))


def find_bands(frame: Frame, axis: Axis) -> Bands | None:
    """Follow the lines from the brightest part of the slit to both ends of its light; None where nothing repeats."""
    across, length = lengths(frame, axis)
    count = min(MOST_PARTS, across // LEAST_ROWS)
    if count < 2 or length < LEAST_LENGTH:
        return None
    edges = np.linspace(0, across, count + 1).astype(int)
    parts = np.stack([_collapsed(frame, axis, int(a), int(b)) for a, b in pairwise(edges)])
    parts -= _continuum(parts)
    noise = np.array([_noise(part) for part in parts])
    shifts = _followed(parts, noise)
    lit = np.flatnonzero(np.isfinite(shifts))
    if lit.size < 2:
        return None
    rows = tuple((int(edges[k]), int(edges[k + 1])) for k in lit)
    at = np.array([0.5 * (a + b - 1) for a, b in rows])
    middle = float(at.mean())
    lean = _robust_polynomial(at - middle, shifts[lit], 2 if lit.size >= 6 else min(1, lit.size - 1))
    straight = np.stack(
        [
            shifted(parts[k], -float(np.polyval(lean, place - middle)), order=1, mode="nearest")
            for k, place in zip(lit, at, strict=True)
        ]
    )
    halves = np.stack([straight[0::2].mean(axis=0), straight[1::2].mean(axis=0)])
    return Bands(axis, rows, middle, lean, halves, float(np.sqrt(np.mean(noise[lit] ** 2) / lit.size)))


def _collapsed(frame: Frame, axis: Axis, first: int, last: int) -> Doubles:
    """The median of up to `MOST_ROWS` rows: no cosmic ray and no hot pixel is in it."""
    step = max(1, (last - first) // MOST_ROWS)
    rows = along(frame, axis, slice(first, last, step), slice(None)).astype(np.float64)
    sound = np.abs(rows) < ABSURD
    if sound.all():
        return np.asarray(np.median(rows, axis=0))
    middle = float(np.median(rows[sound])) if sound.any() else 0.0
    return np.asarray(np.median(np.where(sound, rows, middle), axis=0))


def _continuum(parts: Doubles) -> Doubles:
    """What lies under the lines of each spectrum: a low percentile of each of some blocks, joined by straight lines."""
    length = parts.shape[1]
    count = min(CONTINUUM_BLOCKS, length // 16)
    size = length // count
    blocks = parts[:, : count * size].reshape(len(parts), count, size)
    rank = int(CONTINUUM_PART * (size - 1))
    level = np.pad(np.partition(blocks, rank, axis=2)[:, :, rank], ((0, 0), (1, 1)), mode="edge")
    smooth = np.median(np.stack([level[:, :-2], level[:, 1:-1], level[:, 2:]]), axis=0)
    places = size * np.arange(count) + 0.5 * (size - 1)
    return np.stack([np.interp(np.arange(length), places, one) for one in smooth])


def _noise(spectrum: Doubles) -> float:
    """Scatter from pixel to pixel, lines and all that is smooth left out."""
    second = spectrum[2:] - 2.0 * spectrum[1:-1] + spectrum[:-2]
    return float(max(1.4826 * np.median(np.abs(second)) / np.sqrt(6.0), 1e-3))


def _followed(parts: Doubles, noise: Doubles) -> Doubles:
    """Shift of each part's lines against the brightest part's; NaN where the slit is dark."""
    shifts = np.full(len(parts), np.nan)
    power = np.sum(np.square(np.maximum(parts, 0.0)), axis=1) / noise**2
    first = int(np.argmax(power))
    shifts[first] = 0.0
    for side in (1, -1):
        template, last = parts[first], 0.0
        for k in range(first + side, len(parts) if side > 0 else -1, side):
            moved = shifted(template, last, order=1, mode="nearest")
            lag, amplitude, sigmas = _match(moved, parts[k], float(noise[k]))
            if amplitude < LIT or sigmas < SURE_SIGMAS:
                break
            last += lag
            shifts[k] = last
    return shifts


def _match(template: Doubles, part: Doubles, noise: float) -> tuple[float, float, float]:
    """Shift of ``part`` against the template, its brightness in parts of the template's, and how sure that is."""
    lags = np.arange(-MOST_LEAN_PX, MOST_LEAN_PX + 1)
    inner = slice(MOST_LEAN_PX, template.size - MOST_LEAN_PX)
    power = float(np.sum(template[inner] ** 2))
    likeness = np.array([np.dot(template[inner], np.roll(part, -lag)[inner]) for lag in lags])
    top = int(np.clip(np.argmax(likeness), 1, lags.size - 2))
    left, middle, right = likeness[top - 1 : top + 2]
    bend = left - 2.0 * middle + right
    lag = float(lags[top]) + (float(np.clip(0.5 * (left - right) / bend, -1.0, 1.0)) if bend < 0 else 0.0)
    return lag, float(middle / max(power, 1e-30)), float(middle / (noise * np.sqrt(max(power, 1e-30))))


def _robust_polynomial(x: Doubles, y: Doubles, degree: int) -> Doubles:
    """Coefficients of a polynomial, far points without a say."""
    weight = np.ones_like(y)
    coefficients = np.zeros(degree + 1)
    for _ in range(6):
        coefficients = np.polyfit(x, y, degree, w=weight)
        off = np.abs(y - np.polyval(coefficients, x))
        weight = 1.0 / (1.0 + np.square(off / max(3.0 * float(np.median(off)), 0.02)))
    return np.asarray(coefficients)
