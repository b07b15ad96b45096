"""What an arc line looks like: the image of the slit, out of focus, on pixels.

The light lies on a strip as wide as slit and defocus make it together, spread over it as a polynomial (even for a slit
in focus, leaning with coma, domed or hollow for the pupil's shadow), and is blurred by a Gaussian and by the pixel. Some
of it is scattered into a halo.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Doubles = NDArray[np.float64]

SIZE = 5
HALO_SCALE = 3.0
# ln of the standard deviation, px; part of the variance that is the strip's; lean, dome and halo in parts of the height
PRIOR_MEAN = np.array([0.0, 0.35, 0.0, 0.0, 0.0])
PRIOR_SPREAD = np.array([3.0, 0.4, 0.25, 0.4, 0.06])
LOW = np.array([np.log(0.15), 0.0, -0.9, -0.9, -0.05])
HIGH = np.array([np.log(1e4), 0.97, 0.9, 0.9, 0.4])
DIFFERENCE = 1e-4
GRID = 1201


@dataclass(frozen=True, slots=True, eq=False)
class SlitImage:
    """One shape: ``form`` (SIZE,) holds the parameters listed at `PRIOR_MEAN`."""

    form: Doubles

    @property
    def deviation_px(self) -> float:
        """Standard deviation of the strip and its blur together, px, without the pixel and the halo."""
        return float(np.exp(self.form[0]))

    def parts(self, distance: Doubles, box: float = 1.0) -> Doubles:
        """Strip, lean, dome and halo, averaged over ``box`` px, shape (4, *distance.shape); the strip's area is 1."""
        deviation, share = self.deviation_px, float(self.form[1])
        half = np.sqrt(3.0 * share) * deviation
        blur = np.sqrt(1.0 - share) * deviation
        nodes, weights = _nodes(int(np.ceil(2.0 * half / max(blur, 0.35))) + 4)
        at = distance[..., None] - half * nodes
        spread = _boxed_gaussian(at, blur, box)
        legendre = np.stack([np.ones_like(nodes), nodes, 1.5 * nodes**2 - 0.5]) * weights
        strip = np.moveaxis(spread @ legendre.T, -1, 0)
        halo = _boxed_gaussian(distance, HALO_SCALE * deviation, box)
        return np.concatenate([strip, halo[None]])

    def values(self, distance: Doubles, box: float = 1.0) -> Doubles:
        """The line at distances from the middle of its strip, px; its area is 1 and a little."""
        return np.asarray(np.tensordot(self.mixture, self.parts(distance, box), axes=1))

    @property
    def mixture(self) -> Doubles:
        """How much of each of the parts."""
        return np.concatenate([[1.0], self.form[2:]])

    def gradient(self, distance: Doubles, box: float = 1.0) -> Doubles:
        """Value, and its derivatives by distance and by the form, shape (2 + SIZE, *distance.shape)."""
        parts = self.parts(distance, box)
        value = np.tensordot(self.mixture, parts, axes=1)
        moved = [self.values(distance + DIFFERENCE, box)]
        for index in (0, 1):
            sign = -1.0 if self.form[index] + DIFFERENCE > HIGH[index] else 1.0
            form = self.form.copy()
            form[index] += sign * DIFFERENCE
            moved.append(value + sign * (SlitImage(form).values(distance, box) - value))
        changes = [(one - value) / DIFFERENCE for one in moved]
        return np.stack([value, *changes, *parts[1:]])

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
    nodes, weights = np.polynomial.legendre.leggauss(min(count, 60))
    return nodes, 0.5 * weights


def _boxed_gaussian(distance: Doubles, deviation: float, box: float) -> Doubles:
    """A Gaussian of unit area averaged over a box."""
    scale = np.sqrt(2.0) * max(deviation, 1e-3)
    return np.asarray((erf((distance + 0.5 * box) / scale) - erf((distance - 0.5 * box) / scale)) / (2.0 * box))


def _vertex(three: Doubles) -> float:
    """Height of the parabola through three equidistant values."""
    if three.size < 3:
        return float(three.max())
    bend = three[0] - 2.0 * three[1] + three[2]
    return float(three[1] - (three[2] - three[0]) ** 2 / (8.0 * bend)) if bend < 0 else float(three.max())
