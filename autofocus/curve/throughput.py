"""The light that a slit lets through, for a blur taken as a Gaussian across the slit.

A star of standard deviation σ that stands d beside the centre of a slit of half-width w loses all but
½ [erf((w - d) / √2 σ) + erf((w + d) / √2 σ)]: flat on top where σ is much less than w - d, and for d > w with two
humps, since some defocus then brings light into the slit. Lengths are in units of the half-width.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from autofocus.curve.hyperbola import Array

ROOT_TWO = np.sqrt(2.0)


def passed(sigma: Array, offset: Array | float, half_width: Array | float = 1.0) -> Array:
    """Part of a Gaussian of standard deviation ``sigma`` that passes the slit; the arguments broadcast."""
    scale = 1.0 / (ROOT_TWO * sigma)
    return np.asarray(0.5 * (erf((half_width - offset) * scale) + erf((half_width + offset) * scale)))


def throughput(theta: Array, x: Array, seeing: Array | float = 1.0, jitter: Array | float = 0.0) -> Array:
    """NSIG through the slit of a star whose blur σ² = (seeing s)² + κ² (x - c)².

    Parameters
    ----------
    theta : array, shape (batch, 4) or (batch, 5)
        Centre c, ln brightness, ln s and ln κ in half-widths of the slit, and the centring offset in half-widths.
    x : array, shape (points,)
        Positions.
    seeing : float or array, shape (batch, 1)
        Factor on s.
    jitter : float or array, shape (batch, 1)
        Added to the centring offset, half-widths.

    Returns
    -------
    array, shape (batch, points)
    """
    center, bright = theta[:, 0:1], np.exp(theta[:, 1:2])
    sigma = np.hypot(seeing * np.exp(theta[:, 2:3]), np.exp(theta[:, 3:4]) * (x - center))
    offset = (theta[:, 4:5] if theta.shape[1] > 4 else 0.0) + jitter
    return np.asarray(bright * passed(sigma, offset))


def light_centers(x: Array, light: Array) -> list[float]:
    """First guesses of where most light passes.

    Far from focus the light falls as one over the blur, so 1/light² is a parabola; the brightest point, and the
    weighted middle of the brighter half, are the other guesses.
    """
    bright = light >= np.median(light)
    centers = [float(np.average(x[bright], weights=light[bright])), float(x[np.argmax(light)])]
    if np.unique(x).size >= 3:
        square, linear, _ = np.polyfit(x, light**-2, 2, w=light**2)
        if square > 0:
            centers.append(float(np.clip(-linear / (2 * square), -2.5, 2.5)))
    return centers


def throughput_starts(x: Array, light: Array, *, offset: bool) -> Array:
    """First guesses (batch, 4 or 5) for `throughput` through positive values of NSIG."""
    rows = []
    top = float(np.max(light))
    for center in light_centers(x, light):
        for sigma in (0.4, 0.8, 1.6):
            peak = float(passed(np.array(sigma), 0.0))
            for rise in (0.5, 1.0, 2.0, 4.0):
                row = [center, np.log(top / peak), np.log(sigma), np.log(rise)]
                rows.append([*row, 0.7] if offset else row)
    return np.array(rows)
