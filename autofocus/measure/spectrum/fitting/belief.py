"""What the width is believed to be where several models may be true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autofocus.measure.spectrum.fitting.half_maximum import half_maximum_width
from autofocus.measure.spectrum.fitting.model_fit import ProfileFit


@dataclass(frozen=True, slots=True)
class Doubt:
    """What all models together make of the width of the one chosen.

    It is ``wider`` by this factor, its error ``larger`` by that.
    ``missed_px`` is what the samples at the edges and the rims say beyond the model, where that is more than noise.
    """

    wider: float = 1.0
    larger: float = 1.0
    missed_px: float = 0.0


def doubt_about(chosen: ProfileFit, fits: Sequence[ProfileFit], standing: Sequence[float]) -> Doubt:
    """Mean and error of the width over all ``fits``, each as likely as its ``standing``, the log of its evidence, says.

    What the models differ by is part of the error (Hoeting et al. 1999, Stat. Sci. 14, 382). The mean is that of the
    logarithm: of a skewed posterior it stays in the middle, where the mean of the widths follows the widest.
    """
    own, own_error = half_maximum_width(chosen)
    found = np.array([half_maximum_width(fit) for fit in fits])
    peaked = np.isfinite(found).all(axis=1) & (found[:, 1] < found[:, 0])  # else it says nothing of its width
    if not (peaked.any() and own_error > 0):
        return Doubt()
    (width, error), log = found[peaked].T, np.asarray(standing)[peaked]
    likely = np.exp(log - log.max())
    likely /= likely.sum()
    mean = float(likely @ np.log(width))
    spread = float(np.sqrt(likely @ (np.square(error / width) + np.square(np.log(width) - mean))))
    return Doubt(float(np.exp(mean)) / own, float(np.exp(mean)) * spread / own_error)


def believed_width(fit: ProfileFit, doubt: Doubt) -> tuple[float, float]:
    """The width and its error, with the other models weighed in, and with what all of them miss."""
    width, error = half_maximum_width(fit)
    return width * doubt.wider, float(np.hypot(error * doubt.larger, doubt.missed_px))
