"""The trace: follow a ridge along the dispersion, and say how much light each part of it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.ridge import MAX_SLANT, Ridge
from autofocus.measure.spectrum.finding.sampling import BLOCKS, Floats
from autofocus.measure.spectrum.finding.votes import Votes, middle
from autofocus.model import Axis

Doubles = NDArray[np.float64]

TURNS = 8
ROWS_IN_SIGMA = 8  # more tell nothing more
REWEIGHTINGS = 2
SETTLED = 0.02
WELL_SEEN = 5.0
HIGHEST_DEGREE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Where the spectrum lies: its centre across the dispersion as a polynomial of the place along it.

    ``coefficients`` are those of u = 2 x / (length - 1) - 1, lowest power first; ``width_px`` is a rough full
    width; ``flux`` and ``flux_err`` are the light of each of `sampling.BLOCKS` parts, ADU per column. ``scatter`` is
    how far the light of a typical part lies off the centre, noise apart, as a part of the Gaussian's sigma. Of a
    ``faint`` one, which only all pixels together show, the significance is the signal-to-noise of all its light.
    """

    axis: Axis
    length: int
    across: int
    coefficients: tuple[float, ...]
    width_px: float
    significance: float
    flux: Doubles
    flux_err: Doubles
    scatter: float = 0.0
    faint: bool = False

    def center(self, x: NDArray[np.generic] | float) -> Doubles:
        """Centre across the dispersion, px (0-based), at places ``x`` along it."""
        u = 2.0 * np.asarray(x, dtype=np.float64) / max(self.length - 1, 1) - 1.0
        return np.asarray(np.polynomial.polynomial.polyval(u, self.coefficients))

    @property
    def slant_px(self) -> float:
        """Rise from the first to the last column."""
        ends = self.center(np.array([0.0, self.length - 1.0]))
        return float(ends[1] - ends[0])

    @property
    def brightness(self) -> float:
        """Median light of the parts, ADU per column."""
        ordered = np.sort(self.flux)
        return 0.5 * float(ordered[(ordered.size - 1) // 2] + ordered[ordered.size // 2])

    @property
    def place(self) -> float:
        """Centre at mid-length, px."""
        return float(self.center((self.length - 1) / 2))

    @property
    def is_steep(self) -> bool:
        """Whether it has turned further than the lines looked for and its own width: from star to star, say."""
        return abs(self.slant_px) > MAX_SLANT * self.length + self.width_px

    def inside(self, x: NDArray[np.generic] | float) -> bool:
        """Whether the centre lies on the frame at all ``x``."""
        center = self.center(x)
        return bool(np.all((center > -0.5) & (center < self.across - 0.5)))


def survey(votes: Votes, ridge: Ridge, *, hole: bool = False, near: bool = False) -> Trace:
    """The light of each part along the straight ridge, without following it; along a dip, the light that is missing.

    ``near``: above the inner half of its sides alone, as the outer one may hold the rim across the hole of a doughnut.
    """
    line = np.array([ridge.center_px, 0.5 * ridge.slant_px, 0.0, 0.0])
    sigma = max(ridge.width_px / 2.0, 1.0)
    cut = _cut(votes, _powers(votes) @ line, sigma)
    values = -cut.values if hole else cut.values
    return _as_trace(votes, ridge, line, sigma, _weigh(cut, values - _higher_side(cut, values, near=near), sigma))


def follow(votes: Votes, ridge: Ridge, straight: int = 2) -> Trace:
    """Follow a ridge: from a straight line at its rough width down to a curve at its own.

    In every turn the shift of each part against the curve so far is the first moment under a Gaussian of the current
    width; a polynomial through the shifts, weighted by how well each is known, moves the curve. Its degree rises only
    where that is significant, after ``straight`` turns.
    """
    powers = _powers(votes)
    curve: Doubles = np.array([ridge.center_px, 0.5 * ridge.slant_px, 0.0, 0.0])
    sigma = max(ridge.width_px / 2.0, 1.0)
    trust: Doubles = np.ones(BLOCKS)
    degrees: tuple[int, ...] = (1,)
    for turn in range(TURNS):
        cut = _cut(votes, powers @ curve, sigma)
        seen = _weigh(cut, cut.values - _both_sides(cut), sigma)
        shift, variance = _moments(seen, cut.distance, sigma)
        known = np.minimum(np.maximum(seen.light / seen.error, 0.0), 50.0)
        if turn == straight:
            degrees = (1, HIGHEST_DEGREE)
        moved, trust, degree = _move(powers, curve, shift, known, 1.5 * sigma, trust, degrees)
        degrees = (degree,)
        total = float(known.sum())
        if total > 0.0:
            wider = np.sqrt(max(float(known @ variance) / total, 0.3))
            sigma = min(max(wider, 0.6 * sigma, 0.8), 1.6 * sigma, votes.across / 4)
        settled = turn > straight and float(np.abs(powers @ (moved - curve)).max()) < SETTLED * sigma
        curve = moved
        if settled:
            break
    return replace(_as_trace(votes, ridge, curve, sigma, seen), scatter=_scatter(shift, known, sigma))


def _scatter(shift: Doubles, known: Doubles, sigma: float) -> float:
    """Typical shift, its noise apart, in sigmas, of the parts that show enough light; cosmic rays spoil a few."""
    sure = known > WELL_SEEN
    if not sure.any():
        return 0.0
    excess = np.square(shift[sure] / sigma) - np.square(1.5 / known[sure])
    return float(np.sqrt(max(float(middle(excess)), 0.0)))


def _powers(votes: Votes) -> Doubles:
    """Powers of the place of each part along the dispersion, counted from -1 to 1."""
    u = 2.0 * votes.x / max(votes.length - 1, 1) - 1.0
    return np.asarray(u[:, None] ** np.arange(HIGHEST_DEGREE + 1))


def _as_trace(votes: Votes, ridge: Ridge, curve: Doubles, sigma: float, seen: _Seen) -> Trace:
    where = tuple(float(c) for c in curve)
    flux, error = seen.light / seen.gain, seen.error / seen.gain
    return Trace(votes.axis, votes.length, votes.across, where, 2.3548 * sigma, ridge.significance, flux, error)


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """Rows about a curve: ADU and distance from it in px, shape (BLOCKS, 4 half + 1); the outer ``half`` are sides.

    ``inside`` says which lie on the frame, None for all; ``noise`` is that of a row of each part.
    """

    values: Floats
    distance: Floats
    inside: NDArray[np.bool_] | None
    noise: Floats
    half: int


def _cut(votes: Votes, center: Doubles, sigma: float) -> _Cut:
    """Cut out the rows within six sigmas; of wide ridges, means of a few rows."""
    size = 1
    while 2 * size * ROWS_IN_SIGMA <= sigma:
        size *= 2
    profiles = votes.binned(size)
    half = int(np.ceil(3 * sigma / size)) + 1
    offsets = np.arange(-2 * half, 2 * half + 1)
    place = (center + 0.5) / size - 0.5
    anchor = np.rint(place)
    rows = anchor.astype(np.intp)[:, None] + offsets
    last = profiles.shape[1] - 1
    inside = None
    if place.min() < 2 * half + 1 or place.max() > last - 2 * half - 1:
        inside = (rows >= 0) & (rows <= last)
        np.clip(rows, 0, last, out=rows)
    rows += np.arange(BLOCKS)[:, None] * (last + 1)
    distance = ((anchor - place)[:, None] + offsets) * size
    noise = votes.noise / np.float32(np.sqrt(size))
    return _Cut(profiles.ravel().take(rows), distance.astype(np.float32), inside, noise, half)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What a Gaussian window about a curve sees of each part.

    ``weighted`` are the pixels times the window, ``light`` their sum and ``error`` its noise; ``gain`` is the sum that
    a Gaussian of the same width and unit light would give.
    """

    weighted: Floats
    light: Doubles
    error: Doubles
    gain: Doubles


def _weigh(cut: _Cut, values: Floats, sigma: float) -> _Seen:
    """See the rows through a Gaussian window of ``sigma``."""
    window = np.exp(np.square(cut.distance / np.float32(sigma)) * np.float32(-0.5))
    if cut.inside is not None:
        window *= cut.inside
    weighted = window * values
    norm = np.einsum("ij,ij->i", window, window).astype(np.float64) + 1e-12
    light = weighted.sum(axis=1, dtype=np.float64)
    return _Seen(weighted, light, cut.noise * np.sqrt(norm), norm / (sigma * np.sqrt(2 * np.pi)))


def _both_sides(cut: _Cut) -> Floats:
    """Level of each part beside a ridge."""
    sides = np.concatenate((cut.values[:, : cut.half], cut.values[:, -cut.half :]), axis=1)
    return middle(sides)[:, None]


def _higher_side(cut: _Cut, values: Floats, *, near: bool) -> Floats:
    """The same, of the side that is higher over all parts, so that a step is no light."""
    far = cut.half // 2 if near else 0
    sides = (slice(far, cut.half), slice(-cut.half, -far or None))
    levels = [middle(values[:, side]) for side in sides if cut.inside is None or cut.inside[:, side].mean() > 0.5]
    if not levels:
        return np.zeros((BLOCKS, 1), np.float32)
    both = sum(levels[1:], start=levels[0]) / np.float32(len(levels))
    return np.asarray(both + max(float(np.mean(side - both)) for side in levels), np.float32)[:, None]


def _moments(seen: _Seen, distance: Floats, sigma: float) -> tuple[Doubles, Doubles]:
    """Shift and variance of the light of each part.

    The product of two Gaussians of the same variance has half of it, so that both are doubled.
    """
    enough = np.maximum(seen.light, 0.05 * float(middle(np.abs(seen.light))) + 1e-9)
    shift = 2.0 * np.einsum("ij,ij->i", seen.weighted, distance) / enough
    second = 2.0 * np.einsum("ij,ij,ij->i", seen.weighted, distance, distance) / enough
    return np.minimum(np.maximum(shift, -2 * sigma), 2 * sigma), second - 0.5 * shift**2


def _move(
    powers: Doubles,
    curve: Doubles,
    shift: Doubles,
    known: Doubles,
    reach: float,
    trust: Doubles,
    degrees: Sequence[int],
) -> tuple[Doubles, Doubles, int]:
    """Add the polynomial through the shifts, of the first of the degrees that is good enough, to the curve so far.

    ``trust`` is how far each part was believed so far, from 0 to 1; it comes back renewed, with the degree.
    """
    error = np.maximum(reach / np.maximum(known, 1e-3), 0.02)
    good = known > 1.0
    if np.count_nonzero(good) < 4:
        good, degrees = known > 0, (1,)
    count = np.count_nonzero(good)
    if count < 3:
        return curve, trust, degrees[0]
    target = powers @ curve + shift
    all_good = count == good.size
    some = (powers, target, error, trust) if all_good else (powers[good], target[good], error[good], trust[good])
    moved, best, kept, chosen = np.zeros_like(curve), np.inf, some[3], degrees[0]
    for degree in (degree if count >= 4 * degree else 1 for degree in degrees):
        fitted, score, damp = _robust_polynomial(some[0][:, : degree + 1], *some[1:])
        if score < 0.9 * best:
            best, kept, chosen = score, damp, degree
            moved[: degree + 1] = fitted
    renewed = kept if all_good else trust.copy()
    if not all_good:
        renewed[good] = kept
    return moved, renewed, chosen


def _robust_polynomial(design: Doubles, y: Doubles, error: Doubles, damp: Doubles) -> tuple[Doubles, float, Doubles]:
    """A polynomial by reweighted least squares (Cauchy weights), its chi-squared per degree of freedom, the weights."""
    count, terms = design.shape
    weight = 1.0 / error**2
    fitted, z = np.zeros(terms), np.zeros(count)
    for _ in range(REWEIGHTINGS):
        weighted = design * (weight * damp)[:, None]
        normal = design.T @ weighted
        normal.flat[:: terms + 1] *= 1.0 + 1e-9
        fitted = np.asarray(np.linalg.solve(normal, weighted.T @ y), np.float64)
        z = np.abs(y - design @ fitted) / error
        scale = max(1.4826 * float(middle(z)), 1.0)
        damp = 1.0 / (1.0 + np.square(z / (2.5 * scale)))
    return fitted, float(damp @ np.square(z)) / max(count - terms, 1), damp
