"""What the profile of a star near focus looks like: seeing with its wings, averaged over pixels, and what is left.

All shapes are averages over a pixel, since pixels are what is measured: the width meant is that of
the pixel-integrated profile. Each has height about 1; its area turns height into light.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Doubles = NDArray[np.float64]

WING_LEAST, WING_MOST = -0.9, 0.85

_RULES = (np.polynomial.legendre.leggauss(count) for count in (5, 3, 2))  # enough for 1e-4 of the height
_NODES = tuple((0.5 * nodes[:, None], 0.5 * weights) for nodes, weights in _RULES)
_LN2 = float(np.log(2.0))


def moffat(distance: Doubles, width: float, wing: float) -> Doubles:
    """A Moffat profile of height 1 and full width at half maximum ``width``.

    ``wing`` is 1/β: 0 is the Gaussian, 0.2 to 0.4 is seeing, 1 the Lorentzian (Moffat 1969, A&A 3, 455). Below 0 the
    same formula ends at a finite distance: flatter than a Gaussian, so that the Gaussian is no border of the family.
    """
    return _moffat_base(distance, width, wing)[0]


def _moffat_base(distance: Doubles, width: float, wing: float) -> tuple[Doubles, Doubles, Doubles, Doubles, float]:
    """The Moffat, the square of the distance in half widths, the base of the power, its log, and the wing used."""
    wing = wing if abs(wing) > 1e-5 else 1e-5
    square = np.square((2.0 / width) * distance)
    base = (2.0**wing - 1.0) * square
    base += 1.0
    if wing < 0:
        np.maximum(base, 1e-30, out=base)
    log = np.log(base)
    value = log * (-1.0 / wing)
    return np.exp(value, out=value), square, base, log, wing


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


def _nodes(distance: Doubles, width: float, box: Doubles | float) -> tuple[Doubles, Doubles]:
    """Where in the box about each distance to look, shape (nodes, samples), and the weights."""
    nodes, weights = _NODES[0 if width < 2.5 else 1 if width < 6.0 else 2]
    return nodes * box + distance, weights


def star(distance: Doubles, width: float, wing: float, box: Doubles | float = 1.0) -> Doubles:
    """The Moffat averaged over ``box`` px: a pixel, or more where columns of several phases are averaged."""
    places, weights = _nodes(distance, width, box)
    return np.asarray(weights @ _moffat_base(places, width, wing)[0])


def star_gradient(distance: Doubles, width: float, wing: float, box: Doubles | float = 1.0) -> Doubles:
    """The `star` and its derivatives by distance, ln width and wing; shape (4, samples)."""
    at, weights = _nodes(distance, width, box)
    value, square, base, log, wing = _moffat_base(at, width, wing)
    gradient = np.empty((4, distance.size))
    gradient[0] = weights @ value
    over = np.divide(value, base, out=base)
    np.multiply(value, log, out=log)
    rate = -8.0 * (2.0**wing - 1.0) / wing / width**2
    at *= over
    gradient[1] = (rate * weights) @ at
    over *= square
    # Both the width and the base of the power act through the squared distance.
    squares = weights @ over
    gradient[2] = (-0.25 * width**2 * rate) * squares
    gradient[3] = (weights / wing**2) @ log
    gradient[3] -= (_LN2 * 2.0**wing / wing) * squares
    return gradient


def ripples(distance: Doubles, places: Doubles, spreads: Doubles) -> Doubles:
    """Smooth bumps of height 1, shape (samples, bumps): what real optics do to a model of few numbers."""
    return np.asarray(np.exp(-0.5 * np.square((distance[:, None] - places) / spreads)))


def ripple_areas(spreads: Doubles) -> Doubles:
    """Integrals of the bumps of `ripples`."""
    return np.asarray(spreads * np.sqrt(2.0 * np.pi))
