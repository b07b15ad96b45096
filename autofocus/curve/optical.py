"""One optical model for both curves: an evenly lit elliptical ring, softened by seeing, cut by the slit.

Defocus spreads the star over an ellipse of semi-axes K |x - c_slit| across the slit and K |x - c_width| along it (the
two foci differ by astigmatism, and by a collimator out of focus), with a hole in its middle where a secondary mirror
stands in the way. Seeing convolves it with the sum of two Gaussians, a core with 65 % of the light and wings: that
follows the Moffat functions of real seeing (Trujillo et al. 2001; β 2.5 to 4.765) to 0.7 % in enclosed light, the
ratio of their widths standing for β (1.7 to 2.5). The slit keeps a strip of half-width w. Cut the ellipse into thin
slices across the slit: with t the slice's place in units of the semi-axis, its share of the light is ∝ √(1 - t²) dt,
which Gauss-Chebyshev quadrature of the second kind integrates; along the slit each slice is a top hat of half-length ∝
√(1 - t²), whose convolution with a Gaussian is a difference of two error functions. The hole is a smaller ellipse,
taken off. So the light that passes, and the profile along the slit, are short sums of error functions, and the FWHM
is the root of profile(y) = ½ of its maximum.

All lengths are scaled widths (see `autofocus.curve.series`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from autofocus.curve.hyperbola import Array, hyperbola_starts
from autofocus.curve.throughput import ROOT_TWO, light_centers, passed

SLICES = 16  # of the disc, an even number: slices at ±t are alike along the slit, so each pair is one sum
SHADOW_SLICES = 8  # of the shadow of the secondary mirror, which is smaller and drowns the sooner in the seeing


def _slices(count: int) -> tuple[Array, Array, Array]:
    """Places and half-lengths of the slices of a disc of radius one, and their shares of its light."""
    angles = np.pi * np.arange(1, count + 1) / (count + 1)
    return np.cos(angles), np.sin(angles), 2.0 / (count + 1) * np.sin(angles) ** 2


DISC, SHADOW = _slices(SLICES), _slices(SHADOW_SLICES)
HALF_WIDTH_OF_SIGMA = np.sqrt(2.0 * np.log(2.0))
CORES = np.array([0.65, 0.35])  # shares of the seeing's core and wings
OFFSETS = (0.1, 0.7, 1.5)  # half-widths of the slit, to begin with: in it, and beside its middle
LN_WINGS = 0.69  # of the ratio of their widths for β = 3.5
TOPS = np.linspace(0.0, 0.8, 9)  # where a doughnut may be brightest, in semi-axes
LARGEST_OBSTRUCTION = 0.6
NEWTON_STEPS = 8
CONVERGED = 1e-9


def half_width(extent: Array, sigma: Array, density: Array, reach: Array, *, dips: bool = False) -> Array:
    """Half width at half maximum of the profile along the slit.

    Parameters
    ----------
    extent : array, shape (batch, points)
        Semi-axis of the blur along the slit.
    sigma, density, reach : array, shape (batch, points, terms)
        The profile is a sum of top hats, each of half-length ``reach`` and height ``density``, convolved with a
        Gaussian of standard deviation ``sigma``.
    dips : bool
        Whether the profile may be lower in its middle than beside it, as that of a doughnut.

    Returns
    -------
    array, shape (batch, points)
        Newton's root between 1.177 σ of the narrowest Gaussian (no defocus) and 1.177 σ of the widest + extent (a
        narrow slit), which bound it; a step that leaves the shrinking bracket is replaced by its middle.
    """
    scale = 1.0 / (ROOT_TWO * sigma)
    half_length = reach * scale
    peak = _highest(density, half_length, scale, extent) if dips else _sum(density, erf(half_length))
    low = HALF_WIDTH_OF_SIGMA * sigma.min(axis=-1)
    high = HALF_WIDTH_OF_SIGMA * sigma.max(axis=-1) + extent
    y = np.clip(np.hypot(1.1 * low, 0.87 * extent), low, high)
    steep = density * scale / np.sqrt(np.pi)
    for _ in range(NEWTON_STEPS):
        at = y[..., None] * scale
        right, left = half_length + at, half_length - at
        excess = 0.5 * _sum(density, erf(right) + erf(left)) - 0.5 * peak
        slope = _sum(steep, np.exp(-(right**2)) - np.exp(-(left**2)))
        low, high = np.where(excess > 0, y, low), np.where(excess > 0, high, y)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = y - excess / slope
        y, previous = np.where((step >= low) & (step <= high), step, 0.5 * (low + high)), y
        if np.all(np.abs(y - previous) <= CONVERGED * y):
            break
    return np.asarray(y)


def _highest(density: Array, half_length: Array, scale: Array, extent: Array) -> Array:
    """Highest point of the profile: of the parabola through the highest of some samples and its neighbours."""
    at = (extent[..., None] * TOPS)[..., None] * scale[..., None, :]
    beside = half_length[..., None, :]
    samples = 0.5 * np.einsum("bps,bpts->bpt", density, erf(beside + at) + erf(beside - at))
    top = np.clip(np.argmax(samples, axis=-1), 1, TOPS.size - 2)[..., None]
    before, here, after = (np.take_along_axis(samples, top + step, axis=-1)[..., 0] for step in (-1, 0, 1))
    bend = np.maximum(2.0 * here - before - after, 1e-12 * np.abs(here) + 1e-300)
    return np.asarray(
        here + np.where(top[..., 0] > 1, (after - before) ** 2 / (8.0 * bend), np.maximum(before - here, 0.0))
    )


def _sum(weights: Array, terms: Array) -> Array:
    return np.asarray(np.einsum("bps,bps->bp", weights, terms))


@dataclass(frozen=True, slots=True)
class _Blur:
    """The blur at each position: semi-axes and σ's (batch, points[, 2]), the slit's half-width, the star's place."""

    semi_across: Array
    semi_along: Array
    across: Array
    along: Array
    half: Array
    offset: Array

    def terms(self, ring: float | Array, slices: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        """Light, half-length and σ (batch, points, terms) of the slices of a disc ``ring`` times the blur's size."""
        places, heights, shares = slices
        pairs = len(places) // 2
        at = (ring * self.semi_across)[..., None] * places + self.offset[..., None]
        through = passed(self.across[..., None], at[:, :, None, :], self.half[..., None, None])
        light = through * shares * CORES[:, None]
        light = light[..., :pairs] + light[..., : -pairs - 1 : -1]
        reach = np.maximum((ring * self.semi_along)[..., None, None] * heights[:pairs], 1e-3 * self.along[..., None])
        sigma = np.broadcast_to(self.along[..., None], light.shape)
        flat = (*self.semi_across.shape, -1)
        return light.reshape(flat), reach.reshape(flat), sigma.reshape(flat)


def beside_slit(theta: Array) -> NDArray[np.bool_]:
    """Whether the star of each row (batch,) stands beside the middle of the slit."""
    return np.asarray(np.abs(theta[:, 8]) > OFFSETS[0])


def optical(theta: Array, x: Array, seeing: Array | float = 1.0, jitter: Array | float = 0.0) -> tuple[Array, Array]:
    """FWHM and NSIG of one star from the same few parameters.

    Parameters
    ----------
    theta : array, shape (batch, 9) or (batch, 10)
        Focus of the width, ln σ of the seeing's core across the slit, ln of the semi-axis per unit of position, focus
        of the light, ln brightness, ln half-width of the slit, ln of the ratio of the spectrograph's own blur to the
        seeing's core, ln of the ratio of its wings to its core, the centring offset in half-widths, and the diameter of
        the central obstruction in parts of the aperture's.
    x, seeing, jitter :
        As for `autofocus.curve.throughput.throughput`.

    Returns
    -------
    tuple of two arrays, shape (batch, points)
        FWHM and NSIG.
    """
    core, spread, half = np.exp(theta[:, 1:2]), np.exp(theta[:, 2:3]), np.exp(theta[:, 5:6])
    wings = np.concatenate([np.ones_like(core), np.exp(theta[:, 7:8])], axis=1)[:, None, :]
    across = (seeing * core + np.zeros(x.size))[..., None] * wings
    blur = _Blur(
        semi_across=spread * np.abs(x - theta[:, 3:4]),
        semi_along=spread * np.abs(x - theta[:, 0:1]),
        across=across,
        along=np.hypot(across, (core * np.exp(theta[:, 6:7]))[..., None]),
        half=half,
        offset=np.asarray((theta[:, 8:9] + jitter) * half),
    )
    light, reach, sigma = blur.terms(1.0, DISC)
    if theta.shape[1] > 9:
        ring = np.clip(np.abs(theta[:, 9:10]), 1e-3, LARGEST_OBSTRUCTION)
        shadow = blur.terms(ring, SHADOW)
        parts = np.broadcast_to((ring**2)[..., None], (*light.shape[:2], 1))
        light = np.concatenate([light, -parts * shadow[0]], axis=-1) / (1.0 - parts)
        reach, sigma = np.concatenate([reach, shadow[1]], axis=-1), np.concatenate([sigma, shadow[2]], axis=-1)
    width = 2.0 * half_width(blur.semi_along, sigma, light / reach, reach, dips=theta.shape[1] > 9)
    return width, np.asarray(np.exp(theta[:, 4:5]) * light.sum(axis=-1))


def optical_starts(x: Array, width: Array, light_x: Array, light: Array, *, obstructed: bool) -> Array:
    """First guesses (batch, 9 or 10) from positive widths at ``x`` and positive NSIG at ``light_x``."""
    rows = []
    top = float(np.max(light))
    for center, floor, slope in hyperbola_starts(x, width)[::2]:
        sigma = np.exp(floor) / (2.0 * HALF_WIDTH_OF_SIGMA)
        for light_center in light_centers(light_x, light):
            for ratio, off in product((0.6, 1.2, 2.5), OFFSETS):
                half = ratio * sigma
                brightest = max(sigma, off * half)  # beside the slit, some defocus brings light in
                peak = float(passed(np.array(brightest), off * half, half))
                shape = [center, np.log(0.9 * sigma), slope - np.log(1.8), light_center]
                row = [*shape, np.log(top / peak), np.log(half), -0.7, LN_WINGS, off]
                rows.append([*row, 0.3] if obstructed else row)
    return np.array(rows)
