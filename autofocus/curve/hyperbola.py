"""The width of a defocused star along the slit, as plain curves.

A geometrical blur proportional to defocus, added in quadrature to a seeing blur, is a hyperbola. A slit that
cuts the blur makes the two branches unlike: the skew hyperbola has a straight line added.

Parameters are batched: ``theta`` has shape (batch, parameters), ``x`` shape (points,), the result (batch, points).
Positions, widths are in the units of `autofocus.curve.series.Series` (scaled to order one).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def hyperbola(theta: Array, x: Array, seeing: Array | float = 1.0) -> Array:
    """FWHM of the hyperbola sqrt((seeing f)² + k² (x - c)²).

    Parameters
    ----------
    theta : array, shape (batch, 3)
        Centre c, ln of the floor f, ln of the asymptotic slope k.
    x : array, shape (points,)
        Positions.
    seeing : float or array, shape (batch, 1)
        Factor on the floor, the part of the blur that seeing makes.

    Returns
    -------
    array, shape (batch, points)
    """
    center, floor, slope = theta[:, 0:1], np.exp(theta[:, 1:2]), np.exp(theta[:, 2:3])
    return np.asarray(np.hypot(seeing * floor, slope * (x - center)))


def skew_hyperbola(theta: Array, x: Array, seeing: Array | float = 1.0) -> Array:
    """FWHM of a hyperbola whose branches rise at k (1 ± tanh q): the hyperbola plus k tanh(q) (x - c).

    Parameters
    ----------
    theta : array, shape (batch, 4)
        Centre c of the hyperbola (not of the minimum), ln floor, ln slope k, skewness q.
    x, seeing :
        As for `hyperbola`.

    Returns
    -------
    array, shape (batch, points)
        Positive everywhere, since tanh q lies between -1 and 1.
    """
    tilt = np.exp(theta[:, 2:3]) * np.tanh(theta[:, 3:4])
    return np.asarray(hyperbola(theta[:, :3], x, seeing) + tilt * (x - theta[:, 0:1]))


def hyperbola_starts(x: Array, width: Array) -> Array:
    """First guesses (batch, 3) for a hyperbola through positive widths, best guess of the centre first.

    The square of a hyperbola is a parabola, whose vertex is linear algebra; the narrowest point is the other guess.
    """
    floor = float(np.min(width))
    centers = [float(x[np.argmin(width)])]
    if np.unique(x).size >= 3:
        square, linear, _ = np.polyfit(x, width**2, 2, w=1.0 / width**2)
        if square > 0:
            centers.insert(0, float(np.clip(-linear / (2 * square), -2.5, 2.5)))
    rows: list[list[float]] = []
    for center in centers:
        lever = np.maximum(np.abs(x - center), 0.05)
        rises = np.sqrt(np.maximum(width**2 - floor**2, 0.0)) / lever
        slope = max(float(np.median(rises[lever >= np.median(lever)])), 0.1 * floor)
        rows.extend([center, float(np.log(floor * shrink)), float(np.log(slope))] for shrink in (1.0, 0.8))
    return np.array(rows)
