"""How far one frame may lie from the curves, and how much of it both metrics share.

Relative deviations of (FWHM, NSIG) of a frame have the covariance

    diag(e_F² + w² + m_F², e_N² + t² + m_N²) + s² g gᵀ

with the frame's own measuring errors e; the scatter s of the seeing, which acts through g = d ln(FWHM, NSIG) / d ln
seeing (near 1 for the width at focus, nothing far out); the scatter t of the transparency, in NSIG alone; the
scatter w of the width that no error explains; miscentring, which takes light where the slit is narrow for the blur;
and a misfit m that grows with defocus, because no model of ours follows a doughnut far out to a per cent.

s, t and w are unknown. They are weighed on a small grid by their restricted likelihood (Patterson & Thompson 1971)
times wide log-normal priors, so that few frames do not make us believe in too small a noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.curve.hyperbola import Array

SEEING_GRID = (0.02, 0.04, 0.065, 0.1, 0.15, 0.25)
TRANSPARENCY_GRID = (0.006, 0.02, 0.05, 0.12)
WIDTH_GRID = (0.003, 0.01, 0.03, 0.08)
SEEING_PRIOR = (0.1, 0.6)
TRANSPARENCY_PRIOR = (0.02, 0.8)
WIDTH_PRIOR = (0.008, 0.8)
WIDTH_PRIOR_WITHOUT_ERRORS = (0.04, 0.8)
MISFIT = 0.006
MISFIT_DEFOCUSED = 0.03
MISCENTRING_HALF_WIDTHS = 0.15


@dataclass(frozen=True, eq=False)
class FrameNoise:
    """What the covariance of each frame is made of, at one set of curves: arrays of shape (n, 2).

    ``own`` are variances known beforehand, ``seeing`` the derivative g, ``has`` which channels a frame brings,
    ``temper`` (n,) the robust weight that divides a frame's information.
    """

    own: Array
    seeing: Array
    has: NDArray[np.bool_]
    temper: Array

    def covariance(self, scatter: Array) -> Array:
        """Covariances (grid, n, 2, 2) for scatters (grid, 3) of seeing, transparency and width."""
        extra = np.stack([scatter[:, 2] ** 2, scatter[:, 1] ** 2], axis=-1)
        diagonal = self.own[None] + extra[:, None, :] * self.has
        shared = scatter[:, 0, None, None, None] ** 2 * self.seeing[None, :, :, None] * self.seeing[None, :, None, :]
        full = shared + diagonal[..., None] * np.eye(2)
        return np.asarray(full / self.temper[None, :, None, None])


def misfit(width: Array) -> Array:
    """Relative misfit of the models at widths given in units of the narrowest, shape as given."""
    return np.asarray(MISFIT + MISFIT_DEFOCUSED * np.log(np.maximum(width, 1.0)) ** 2)


def scatter_grid(*, width_errors_known: bool) -> tuple[Array, Array]:
    """Grid (grid, 3) of the scatters of seeing, transparency and width, and the log prior (grid,) of each."""
    grid = np.array([(s, t, w) for s in SEEING_GRID for t in TRANSPARENCY_GRID for w in WIDTH_GRID])
    priors = (SEEING_PRIOR, TRANSPARENCY_PRIOR, WIDTH_PRIOR if width_errors_known else WIDTH_PRIOR_WITHOUT_ERRORS)
    log_prior = np.zeros(len(grid))
    for column, (middle, spread) in enumerate(priors):
        log_prior -= 0.5 * (np.log(grid[:, column] / middle) / spread) ** 2
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
