"""The trace: follow a ridge along the dispersion, and say how much light each part of it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.ridge import Ridge, Votes
from autofocus.model import Axis

Doubles = NDArray[np.float64]

TURNS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Where the spectrum lies: its centre across the dispersion as a polynomial of the place along it.

    ``coefficients`` are those of u = 2 x / (length - 1) - 1, lowest power first; ``width_px`` is a rough full
    width; ``flux`` and ``flux_err`` are the light of each of `sampling.BLOCKS` parts, ADU per column.
    """

    axis: Axis
    length: int
    across: int
    coefficients: tuple[float, ...]
    width_px: float
    significance: float
    flux: Doubles
    flux_err: Doubles

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
        return float(np.median(self.flux))

    def inside(self, x: NDArray[np.generic] | float) -> bool:
        """Whether the centre lies on the frame at all ``x``."""
        center = self.center(x)
        return bool(np.all((center > -0.5) & (center < self.across - 0.5)))


def survey(votes: Votes, ridge: Ridge, *, hole: bool = False) -> Trace:
    """The light of each part along the straight ridge, without following it; along a dip, the light that is missing."""
    u = _parts(votes)
    profiles, low = _block_profiles(votes, ridge)
    sigma = max(ridge.width_px / 2.0, 1.0)
    coefficients = np.array([ridge.center_px, 0.5 * ridge.slant_px])
    center = coefficients[0] + coefficients[1] * u
    profiles = -profiles if hole else profiles
    profiles -= _higher_side(profiles, center - low, sigma)
    found = _moments(profiles, center - low, sigma, level=False)
    error = votes.noise * found.flux_gain
    return _as_trace(votes, ridge, coefficients, sigma, found.flux, error)


def follow(votes: Votes, ridge: Ridge) -> Trace:
    """Follow a ridge: from a straight line at its rough width down to a curve at its own.

    In every turn the shift of each part against the curve
    so far is the first moment under a Gaussian of the current width; a polynomial through the shifts, weighted by
    how well each is known, moves the curve. Its degree rises only where that is significant.
    """
    u = _parts(votes)
    profiles, low = _block_profiles(votes, ridge)
    noise = votes.noise.astype(np.float64)
    coefficients = np.array([ridge.center_px, 0.5 * ridge.slant_px])
    sigma = max(ridge.width_px / 2.0, 1.0)
    for turn in range(TURNS):
        center = np.polynomial.polynomial.polyval(u, coefficients)
        found = _moments(profiles, center - low, sigma)
        known = np.clip(found.flux / (noise * found.flux_gain), 0.0, 50.0)
        moved = _move(coefficients, u, found.shift, known, sigma, 1 if turn < 2 else 3)
        if known.sum() > 0:
            variance = float(np.average(found.second, weights=known))
            sigma = float(np.clip(np.sqrt(max(variance, 0.3)), 0.6 * sigma, 1.6 * sigma))
            sigma = float(np.clip(sigma, 0.8, votes.across / 4))
        settled = turn > 2 and np.abs(np.polynomial.polynomial.polyval(u, moved) - center).max() < 0.01 * sigma
        coefficients = moved
        if settled:
            break
    return _as_trace(votes, ridge, coefficients, sigma, found.flux, noise * found.flux_gain)


def _parts(votes: Votes) -> Doubles:
    """Where along the dispersion the parts lie, from -1 to 1."""
    return np.asarray(2.0 * votes.x / max(votes.length - 1, 1) - 1.0)


def _as_trace(votes: Votes, ridge: Ridge, coefficients: Doubles, sigma: float, flux: Doubles, error: Doubles) -> Trace:
    where = tuple(float(c) for c in coefficients)
    return Trace(votes.axis, votes.length, votes.across, where, 2.3548 * sigma, ridge.significance, flux, error)


def _block_profiles(votes: Votes, ridge: Ridge) -> tuple[Doubles, int]:
    """The typical column of each part near the ridge, ADU, shape (BLOCKS, rows); the first row."""
    reach = abs(ridge.slant_px) / 2 + 8 * ridge.width_px + 16
    low = max(0, int(ridge.center_px - reach))
    high = min(votes.across, int(ridge.center_px + reach) + 1)
    return votes.residuals[:, low:high].astype(np.float64), low


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    flux: Doubles
    shift: Doubles
    second: Doubles
    flux_gain: Doubles


