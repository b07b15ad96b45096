"""Which frames do not belong to the curves: few, far off, each with its reason."""

from __future__ import annotations

import numpy as np

from autofocus.curve.hyperbola import Array
from autofocus.curve.noise import FrameNoise
from autofocus.curve.series import LIGHT, WIDTH
from autofocus.curve.solve import Solution

SIGMAS = 4.5
LEAST_DEVIATION = (0.15, 0.12)
SCATTER_FLOOR = np.array([0.06, 0.02, 0.015])
SCATTER_CEILING = np.array([0.15, 0.04, 0.04])


def most_dropped(frames: int) -> int:
    """At most so many of ``frames`` may be left out."""
    return max(2, frames // 5)


def sigmas_off(solution: Solution) -> Array:
    """How many standard deviations each frame (n, 2) lies from what the other frames predict.

    The deviation is that from the fit without the frame, and its variance includes that fit's own: so a lone frame
    in focus, which the others cannot predict, is never far off. The scatters are held above those of the best
    night, so that a perfect curve does not turn a good frame into an outlier, and below those of a poor one, so
    that two clouds do not excuse each other; but light above the curve is none where clouds are about.
    """
    held = np.clip(solution.scatter, SCATTER_FLOOR, SCATTER_CEILING)
    off = _off(solution, held)
    freely = _off(solution, np.maximum(held, solution.scatter))
    return np.where((off > 0.0) & np.array([False, True]), freely, off)


def _off(solution: Solution, scatter: Array) -> Array:
    plain = FrameNoise(
        solution.frames.own,
        solution.frames.seeing,
        solution.frames.has,
        np.ones(len(solution.look.residual)),
        solution.frames.memory,
    )
    covariance = plain.each(scatter[None])[0]
    tempered = covariance / solution.frames.temper[:, None, None]
    information = np.diag(1.0 / solution.candidate.sd**2)
    each = np.einsum("nak,nab,nbl->nkl", solution.look.jacobian, np.linalg.inv(tempered), solution.look.jacobian)
    total = information + each.sum(axis=0)
    off = np.zeros_like(solution.look.residual)
    for row, design in enumerate(solution.look.jacobian):
        others = np.linalg.inv(total - each[row])
        leverage = design @ others @ design.T
        gain = np.linalg.inv(tempered[row])
        shift = others @ design.T @ gain @ solution.look.residual[row]
        deviation = solution.look.residual[row] + design @ shift
        off[row] = deviation / np.sqrt(np.diag(covariance[row] + leverage))
    return np.where(solution.frames.has, off, 0.0)


def worst_outlier(solution: Solution) -> tuple[int, int, str] | None:
    """Row of the frame that belongs least, the channel that tells, and why; None where all belong."""
    sigmas = np.abs(sigmas_off(solution))
    far = np.abs(solution.look.residual) >= np.array(LEAST_DEVIATION)
    sigmas = np.where(far, sigmas, 0.0)
    row, channel = np.unravel_index(int(np.argmax(sigmas)), sigmas.shape)
    if sigmas[row, channel] < SIGMAS:
        return None
    return int(row), int(channel), _reason(float(solution.look.residual[row, channel]), int(channel))


def _reason(deviation: float, channel: int) -> str:
    share = f"{100 * abs(deviation if channel == WIDTH else np.expm1(deviation)):.0f} %"
    if channel == LIGHT and deviation < 0:
        return f"NSIG {share} below the curve: a cloud, or the star off the slit"
    if channel == LIGHT:
        return f"NSIG {share} above the curve: other light in the window"
    side = "above" if deviation > 0 else "below"
    assert channel == WIDTH
    return f"FWHM {share} {side} the curve"
