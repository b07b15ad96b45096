"""What an arc line looks like: the image of the slit, out of focus, on pixels.

The light lies on a strip as wide as slit and defocus make it together, spread over it as a polynomial (even for a slit
in focus, leaning with coma, domed or hollow for the pupil's shadow), and is blurred by a Gaussian and by the pixel.
Some of it is scattered into a halo.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Doubles = NDArray[np.float64]

SIZE = 7
HALO_SCALES = (1.7, 3.4)
# ln of the standard deviation, px; part of the variance that is the strip's; lean, dome and crown of the strip (the
# Legendre polynomials 1, 2, 4); light of the inner and of the outer halo
PRIOR_MEAN = np.array([0.0, 0.35, 0.0, 0.0, 0.0, 0.05, 0.02])
PRIOR_SPREAD = np.array([3.0, 0.4, 0.25, 0.4, 0.25, 0.15, 0.06])
LOW = np.array([np.log(0.15), 0.002, -0.9, -1.2, -0.9, -0.1, -0.05])
HIGH = np.array([np.log(1e4), 0.97, 0.9, 0.9, 0.9, 1.5, 0.7])
GRID = 401


@dataclass(frozen=True, slots=True, eq=False)
class SlitImage:
    """One shape: ``form`` (SIZE,) holds the parameters listed at `PRIOR_MEAN`."""

    form: Doubles

    @property
    def deviation_px(self) -> float:
        """Standard deviation of the strip and its blur together, px, without the pixel and the halo."""
        return float(np.exp(self.form[0]))

    def values(self, distance: Doubles, box: float = 1.0) -> Doubles:
        """The line at distances from the middle of its strip averaged over ``box`` px; its area is 1 and a little."""
        _, half, blur = self._sizes
        nodes, polynomials = _strip(half, blur)
        strip = _boxed_gaussian(distance[..., None] - half * nodes, blur, box) @ (
            self.form[2:5] @ polynomials[1:] + polynomials[0]
        )
        halos = [self.form[5 + k] * _boxed_gaussian(distance, blur_px, box) for k, blur_px in enumerate(self._halos)]
        return np.asarray(strip + sum(halos))

    @property
    def _sizes(self) -> tuple[float, float, float]:
        """Part of the variance that is the strip's, half the strip, px, and its blur, px."""
        deviation, share = float(np.exp(self.form[0])), float(self.form[1])
        return share, float(np.sqrt(3.0 * share) * deviation), float(np.sqrt(1.0 - share) * deviation)

    @property
    def _halos(self) -> list[float]:
        return [scale * float(np.exp(self.form[0])) for scale in HALO_SCALES]

    def gradient(self, distance: Doubles, box: float = 1.0) -> Doubles:
        """Value, and its derivatives by distance and by the form, shape (2 + SIZE, *distance.shape)."""
        share, half, blur = self._sizes
        nodes, polynomials = _strip(half, blur)
        mixture = self.form[2:5] @ polynomials[1:] + polynomials[0]
        value, slope, broader = _gaussian_gradient(distance[..., None] - half * nodes, blur, box)
        by_half = slope @ (-nodes * mixture)
        strip, by_distance, by_blur = value @ mixture, slope @ mixture, broader @ mixture
        by_deviation = half * by_half + blur * by_blur
        by_share = 0.5 * (half / share * by_half - blur / (1.0 - share) * by_blur)
        halos = [_gaussian_gradient(distance, blur_px, box) for blur_px in self._halos]
        for amount, blur_px, (halo, leaning, wider) in zip(self.form[5:], self._halos, halos, strict=True):
            strip = strip + amount * halo
            by_distance = by_distance + amount * leaning
            by_deviation = by_deviation + amount * blur_px * wider
        poly = np.moveaxis(value @ polynomials[1:].T, -1, 0)
        return np.stack([strip, by_distance, by_deviation, by_share, *poly, *(halo for halo, _, _ in halos)])

    def edges(self) -> tuple[float, float]:
        """The outermost places at half the maximum of the pixel-integrated line, px; NaN without a maximum."""
        half = np.sqrt(3.0 * float(self.form[1])) * self.deviation_px
        reach = half + 3.5 * self.deviation_px + 1.5
        grid = np.linspace(-reach, reach, GRID)
        curve = self.values(grid)
        top = int(np.argmax(curve))
        height = _vertex(curve[max(top - 1, 0) : top + 2])
        above = np.flatnonzero(curve >= 0.5 * height)
        if not (height > 0 and above.size and above[0] > 0 and above[-1] < GRID - 1):
            return float("nan"), float("nan")
        i, j = int(above[0]), int(above[-1])
        step = grid[1] - grid[0]
        low = grid[i] - step * (curve[i] - 0.5 * height) / (curve[i] - curve[i - 1])
        high = grid[j] + step * (curve[j] - 0.5 * height) / (curve[j] - curve[j + 1])
        return float(low), float(high)

    def width_px(self) -> float:
        """Full width at half maximum of the pixel-integrated line, px."""
        low, high = self.edges()
        return high - low

    def width_gradient(self) -> Doubles:
        """Derivatives of `width_px` by the form, shape (SIZE,)."""
        gradient = np.zeros(SIZE)
        for index in range(SIZE):
            step = 1e-3 * np.eye(SIZE)[index]
            less, more = np.maximum(self.form - step, LOW), np.minimum(self.form + step, HIGH)
            change = SlitImage(more).width_px() - SlitImage(less).width_px()
            gradient[index] = change / (more[index] - less[index])
        return gradient


@lru_cache(maxsize=128)
def _nodes(count: int) -> tuple[Doubles, Doubles]:
    """Where on the strip (-1 to 1) to look, and there the Legendre polynomials 0, 1, 2 and 4 times the weights."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    square = nodes**2
    polynomials = np.stack(
        [np.ones_like(nodes), nodes, 1.5 * square - 0.5, (35.0 * square - 30.0) * square / 8.0 + 0.375]
    )
    return nodes, 0.5 * weights * polynomials


def _strip(half: float, blur: float) -> tuple[Doubles, Doubles]:
    """Nodes close enough for the blur, or for the pixel where that is broader."""
    return _nodes(min(int(np.ceil(2.0 * half / max(blur, 0.35))) + 4, 60))


def _boxed_gaussian(distance: Doubles, deviation: float, box: float) -> Doubles:
    """A Gaussian of unit area averaged over a box."""
    scale = np.sqrt(2.0) * deviation
    return np.asarray((erf((distance + 0.5 * box) / scale) - erf((distance - 0.5 * box) / scale)) / (2.0 * box))


def _gaussian_gradient(distance: Doubles, deviation: float, box: float) -> tuple[Doubles, Doubles, Doubles]:
    """`_boxed_gaussian`, and its derivatives by distance and by deviation."""
    scale = np.sqrt(2.0) * deviation
    right, left = (distance + 0.5 * box) / scale, (distance - 0.5 * box) / scale
    value = (erf(right) - erf(left)) / (2.0 * box)
    high, low = np.exp(-np.square(right)), np.exp(-np.square(left))
    factor = 1.0 / (np.sqrt(np.pi) * scale * box)
    return value, (high - low) * factor, (low * left - high * right) * (factor * np.sqrt(2.0))


def _vertex(three: Doubles) -> float:
    """Height of the parabola through three equidistant values."""
    if three.size < 3:
        return float(three.max())
    bend = three[0] - 2.0 * three[1] + three[2]
    return float(three[1] - (three[2] - three[0]) ** 2 / (8.0 * bend)) if bend < 0 else float(three.max())
