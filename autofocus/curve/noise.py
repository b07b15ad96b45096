"""How far one frame may lie from the curves, how much of it both metrics share, and how much the next frame shares.

Relative deviations of (FWHM, NSIG) of a frame have the covariance

    diag(e_F² + w² + m_F², e_N² + t² + m_N²) + s² g gᵀ

with the frame's own measuring errors e; the scatter s of the seeing, which acts through g = d ln(FWHM, NSIG) / d ln
seeing (near 1 for the width at focus, nothing far out); the scatter t of the transparency, in NSIG alone; the
scatter w of the width that no error explains; miscentring, which takes light where the slit is narrow for the blur;
and the misfit m of the model, which grows with defocus.

Air changes slowly. Transparency, and half of the seeing's variance, are correlated between frames: as the mean of two
Ornstein-Uhlenbeck processes with memories of one and of ten minutes, which between them hold the time from one frame to
the next and that of a run. A sweep is monotone, so a slow change looks like a shift of the curve: taken for
independent from frame to frame, it makes the stated error of the light's peak too small by half.

s, t and w are unknown. They are weighed on a small grid by their restricted likelihood (Patterson & Thompson 1971)
times wide log-normal priors, so that few frames do not make us believe in too small a noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.curve.hyperbola import Array

SEEING_GRID = (0.02, 0.04, 0.065, 0.1, 0.15, 0.25)
TRANSPARENCY_GRID = (0.006, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
WIDTH_GRID = (0.003, 0.01, 0.03, 0.08)
SEEING_PRIOR = (0.1, 0.6)
TRANSPARENCY_PRIOR = (0.02, 0.8)
TRANSPARENCY_PRIOR_CLOUDED = (0.15, 0.8)  # where one frame lost its light, others may have lost some of it
WIDTH_PRIOR = (0.008, 0.8)
WIDTH_PRIOR_WITHOUT_ERRORS = (0.04, 0.8)
MISCENTRING_HALF_WIDTHS = 0.15
MEMORY_S = (60.0, 600.0)
QUICK_SEEING = 0.5  # of the seeing's variance: from one frame to the next
RARE = 0.01  # no scatter on the grid is much less likely than this: there are clouds


@dataclass(frozen=True, eq=False)
class FrameNoise:
    """What the covariance of the frames is made of, at one set of curves: arrays of shape (n, 2).

    ``own`` are variances known beforehand, ``seeing`` the derivative g, ``has`` which channels a frame brings,
    ``temper`` (n,) the robust weight that divides a frame's information, ``memory`` (n, n) the correlation between the
    frames of what changes slowly.
    """

    own: Array
    seeing: Array
    has: NDArray[np.bool_]
    temper: Array
    memory: Array

    def each(self, scatter: Array) -> Array:
        """Covariance (grid, n, 2, 2) of each frame by itself, for scatters (grid, 3)."""
        extra = np.stack([scatter[:, 2] ** 2, scatter[:, 1] ** 2], axis=-1)
        diagonal = self.own[None] + extra[:, None, :] * self.has
        shared = scatter[:, 0, None, None, None] ** 2 * self.seeing[None, :, :, None] * self.seeing[None, :, None, :]
        full = shared + diagonal[..., None] * np.eye(2)
        return np.asarray(full / self.temper[None, :, None, None])

    def whitened(self, scatter: Array, *columns: Array) -> tuple[Array, ...]:
        """Log-determinant (grid,) of the covariance of all frames, and L⁻¹ of it times arrays (n, 2, k)."""
        count = 2 * len(self.own)
        own = np.diag(self.own.ravel()) + 0.0
        width = np.diag((self.has * [1.0, 0.0]).ravel())
        light = self._spread(self.has * [0.0, 1.0], self.memory)
        seeing = self._spread(self.seeing, QUICK_SEEING * np.eye(len(self.own)) + (1.0 - QUICK_SEEING) * self.memory)
        squares = scatter[:, :, None, None] ** 2
        covariance = own + squares[:, 0] * seeing + squares[:, 1] * light + squares[:, 2] * width
        lower = np.linalg.cholesky(covariance)
        root = np.sqrt(np.repeat(self.temper, 2))[:, None]
        determinant = 2.0 * np.sum(np.log(np.diagonal(lower, axis1=1, axis2=2)), axis=1)
        right = np.concatenate([column.reshape(count, -1) for column in columns], axis=1) * root
        solved = np.linalg.solve(lower, np.broadcast_to(right, (len(scatter), *right.shape)))
        cuts = np.cumsum([column.reshape(count, -1).shape[1] for column in columns])[:-1]
        return np.asarray(determinant), *np.split(solved, cuts, axis=2)

    def _spread(self, through: Array, between: Array) -> Array:
        """Covariance (2n, 2n) of what acts ``through`` (n, 2) each frame, correlated ``between`` (n, n) them."""
        flat = through.ravel()
        return np.asarray(np.outer(flat, flat) * np.repeat(np.repeat(between, 2, axis=0), 2, axis=1))


def memory(time_s: Array) -> Array:
    """Correlation (n, n) of sky between frames taken at these times (n,); none where times are not known (NaN)."""
    if not np.all(np.isfinite(time_s)):
        return np.eye(len(time_s))
    lapse = np.abs(time_s[:, None] - time_s[None, :])
    return np.asarray(np.mean([np.exp(-lapse / scale) for scale in MEMORY_S], axis=0))


def misfit(width: Array, in_focus: float, defocused: float) -> Array:
    """Relative misfit of a model at widths given in units of the narrowest, shape as given."""
    return np.asarray(in_focus + defocused * np.log(np.maximum(width, 1.0)) ** 2)


def scatter_grid(*, width_errors_known: bool, clouded: bool) -> tuple[Array, Array]:
    """Grid (grid, 3) of the scatters of seeing, transparency and width, and the log prior (grid,) of each."""
    grid = np.array([(s, t, w) for s in SEEING_GRID for t in TRANSPARENCY_GRID for w in WIDTH_GRID])
    priors = (
        SEEING_PRIOR,
        TRANSPARENCY_PRIOR_CLOUDED if clouded else TRANSPARENCY_PRIOR,
        WIDTH_PRIOR if width_errors_known else WIDTH_PRIOR_WITHOUT_ERRORS,
    )
    log_prior = np.zeros(len(grid))
    for column, (middle, spread) in enumerate(priors):
        log_prior += np.log(np.exp(-0.5 * (np.log(grid[:, column] / middle) / spread) ** 2) + RARE)
    return grid, log_prior


def whitener(covariance: Array) -> Array:
    """L⁻¹ of the Cholesky factors of 2×2 covariances, shape (..., 2, 2), so that L⁻¹ r has unit variance."""
    first = np.sqrt(covariance[..., 0, 0])
    below = covariance[..., 1, 0] / first
    second = np.sqrt(np.maximum(covariance[..., 1, 1] - below**2, 1e-12))
    inverse = np.zeros_like(covariance)
    inverse[..., 0, 0] = 1.0 / first
    inverse[..., 1, 1] = 1.0 / second
    inverse[..., 1, 0] = -below / (first * second)
    return inverse
