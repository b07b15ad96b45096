"""A background that curves: a parabola taken off before the straight line of the model is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting.background import median

Doubles = NDArray[np.float64]

LIKELY_SIGMAS = 3.0
SURE_SIGMAS = 6.0  # where its own error would spoil the star
LEAST_ROWS = 12  # on either side
OUTLYING = 4.0
UNEXPLAINED = 0.6  # of what neighbouring rows differ by, where all of it is noise
WING_POWER = 1.5
NEARER = 0.65


@dataclass(frozen=True, slots=True)
class Bow:
    """How the background curves across the strip, ADU per px², and the error of that; 0 where it may run straight.

    ``scatter`` is how much one row of the averaged profile lies off, noise of its pixels apart, ADU: a pattern.
    """

    curvature: float = 0.0
    error: float = 0.0
    scatter: float = 0.0

    def at(self, offsets: NDArray[np.intp]) -> Doubles:
        """The bow at these offsets, ADU."""
        return np.asarray(self.curvature * offsets.astype(np.float64) ** 2)


def bow(
    offsets: NDArray[np.intp], profile: Doubles, error: float, span: tuple[int, int], width_px: float, inner_px: float
) -> Bow:
    """The parabola that the background beyond ``inner_px`` follows, where it certainly does.

    A sky line that leans enters or leaves the columns used somewhere along the slit; slits are vignetted, cameras glow.
    The straight line of the model would then misjudge the background under the star. A star's own wings fall off away
    from it and are fitted beside the parabola; other stars and bad rows lie far off it and have no say. Where more than
    white noise is left it is no parabola: nothing is taken off, and what it would have been is an error.
    """
    distance = offsets.astype(np.float64)
    rows = np.isfinite(profile) & (np.abs(distance) > inner_px) & (offsets >= span[0]) & (offsets <= span[1])
    if min(np.count_nonzero(rows & (side * distance > 0)) for side in (-1, 1)) < LEAST_ROWS:
        return Bow()
    d, y = distance[rows], profile[rows]
    scale = float(np.abs(d).max())
    wing = (1.0 + np.square(d / width_px)) ** -WING_POWER
    design = np.column_stack([np.ones(d.size), d / scale, np.square(d / scale), wing / wing.max()])
    good = np.ones(d.size, dtype=bool)
    for _ in range(3):
        fitted = np.linalg.lstsq(design[good], y[good], rcond=None)[0]
        left = y - design @ fitted
        spread = max(1.4826 * median(np.abs(left[good])), error)
        before, good = good, np.abs(left) < OUTLYING * spread
        if np.count_nonzero(good) < 2 * LEAST_ROWS:
            return Bow()
        if np.array_equal(good, before):
            break
    square = float(np.sum(np.square(left[good])) / (np.count_nonzero(good) - design.shape[1]))
    steps = float(np.mean(np.square(np.diff(left[good])))) / 2.0
    scatter = float(np.sqrt(max(min(square, steps) - error**2 * (1.0 + 3.0 * np.sqrt(2.0 / d.size)), 0.0)))
    noise = np.sqrt(max(square, error**2))
    sigma = noise * np.sqrt(np.linalg.inv(design[good].T @ design[good])[2, 2])
    if abs(fitted[2]) < LIKELY_SIGMAS * sigma:
        return Bow(scatter=scatter)
    perhaps = Bow(error=float(abs(fitted[2])) / scale**2, scatter=scatter)
    # Far from the rows it is known by, under a wide faint star, a parabola of chance is as high as the star.
    harmless = sigma * np.square(inner_px / scale) < error / np.sqrt(width_px)
    enough = LIKELY_SIGMAS if harmless else SURE_SIGMAS
    if abs(fitted[2]) < enough * sigma or steps < UNEXPLAINED * square:
        return perhaps
    # A parabola is the same one nearer to the star; by how much it is another it is no parabola.
    near = good & (np.abs(d) < NEARER * scale)
    if np.count_nonzero(near) > 2 * LEAST_ROWS:
        part = design[near]
        apart = abs(float(np.linalg.lstsq(part, y[near], rcond=None)[0][2] - fitted[2]))
        nearer = noise * np.sqrt(np.linalg.inv(part.T @ part)[2, 2])
        if apart > LIKELY_SIGMAS * nearer:
            return perhaps
        sigma = float(np.hypot(sigma, apart))
    return Bow(float(fitted[2]) / scale**2, float(sigma) / scale**2, scatter)
