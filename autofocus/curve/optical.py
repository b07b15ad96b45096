"""One optical model for both curves: an evenly lit elliptical blur, softened by seeing, cut by the slit.

Defocus spreads the star over an ellipse of semi-axes K |x - c_slit| across the slit and K |x - c_width| along it (the
two foci differ by astigmatism, and by a collimator out of focus). Seeing convolves it with a Gaussian. The slit
keeps a strip of half-width w. Cut the ellipse into thin slices across the slit: with t the slice's place in
units of the semi-axis, its share of the light is ∝ √(1 - t²) dt, which Gauss-Chebyshev quadrature of the second kind
integrates; along the slit each slice is a top hat of half-length ∝ √(1 - t²), whose convolution with a Gaussian is a
difference of two error functions. So the light that passes, and the profile along the slit, are short sums of
error functions, and the FWHM is the root of profile(y) = ½ profile(0).

All lengths are scaled widths (see `autofocus.curve.series`).
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from autofocus.curve.hyperbola import Array, hyperbola_starts
from autofocus.curve.throughput import ROOT_TWO, light_centers, passed

SLICES = 16  # an even number: slices at ±t are alike along the slit, so each pair is one sum
PAIRS = SLICES // 2
_ANGLES = np.pi * np.arange(1, SLICES + 1) / (SLICES + 1)
PLACES = np.cos(_ANGLES)
HEIGHTS = np.sin(_ANGLES)[:PAIRS]
SHARES = 2.0 / (SLICES + 1) * np.sin(_ANGLES) ** 2
HALF_WIDTH_OF_SIGMA = np.sqrt(2.0 * np.log(2.0))
NEWTON_STEPS = 8
CONVERGED = 1e-9


def half_width(extent: Array, sigma: Array, shares: Array) -> Array:
    """Half width at half maximum of the profile along the slit.

    Parameters
    ----------
    extent : array, shape (batch, points)
        Semi-axis of the blur along the slit.
    sigma : array, broadcasting to the same
        Standard deviation of the seeing along the slit.
    shares : array, shape (batch, points, PAIRS)
        Light of each pair of slices that passed the slit.

    Returns
    -------
    array, shape (batch, points)
        Newton's root between 1.177 σ (no defocus) and 1.177 σ + extent (a narrow slit), which bound it; a step that
        leaves the shrinking bracket is replaced by its middle.
    """
    scale = 1.0 / (ROOT_TWO * sigma)
    reach = np.maximum(extent[..., None] * HEIGHTS, 1e-3 * sigma[..., None])
    density = shares / reach
    peak = _sum(density, erf(reach * scale[..., None]))
    low = HALF_WIDTH_OF_SIGMA * sigma + 0.0 * extent
    high = low + extent
    y = np.clip(np.hypot(low, 0.87 * extent), low, high)
    for _ in range(NEWTON_STEPS):
        right = (reach + y[..., None]) * scale[..., None]
        left = (reach - y[..., None]) * scale[..., None]
        excess = 0.5 * _sum(density, erf(right) + erf(left)) - 0.5 * peak
        slope = _sum(density, np.exp(-(right**2)) - np.exp(-(left**2))) * scale / np.sqrt(np.pi)
        low, high = np.where(excess > 0, y, low), np.where(excess > 0, high, y)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = y - excess / slope
        y, previous = np.where((step >= low) & (step <= high), step, 0.5 * (low + high)), y
        if np.all(np.abs(y - previous) <= CONVERGED * y):
            break
    return np.asarray(y)


def _sum(weights: Array, terms: Array) -> Array:
    return np.asarray(np.einsum("bps,bps->bp", weights, terms))


def optical(theta: Array, x: Array, seeing: Array | float = 1.0, jitter: Array | float = 0.0) -> tuple[Array, Array]:
    """FWHM and NSIG of one star from the same few parameters.

    Parameters
    ----------
    theta : array, shape (batch, 7) or (batch, 8)
        Focus of the width, ln seeing σ across the slit, ln of the semi-axis per unit of position, focus of the
        light, ln brightness, ln half-width of the slit, ln of the ratio of the spectrograph's own blur to the
        seeing, and the centring offset in half-widths.
    x, seeing, jitter :
        As for `autofocus.curve.throughput.throughput`.

    Returns
    -------
    tuple of two arrays, shape (batch, points)
        FWHM and NSIG.
    """
    width_focus, light_focus = theta[:, 0:1], theta[:, 3:4]
    still, spread = np.exp(theta[:, 1:2]), np.exp(theta[:, 2:3])
    across = seeing * still
    along = np.hypot(across, still * np.exp(theta[:, 6:7]))
    half = np.exp(theta[:, 5:6])
    offset = ((theta[:, 7:8] if theta.shape[1] > 7 else 0.0) + jitter) * half
    places = (spread * np.abs(x - light_focus))[..., None] * PLACES
    shares = SHARES * passed(across[..., None], np.asarray(offset)[..., None] + places, half[..., None])
    pairs = shares[..., :PAIRS] + shares[..., : -PAIRS - 1 : -1]
    width = 2.0 * half_width(spread * np.abs(x - width_focus), along, pairs)
    return width, np.asarray(np.exp(theta[:, 4:5]) * pairs.sum(axis=-1))


def optical_starts(x: Array, width: Array, light_x: Array, light: Array, *, offset: bool) -> Array:
    """First guesses (batch, 7 or 8) from positive widths at ``x`` and positive NSIG at ``light_x``."""
    rows = []
    top = float(np.max(light))
    for center, floor, slope in hyperbola_starts(x, width)[::2]:
        sigma = np.exp(floor) / (2.0 * HALF_WIDTH_OF_SIGMA)
        for light_center in light_centers(light_x, light):
            for ratio in (0.6, 1.2, 2.5):
                half = ratio * sigma
                peak = float(passed(np.array(sigma), 0.0, half))
                row = [
                    center,
                    np.log(0.9 * sigma),
                    slope - np.log(1.8),
                    light_center,
                    np.log(top / peak),
                    np.log(half),
                    -0.7,
                ]
                rows.append([*row, 0.7] if offset else row)
    return np.array(rows)
