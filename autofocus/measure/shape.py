"""What a spatial profile looks like: a Moffat, from a Gaussian to broad wings, seen through pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Doubles = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)


def moffat(distance: Doubles, width: float, wing: float) -> Doubles:
    """A Moffat profile of height 1 and full width at half maximum ``width``.

    ``wing`` is 1/β: 0 is the Gaussian, 0.2 to 0.4 is seeing, 1 the Lorentzian (Moffat 1969, A&A 3, 455).
    """
    square = (2.0 * distance / width) ** 2
    if wing < 1e-4:
        return np.asarray(np.exp(-np.log(2.0) * square))
    return np.asarray(np.exp(-np.log1p((2.0**wing - 1.0) * square) / wing))


def moffat_area(width: float, wing: float) -> float:
    """Integral of `moffat` over all distances."""
    if wing < 1e-4:
        return float(width * np.sqrt(np.pi / np.log(2.0)) / 2.0)
    beta = 1.0 / wing
    return float(
        0.5 * width / np.sqrt(2.0**wing - 1.0) * np.sqrt(np.pi) * np.exp(gammaln(beta - 0.5) - gammaln(beta))
    )


def pixel_moffat(distance: Doubles, width: float, wing: float, blur: Doubles | float = 0.0) -> Doubles:
    """The Moffat averaged over a pixel (and over ``blur``, the spread of phases of the columns averaged)."""
    box = 0.5 * np.sqrt(1.0 + np.square(blur))
    total = np.zeros_like(distance)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += 0.5 * weight * moffat(distance + node * box, width, wing)
    return total
