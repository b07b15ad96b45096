"""What the profile of a star near focus looks like: seeing with its wings, averaged over pixels, and what is left.

All shapes are averages over a pixel, since pixels are what is measured: the width meant is that of
the pixel-integrated profile. Each has height about 1; its area turns height into light.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Doubles = NDArray[np.float64]

HALO_SCALE, HALO_WING = 4.0, 0.5
WING_LEAST, WING_MOST = -0.9, 0.85

_FINE = np.polynomial.legendre.leggauss(5)
_COARSE = np.polynomial.legendre.leggauss(3)
_LN2 = float(np.log(2.0))


def moffat(distance: Doubles, width: float, wing: float) -> Doubles:
    """A Moffat profile of height 1 and full width at half maximum ``width``.

    ``wing`` is 1/β: 0 is the Gaussian, 0.2 to 0.4 is seeing, 1 the Lorentzian (Moffat 1969, A&A 3, 455). Below 0 the
    same formula ends at a finite distance: flatter than a Gaussian, so that the Gaussian is no border of the family.
    """
    return _moffat_base(distance, width, wing)[0]


def _moffat_base(distance: Doubles, width: float, wing: float) -> tuple[Doubles, Doubles, Doubles, float]:
    """The Moffat, the square of the distance in half widths, the base of the power, and the wing used."""
    wing = wing if abs(wing) > 1e-5 else 1e-5
    square = np.square(2.0 / width * distance)
    base = 1.0 + (2.0**wing - 1.0) * square
    if wing < 0:
        base = np.maximum(base, 1e-30)
    return np.asarray(np.exp(np.log(base) * (-1.0 / wing))), square, base, wing


def moffat_area(width: float, wing: float) -> float:
    """Integral of `moffat` over all distances."""
    if abs(wing) < 1e-3:
        return float(width * np.sqrt(np.pi / _LN2) / 2.0)
    if wing < 0:
        power = -1.0 / wing
        ratio = np.exp(gammaln(power + 1.0) - gammaln(power + 1.5))
        return float(0.5 * width / np.sqrt(1.0 - 2.0**wing) * np.sqrt(np.pi) * ratio)
    beta = 1.0 / wing
    return float(0.5 * width / np.sqrt(2.0**wing - 1.0) * np.sqrt(np.pi) * np.exp(gammaln(beta - 0.5) - gammaln(beta)))


def _nodes(width: float, blur: Doubles | float) -> tuple[Doubles, Doubles]:
    """Where in the pixel to look, shape (1 or samples, nodes), and the weights.

    A pixel and the spread ``blur`` of the phases of the columns averaged are two boxes in a row, taken as one of the
    same variance.
    """
    nodes, weights = _FINE if width < 3.0 else _COARSE
    box = 0.5 * np.sqrt(1.0 + np.square(np.atleast_1d(blur)))
    return box[:, None] * nodes, 0.5 * weights


def star(distance: Doubles, width: float, wing: float, blur: Doubles | float = 0.0) -> Doubles:
    """The Moffat averaged over a pixel and over ``blur`` px, the spread of phases of the columns averaged."""
    places, weights = _nodes(width, blur)
    return np.asarray(moffat(distance[:, None] + places, width, wing) @ weights)


def star_gradient(distance: Doubles, width: float, wing: float, blur: Doubles | float = 0.0) -> Doubles:
    """The `star` and its derivatives by distance, ln width and wing; shape (samples, 4)."""
    places, weights = _nodes(width, blur)
    at = distance[:, None] + places
    value, square, base, wing = _moffat_base(at, width, wing)
    rate = (2.0**wing - 1.0) / wing
    slope = value * (-8.0 * rate / width**2) * at / base
    by_wing = value * (np.log(base) / wing**2 - _LN2 * 2.0**wing / wing * square / base)
    return np.stack([part @ weights for part in (value, slope, -at * slope, by_wing)], axis=1)


def halo(distance: Doubles, width: float) -> Doubles:
    """Light scattered by the optics: a wide, low Moffat under the star."""
    return moffat(distance, HALO_SCALE * width, HALO_WING)


def halo_area(width: float) -> float:
    """Integral of `halo`."""
    return moffat_area(HALO_SCALE * width, HALO_WING)


def ripples(distance: Doubles, places: Doubles, spread: float) -> Doubles:
    """Smooth bumps of height 1, shape (samples, bumps): what real optics do to a model of few numbers."""
    return np.asarray(np.exp(-0.5 * np.square((distance[:, None] - places) / spread)))


def ripple_area(spread: float) -> float:
    """Integral of one bump of `ripples`."""
    return float(spread * np.sqrt(2.0 * np.pi))
