"""The models that compete for a run: what each predicts, where its search starts, what is held likely beforehand.

The priors are wide: they only keep a parameter that few frames cannot determine from running away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.curve.hyperbola import Array, hyperbola, hyperbola_starts, skew_hyperbola
from autofocus.curve.optical import beside_slit, optical, optical_starts
from autofocus.curve.series import LIGHT, WIDTH, Series
from autofocus.curve.throughput import throughput, throughput_starts

# A model may say that no light at all passes the slit; what is measured is never compared with exactly 0.
DARKEST = 1e-9
FARTHEST = 8.0  # standard deviations of the prior: beyond, a search only loses its way
SEPARATE_MISFIT = (0.006, 0.03)
OPTICAL_MISFIT = (0.003, 0.004)


@dataclass(frozen=True)
class Candidate:
    """One model of a run.

    ``curves(theta, x, seeing, jitter)`` gives FWHM and NSIG, shape (batch, points, 2), 1 for a channel it does not
    model; ``mean`` and ``sd`` (k,) are the priors; ``misfit`` is how far (relative) the model lies from brute-force
    optics in focus, and how much further per squared logarithm of the width's growth. ``beside_slit`` tells of starts
    (batch, k) whether their star stands beside the slit's middle, None for a model without two such branches.
    """

    name: str
    width_model: str | None
    light_model: str | None
    mean: Array
    sd: Array
    curves: Callable[[Array, Array, Array | float, Array | float], Array]
    starts: Callable[[Series], Array]
    misfit: tuple[float, float]
    beside_slit: Callable[[Array], NDArray[np.bool_]] | None = None


# centre, ln floor, ln slope (, skewness: a cut blur is 2 : √3 as wide as a whole one); all in scaled units
HYPERBOLA = ((0.0, 1.5), (0.0, 0.7), (0.5, 1.5), (0.0, 0.1))
# centre, ln brightness, ln seeing and ln slope in half-widths of the slit (, centring offset in half-widths)
THROUGHPUT = ((0.0, 1.5), (0.3, 0.7), (-0.2, 0.7), (0.3, 1.2), (0.0, 0.6))
# focus of the width, ln seeing, ln semi-axis, focus of the light, ln brightness, ln half-width, ln own blur, ln wings,
# offset (, obstruction)
OPTICAL = (
    (0.0, 1.5),
    (-1.0, 0.7),
    (0.0, 1.5),
    (0.0, 1.5),
    (0.3, 0.7),
    (-0.7, 0.9),
    (-0.7, 0.7),
    (0.69, 0.15),
    (0.0, 0.6),
    (0.3, 0.15),
)


def _prior(*tables: tuple[tuple[float, float], ...]) -> tuple[Array, Array]:
    both = np.array([row for table in tables for row in table])
    return both[:, 0], both[:, 1]


def _held(theta: Array, mean: Array, sd: Array) -> Array:
    return np.clip(theta, mean - FARTHEST * sd, mean + FARTHEST * sd)


def _width_of(series: Series) -> tuple[Array, Array]:
    rows = series.has[:, WIDTH]
    return series.x[rows], series.values[rows, WIDTH]


def _light_of(series: Series) -> tuple[Array, Array]:
    rows = series.has[:, LIGHT]
    return series.x[rows], np.maximum(series.values[rows, LIGHT], 0.02)


def _width_starts(series: Series, *, skew: bool) -> Array:
    starts = hyperbola_starts(*_width_of(series))
    return np.hstack([starts, np.zeros((len(starts), 1))]) if skew else starts


def separate(*, skew: bool | None, offset: bool | None) -> Candidate:
    """Two curves that share nothing but the frames' seeing; None leaves a channel out."""
    width_size = 0 if skew is None else 3 + skew
    light_size = 0 if offset is None else 4 + offset
    width_curve = skew_hyperbola if skew else hyperbola
    width_name = None if skew is None else ("skew_hyperbola" if skew else "hyperbola")
    light_name = None if offset is None else ("throughput_offset" if offset else "throughput")
    mean, sd = _prior(HYPERBOLA[:width_size], THROUGHPUT[:light_size])

    def curves(theta: Array, x: Array, seeing: Array | float, jitter: Array | float) -> Array:
        both = np.ones((theta.shape[0], x.size, 2))
        theta = _held(theta, mean, sd)
        if width_size:
            both[..., WIDTH] = width_curve(theta[:, :width_size], x, seeing)
        if light_size:
            both[..., LIGHT] = throughput(theta[:, width_size:], x, seeing, jitter)
        return np.asarray(np.maximum(both, DARKEST))

    def starts(series: Series) -> Array:
        first = _width_starts(series, skew=bool(skew)) if width_size else np.zeros((1, 0))
        second = throughput_starts(*_light_of(series), offset=bool(offset)) if light_size else np.zeros((1, 0))
        return np.hstack([np.repeat(first, len(second), axis=0), np.tile(second, (len(first), 1))])

    name = " + ".join(part for part in (width_name, light_name) if part)
    return Candidate(name, width_name, light_name, mean, sd, curves, starts, SEPARATE_MISFIT)


def together(*, obstructed: bool) -> Candidate:
    """The optical model of both curves."""
    name = "optical_obstructed" if obstructed else "optical"
    mean, sd = _prior(OPTICAL[: 9 + obstructed])

    def curves(theta: Array, x: Array, seeing: Array | float, jitter: Array | float) -> Array:
        return np.maximum(np.stack(optical(_held(theta, mean, sd), x, seeing, jitter), axis=-1), DARKEST)

    def starts(series: Series) -> Array:
        return optical_starts(*_width_of(series), *_light_of(series), obstructed=obstructed)

    return Candidate(name, name, name, mean, sd, curves, starts, OPTICAL_MISFIT, beside_slit)


def candidates(series: Series, least_places: int) -> tuple[Candidate, ...]:
    """The models that a run can be asked about: of both channels, or of the one that has positions enough."""
    width, light = (series.places(channel) >= least_places for channel in (WIDTH, LIGHT))
    if width and light:
        return (
            separate(skew=False, offset=False),
            separate(skew=True, offset=False),
            together(obstructed=False),
            together(obstructed=True),
        )
    if width:
        # A slit's skewness hides in few widths, yet moves their minimum: alone, the hyperbola would be too sure.
        return (separate(skew=True, offset=None),)
    if light:
        return (separate(skew=None, offset=False), separate(skew=None, offset=True))
    return ()