def _higher_side(profiles: Doubles, center: Doubles, sigma: float) -> Doubles:
    """Level of each part beside a ridge: of the side that is higher over all parts, so that a step is no light."""
    far, near = int(np.ceil(6 * sigma)) + 2, int(np.ceil(3 * sigma)) + 1
    levels = []
    for offsets in (np.arange(-far, -near), np.arange(near + 1, far + 1)):
        rows = np.rint(center).astype(int)[:, None] + offsets
        if ((rows >= 0) & (rows < profiles.shape[1])).mean() > 0.5:
            inside = np.clip(rows, 0, profiles.shape[1] - 1)
            levels.append(np.median(np.take_along_axis(profiles, inside, axis=1), axis=1))
    if not levels:
        return np.zeros((profiles.shape[0], 1))
    both = np.mean(levels, axis=0)
    return np.asarray(both + max(float(np.mean(side - both)) for side in levels))[:, None]


def _moments(profiles: Doubles, center: Doubles, sigma: float, *, level: bool = True) -> _Moments:
    """Light, shift and variance of each part under a Gaussian window of ``sigma`` about ``center``.

    The moments under a window of the width of the profile are corrected for it: the product of two Gaussians of
    the same variance has half of it, so shift and variance are doubled.
    """
    half = int(np.ceil(3 * sigma)) + 1
    offsets = np.arange(-2 * half, 2 * half + 1)
    rows = np.rint(center).astype(int)[:, None] + offsets
    on_frame = (rows >= 0) & (rows < profiles.shape[1])
    values = np.take_along_axis(profiles, np.clip(rows, 0, profiles.shape[1] - 1), axis=1)
    distance = rows - center[:, None]
    if level:
        values = values - np.median(values[:, np.abs(offsets) > half], axis=1)[:, None]
    window = np.where(on_frame, np.exp(-0.5 * (distance / sigma) ** 2), 0.0)
    weight = window * values
    norm = np.sum(window**2, axis=1) + 1e-12
    amplitude = weight.sum(axis=1) / norm
    flux = amplitude * sigma * np.sqrt(2 * np.pi)
    enough = np.maximum(weight.sum(axis=1), 0.05 * np.median(np.abs(weight.sum(axis=1))) + 1e-9)
    shift = 2.0 * np.sum(weight * distance, axis=1) / enough
    second = 2.0 * np.sum(weight * distance**2, axis=1) / enough - shift**2 / 2
    gain = sigma * np.sqrt(2 * np.pi) / np.sqrt(norm)
    return _Moments(flux, np.clip(shift, -2 * sigma, 2 * sigma), second, gain)


def _move(coefficients: Doubles, u: Doubles, shift: Doubles, known: Doubles, sigma: float, most: int) -> Doubles:
    """Add the polynomial through the shifts, of the degree that they warrant, to the curve so far."""
    error = np.maximum(1.5 * sigma / np.maximum(known, 1e-3), 0.02)
    base = np.polynomial.polynomial.polyval(u, coefficients)
    target = base + shift
    good = known > 1.0
    if good.sum() < 4:
        good = known > 0
        most = 1
    if good.sum() < 3:
        return coefficients
    best: Doubles | None = None
    best_score = np.inf
    for degree in range(1, most + 1):
        if good.sum() < 4 * degree:
            break
        fitted, score = _robust_polynomial(u[good], target[good], error[good], degree)
        if score < 0.9 * best_score:
            best, best_score = fitted, score
    return coefficients if best is None else best


def _robust_polynomial(u: Doubles, y: Doubles, error: Doubles, degree: int) -> tuple[Doubles, float]:
    """A polynomial by reweighted least squares (Cauchy weights), and its robust chi-squared per degree of freedom."""
    design = np.stack([u**power for power in range(degree + 1)], axis=1)
    weight = 1.0 / error**2
    damp: Doubles = np.ones_like(u)
    fitted: Doubles = np.zeros(degree + 1)
    for _ in range(4):
        weighted = design * (weight * damp)[:, None]
        normal = design.T @ weighted
        fitted = np.asarray(np.linalg.solve(normal + 1e-9 * np.diag(np.diag(normal)), weighted.T @ y), np.float64)
        z = np.abs(y - design @ fitted) / error
        scale = max(1.4826 * float(np.sort(z)[z.size // 2]), 1.0)
        damp = 1.0 / (1.0 + (z / (2.5 * scale)) ** 2)
    free = max(u.size - degree - 1, 1)
    return fitted, float(np.sum(damp * z**2) / free)
