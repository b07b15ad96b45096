"""What a spatial profile can look like: seeing with its wings, a disc or a doughnut far out of focus, and what is left.

All shapes are averages over a pixel, since pixels are what is measured: the width meant is that of
the pixel-integrated profile. Each has height about 1; its area turns height into light.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Doubles = NDArray[np.float64]

ZONES = 7
HALO_SCALE, HALO_WING = 4.0, 0.5
RIPPLE_REACH, RIPPLE_SCALE = 2.5, 0.5

_FINE = np.polynomial.legendre.leggauss(5)
_COARSE = np.polynomial.legendre.leggauss(3)


def moffat(distance: Doubles, width: float, wing: float) -> Doubles:
    """A Moffat profile of height 1 and full width at half maximum ``width``.

    ``wing`` is 1/β: 0 is the Gaussian, 0.2 to 0.4 is seeing, 1 the Lorentzian (Moffat 1969, A&A 3, 455). Below 0 the
    same formula ends at a finite distance: flatter than a Gaussian, so that the Gaussian is no border of the family.
    """
    square = np.square(2.0 / width * distance)
    if abs(wing) < 1e-3:
        return np.asarray(np.exp(-np.log(2.0) * square))
    if wing < 0:
        return np.asarray(np.maximum(1.0 + (2.0**wing - 1.0) * square, 0.0) ** (-1.0 / wing))
    return np.asarray(np.exp(np.log1p((2.0**wing - 1.0) * square) * (-1.0 / wing)))


def moffat_area(width: float, wing: float) -> float:
    """Integral of `moffat` over all distances."""
    if abs(wing) < 1e-3:
        return float(width * np.sqrt(np.pi / np.log(2.0)) / 2.0)
    if wing < 0:
        power = -1.0 / wing
        ratio = np.exp(gammaln(power + 1.0) - gammaln(power + 1.5))
        return float(0.5 * width / np.sqrt(1.0 - 2.0**wing) * np.sqrt(np.pi) * ratio)
    beta = 1.0 / wing
    return float(0.5 * width / np.sqrt(2.0**wing - 1.0) * np.sqrt(np.pi) * np.exp(gammaln(beta - 0.5) - gammaln(beta)))


def star(distance: Doubles, width: float, wing: float, blur: Doubles | float = 0.0) -> Doubles:
    """The Moffat averaged over a pixel and over ``blur`` px, the spread of phases of the columns averaged.

    Two boxes in a row are taken as one of the same variance.
    """
    nodes, weights = _FINE if width < 3.0 else _COARSE
    box = 0.5 * np.sqrt(1.0 + np.square(blur))
    total = np.zeros_like(distance)
    for node, weight in zip(nodes, weights, strict=True):
        total += 0.5 * weight * moffat(distance + node * box, width, wing)
    return total


def halo(distance: Doubles, width: float) -> Doubles:
    """Light scattered by the optics: a wide, low Moffat under the star."""
    return moffat(distance, HALO_SCALE * width, HALO_WING)


def ripples(distance: Doubles, width: float) -> Doubles:
    """Smooth bumps over the core, shape (samples, bumps): what real optics do to a Moffat."""
    places = np.arange(-RIPPLE_REACH, RIPPLE_REACH + 1e-9, RIPPLE_SCALE) * width
    scaled = (distance[:, None] - places) / (RIPPLE_SCALE * width)
    return np.asarray(np.exp(-0.5 * scaled**2))


def ripple_area(width: float) -> float:
    """Integral of one bump of `ripples`."""
    return float(RIPPLE_SCALE * width * np.sqrt(2.0 * np.pi))


def zones(distance: Doubles, width: float, wing: float, radius: float) -> Doubles:
    """A disc out of focus in strips, each blurred by the Moffat and a pixel; shape (samples, ZONES).

    Equal strips make the flat top of an unobstructed pupil behind a narrow slit, weak middle ones the
    hole of an obstructed one. The blurred edge of a strip is the second integral of the Moffat, taken on a fine grid.
    """
    edges = np.linspace(-radius, radius, ZONES + 1)
    reach = float(np.abs(distance).max()) + radius + 1.0
    step = min(width / 16.0, 0.25)
    grid = np.arange(-reach - step, reach + step, step)
    density = moffat(grid, width, wing) / moffat_area(width, wing)
    once = np.cumsum(density) * step - 0.5 * step * density
    twice = np.cumsum(once) * step - 0.5 * step * once
    at = distance[:, None] - edges
    edge = np.interp(at + 0.5, grid, twice) - np.interp(at - 0.5, grid, twice)
    return np.asarray(edge[:, :-1] - edge[:, 1:])
