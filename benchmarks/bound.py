"""The Cramér-Rao bound on the place of best focus, for the positions that a search took.

The bench's curves F(x) and N(x) are taken as known but for a common shift c and the scale of N. A frame at x tells

    d = (ln FWHM, ln NSIG),   ∂d/∂c = -(F'/F, N'/N),   ∂d/∂ln A = (0, 1)

with covariance ``diag(e_F², e_N² + t²) + s² g gᵀ``: its own measuring errors e, the transparency's scatter t, and the
seeing of known scatter s marginalised, which acts through g = ∂d/∂ln seeing. The information of the frames adds; the
bound on c is the root of the element of the inverse. A shift moves both optima, and with them that of ``snr``, by the
same, so the delta method's factor is one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autofocus.model import Measurement
from simulators.bench import Bench
from simulators.optics import slit_image

SHIFT = 0.5
SEEING = 0.02


def bound_steps(bench: Bench, measurements: Sequence[Measurement]) -> float:
    """The smallest standard deviation (steps) that an unbiased estimate from these frames can have."""
    information = np.zeros((2, 2))
    sky = bench.sky
    scatter = float(np.hypot(sky.seeing_scatter, sky.seeing_wander))
    for measurement in measurements:
        if measurement.position is None or not (measurement.fwhm_px > 0 and measurement.nsig > 0):
            continue
        slope = (_logs(bench, measurement.position + SHIFT) - _logs(bench, measurement.position - SHIFT)) / (2 * SHIFT)
        seeing = _logs(bench, measurement.position, 1 + SEEING) - _logs(bench, measurement.position, 1 - SEEING)
        gradient = seeing / (2 * SEEING)
        own = [measurement.fwhm_err_px / measurement.fwhm_px, measurement.nsig_err / measurement.nsig]
        noise = np.diag([own[0] ** 2, own[1] ** 2 + sky.transparency_wander**2]) + scatter**2 * np.outer(
            gradient, gradient
        )
        design = np.stack([-slope, np.array([0.0, 1.0])], axis=1)
        information += design.T @ np.linalg.inv(noise) @ design
    if np.linalg.cond(information) > 1e12:
        return float("nan")
    return float(np.sqrt(np.linalg.inv(information)[0, 0]))


def _logs(bench: Bench, position: float, seeing_factor: float = 1.0) -> NDArray[np.float64]:
    image = slit_image(bench.truths.beam(position, seeing_factor=seeing_factor))
    return np.log([image.fwhm_px, image.throughput])
