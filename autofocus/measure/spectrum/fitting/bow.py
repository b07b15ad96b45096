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
MOST_LOOKS = 3
OUTLYING = 4.0  # sigmas: stars and bad rows
WHITE = 0.6  # of the variance left, that between neighbouring rows: all of it where only noise is left
WING_POWER = 1.5  # a Moffat's with beta = 1.5, flatter than seeing has: it stands for whatever falls off
NEARER = 0.65  # of the distances, where the parabola is looked at once more


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
    scale = float(np.abs(distance[rows]).max())
    ground = _fitted(distance[rows] / scale, profile[rows], width_px / scale, error)
    if ground is None:
        return Bow()
    curvature, sigma, scatter = ground.curvature, ground.sigma(ground.good), ground.scatter
    if abs(curvature) < LIKELY_SIGMAS * sigma:
        return Bow(scatter=scatter)
    # Far from the rows it is known by, under a wide faint star, a parabola of chance is as high as the star.
    harmless = sigma * np.square(inner_px / scale) < error / np.sqrt(width_px)
    is_sure = abs(curvature) >= (LIKELY_SIGMAS if harmless else SURE_SIGMAS) * sigma
    apart = ground.change_nearer()
    if not is_sure or ground.between_rows < WHITE * ground.variance or apart is None:
        return Bow(error=abs(curvature) / scale**2, scatter=scatter)
    return Bow(curvature / scale**2, float(np.hypot(sigma, apart)) / scale**2, scatter)


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """The background fitted by a parabola beside wings, distances in units of the farthest.

    ``design`` has level, slope, parabola and wings, shape (rows, 4); the rows ``good`` are those without stars.
    ``variance`` is that of a row about the fit, ``between_rows`` the same by the differences of neighbours, ADU².
    """

    design: Doubles
    profile: Doubles
    good: NDArray[np.bool_]
    curvature: float
    error: float
    variance: float
    between_rows: float

    @property
    def scatter(self) -> float:
        """How much a row lies off beyond what noise makes, ADU."""
        chance = 3.0 * np.sqrt(2.0 / len(self.design))  # three sigma of a variance from so many rows
        return float(np.sqrt(max(min(self.variance, self.between_rows) - self.error**2 * (1.0 + chance), 0.0)))

    def sigma(self, rows: NDArray[np.bool_]) -> float:
        """Error of the curvature as these rows know it."""
        noise = np.sqrt(max(self.variance, self.error**2))
        part = self.design[rows]
        return float(noise * np.sqrt(np.linalg.inv(part.T @ part)[2, 2]))

    def change_nearer(self) -> float | None:
        """By how much the curvature of the nearer rows is another; None where that is no chance: it is no parabola."""
        near = self.good & (np.abs(self.design[:, 1]) < NEARER)
        if np.count_nonzero(near) <= 2 * LEAST_ROWS:
            return 0.0
        nearer = np.linalg.lstsq(self.design[near], self.profile[near], rcond=None)[0][2]
        apart = abs(float(nearer) - self.curvature)
        return apart if apart <= LIKELY_SIGMAS * self.sigma(near) else None


def _fitted(distance: Doubles, profile: Doubles, width: float, error: float) -> _Ground | None:
    """The fit without the rows that lie far off it; None where too few are left."""
    wing = (1.0 + np.square(distance / width)) ** -WING_POWER
    design = np.column_stack([np.ones(distance.size), distance, np.square(distance), wing / wing.max()])
    good = np.ones(distance.size, dtype=bool)
    for _ in range(MOST_LOOKS):
        fitted = np.linalg.lstsq(design[good], profile[good], rcond=None)[0]
        left = profile - design @ fitted
        spread = max(1.4826 * median(np.abs(left[good])), error)
        before, good = good, np.abs(left) < OUTLYING * spread
        if np.count_nonzero(good) < 2 * LEAST_ROWS:
            return None
        if np.array_equal(good, before):
            break
    kept = left[good]
    variance = float(np.sum(np.square(kept)) / (kept.size - design.shape[1]))
    between_rows = float(np.mean(np.square(np.diff(kept)))) / 2.0
    return _Ground(design, profile, good, float(fitted[2]), error, variance, between_rows)
