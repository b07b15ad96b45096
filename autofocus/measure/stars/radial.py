"""The mean profile of a star about its middle, from its peak, or its hole, out to where its light ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SCALE = 0.76  # width of the Gaussian under the polynomials, in half-flux radii: 0.9 of a Gaussian star's own
LEAST_TERMS = 5
MOST_TERMS = 9
PX_PER_TERM = 1.5  # of half-flux radius: what is larger shows more
GRID = 400


@dataclass(frozen=True, slots=True, eq=False)
class RadialProfile:
    """A sum of Gauss-Laguerre functions of the distance r, fitted to the pixels within ``radius_px``.

    ``f(r) = exp(-r²/2b²) Σ c_n L_n(r²/b²)``: smooth, flat in the middle, a Gaussian with one term, a disc or a ring
    with some more (the round ones of the shapelets: A. Refregier, MNRAS 338, 2003). ``covariance`` is of the c_n.
    """

    scale_px: float
    radius_px: float
    terms: Array
    covariance: Array

    def functions(self, distance: Array) -> Array:
        """The functions at some distances: (n, terms)."""
        return gauss_laguerre(distance, self.scale_px, self.terms.size)

    def __call__(self, distance: Array) -> Array:
        """Mean light at some distances, ADU per pixel."""
        value: Array = self.functions(distance) @ self.terms
        return value

    def grid(self) -> Array:
        """Distances from 0 to the end, evenly."""
        return np.linspace(0.0, self.radius_px, GRID)

    def error(self, weights: Array) -> float:
        """1 σ of a weighted sum of the terms."""
        return float(np.sqrt(max(float(weights @ self.covariance @ weights), 0.0)))


def gauss_laguerre(distance: Array, scale_px: float, count: int) -> Array:
    """The first ``count`` functions exp(-z/2) L_n(z), z = r²/b², at distances (n,): (n, count)."""
    z = np.square(np.asarray(distance, dtype=np.float64) / scale_px)
    made: list[Array] = [np.ones_like(z), 1.0 - z]
    for k in range(1, count - 1):
        made.append(((2 * k + 1 - z) * made[k] - k * made[k - 1]) / (k + 1))
    return np.asarray(np.stack(made[:count], axis=1) * np.exp(-0.5 * z)[:, None])


def terms_for(half_flux_px: float) -> int:
    """How many terms the profile of a star of this half-flux radius shows."""
    wanted = LEAST_TERMS - 1 + float(half_flux_px) / PX_PER_TERM
    return int(min(max(wanted, LEAST_TERMS), MOST_TERMS))


def fit_radial(
    distance: Array, value: Array, shape: tuple[float, int], radius_px: float, sky: tuple[float, float, float | None]
) -> RadialProfile:
    """Fit the profile to the pixels of a star.

    Parameters
    ----------
    distance, value : ndarray, shape (n,)
        From the middle, px, all within ``radius_px``; light above the sky, ADU.
    shape : (float, int)
        About what the half-flux radius is, px: it sets the scale; and how many terms there are.
    sky : (float, float, float or None)
        RMS of one pixel, 1 σ of the level that was taken off, ADU, and electrons per ADU. Where that is not known
        the photon noise is what the brighter pixels scatter more than the sky.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where the pixels do not determine the terms.
    """
    noise, level_err, gain = sky
    half_flux_px, count = shape
    scale = SCALE * half_flux_px
    design = gauss_laguerre(distance, scale, count)
    inverse = np.linalg.inv(design.T @ design) @ design.T
    terms = inverse @ value
    model = design @ terms
    light = np.maximum(model, 0.0)
    per_adu = 1.0 / gain if gain else _variance_per_adu(value - model, light, noise)
    variance = noise**2 + light * per_adu
    level = inverse.sum(axis=1) * level_err
    covariance = (inverse * variance) @ inverse.T + np.outer(level, level)
    return RadialProfile(scale, radius_px, terms, covariance)


def _variance_per_adu(left: Array, light: Array, noise: float) -> float:
    """By how much the variance grows with each ADU of light, from what the fit leaves.

    The median, since what is uneven in a star is left as well, and most so in its few brightest pixels.
    """
    bright = light > 3.0 * noise
    if np.count_nonzero(bright) < LEAST_TERMS:
        return 0.0
    return max(float(np.median((np.square(left[bright]) / 0.455 - noise**2) / light[bright])), 0.0)
