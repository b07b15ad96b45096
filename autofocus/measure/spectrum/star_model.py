"""The model of the averaged profile: background, star and neighbours; its derivatives, and what is believed of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum import disc, shape

Doubles = NDArray[np.float64]
Kind = Literal["moffat", "disc"]

WING_PRIOR = (0.1, 0.6)
HOLE_PRIOR = (0.3, 0.15)
SLIT_PRIOR = (0.5, 0.5)
BLUR_WING_PRIOR = (0.5, 0.4)
SOFTNESS_PRIOR = (-0.7, 0.7)  # ln of the blur in radii
DEPTH_PRIOR = (0.5, 0.5)
TILT_PRIOR = 0.15
NEIGHBOUR_PRIOR = 3.0  # so weak that it only makes models with and without neighbours comparable
# centre, ln width, wing | centre, ln blur, wing of the blur, ln radius, hole, slit
SHAPES: dict[str, int] = {"moffat": 3, "disc": 6}
HEIGHTS: dict[str, int] = {"moffat": 1, "disc": disc.PARTS}


@dataclass(frozen=True, slots=True, eq=False)
class Ripples:
    """Smooth bumps at ``places`` (px from the trace) and a halo, and how high they are believed to be, ADU."""

    places: Doubles
    spread: float
    height: float
    halo_width: float

    @property
    def count(self) -> int:
        """The bumps and the halo."""
        return self.places.size + 1

    def columns(self, distance: Doubles) -> Doubles:
        """Each at height 1, shape (samples, count)."""
        halo = shape.halo(distance - self.places.mean(), self.halo_width)
        return np.hstack([shape.ripples(distance, self.places, self.spread), halo[:, None]])

    @property
    def areas(self) -> Doubles:
        """Light of each at height 1, px."""
        return np.append(np.full(self.places.size, shape.ripple_area(self.spread)), shape.halo_area(self.halo_width))


@dataclass(frozen=True, slots=True, eq=False)
class StarModel:
    """Which star, how many neighbours, and the ripples on top if any.

    The parameters are, in this order: background and gradient; the star's heights (those of the ripples last);
    one height for each neighbour; then, not linear, those of the shape, and each neighbour's place.
    """

    kind: Kind
    neighbours: int = 0
    ripples: Ripples | None = None

    @property
    def heights(self) -> slice:
        """Where the star's heights stand among the parameters."""
        return slice(2, 2 + HEIGHTS[self.kind] + (self.ripples.count if self.ripples else 0))

    @property
    def linear(self) -> int:
        """How many parameters enter linearly."""
        return int(self.heights.stop) + self.neighbours

    @property
    def places(self) -> int:
        """Where the neighbours' places begin."""
        return self.linear + SHAPES[self.kind]

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.places + self.neighbours

    def _disc(self, form: Doubles) -> disc.Disc:
        _, log_blur, wing, log_radius, hole, slit = (float(value) for value in form)
        return disc.Disc(float(np.exp(log_radius)), hole, slit, float(np.exp(log_blur)), wing)

    def _smooth(self, form: Doubles, off: Doubles, blur: Doubles | float) -> Doubles:
        """The star without ripples, each part at height 1, ``off`` px from its centre."""
        if self.kind == "moffat":
            return shape.star(off, float(np.exp(form[1])), float(form[2]), blur)[:, None]
        return self._disc(form).parts(off, _box(blur))

    def star_columns(self, p: Doubles, distance: Doubles, blur: Doubles | float = 0.0) -> Doubles:
        """The star at height 1 of each of its parts, shape (samples, heights)."""
        form = p[self.linear : self.places]
        smooth = self._smooth(form, distance - form[0], blur)
        return smooth if self.ripples is None else np.hstack([smooth, self.ripples.columns(distance)])

    def neighbour_columns(self, p: Doubles, distance: Doubles, blur: Doubles | float = 0.0) -> Doubles:
        """The neighbours at height 1, of the star's own shape, shape (samples, neighbours)."""
        form = p[self.linear : self.places]
        parts = [self._smooth(form, distance - place, blur)[:, :1] for place in p[self.places :]]
        return np.hstack([np.zeros((distance.size, 0)), *parts])

    def areas(self, p: Doubles) -> Doubles:
        """Light of each part of the star at height 1, px."""
        form = p[self.linear : self.places]
        if self.kind == "moffat":
            smooth = np.array([shape.moffat_area(float(np.exp(form[1])), float(form[2]))])
        else:
            smooth = self._disc(form).areas
        return smooth if self.ripples is None else np.concatenate([smooth, self.ripples.areas])

    def columns(
        self, p: Doubles, distance: Doubles, scale: Doubles | float = 1.0, blur: Doubles | float = 0.0
    ) -> Doubles:
        """Every linear part at height 1, shape (samples, linear)."""
        factor = np.broadcast_to(np.asarray(scale, np.float64), distance.shape)[:, None]
        star = self.star_columns(p, distance, blur) * factor
        sky = np.stack([np.ones_like(distance), distance], axis=1)
        return np.hstack([sky, star, self.neighbour_columns(p, distance, blur)])

    def derivatives(
        self, p: Doubles, distance: Doubles, columns: Doubles, scale: Doubles | float = 1.0, blur: Doubles | float = 0.0
    ) -> Doubles:
        """Derivatives by all parameters, shape (samples, size): exact, or by differences inside the disc."""
        jacobian = np.empty((distance.size, self.size))
        jacobian[:, : self.linear] = columns
        form = p[self.linear : self.places]
        factor = np.broadcast_to(np.asarray(scale, np.float64), distance.shape)[:, None]
        own = self._form_derivatives(form, distance - form[0], p[2 : 2 + HEIGHTS[self.kind]], blur) * factor
        jacobian[:, self.linear : self.places] = own
        for index in range(self.neighbours):
            height = np.zeros(HEIGHTS[self.kind])
            height[0] = p[self.heights.stop + index]
            other = self._form_derivatives(form, distance - p[self.places + index], height, blur)
            jacobian[:, self.places + index] = other[:, 0]
            jacobian[:, self.linear + 1 : self.places] += other[:, 1:]
        return jacobian

    def _form_derivatives(self, form: Doubles, off: Doubles, heights: Doubles, blur: Doubles | float) -> Doubles:
        """Derivatives of one star of these heights by the parameters of its shape, the centre first."""
        if self.kind == "moffat":
            changes = heights[0] * shape.star_gradient(off, float(np.exp(form[1])), float(form[2]), blur)[:, 1:]
        else:
            changes = self._disc(form).derivatives(off, heights, _box(blur))
        changes[:, 0] *= -1.0
        return np.asarray(changes)

    def bounds(self, reach: float) -> tuple[Doubles, Doubles]:
        """The least and the greatest values of the parameters that are not linear, for samples up to ``reach`` px."""
        low, high = [-0.6 * reach, np.log(0.3)], [0.6 * reach, np.log(2.0 * reach)]
        if self.kind == "moffat":
            low, high = [*low, shape.WING_LEAST], [*high, shape.WING_MOST]
        else:
            low, high = [*low, 0.0, np.log(0.5), 0.02, 0.05], [*high, 1.0, np.log(reach), 0.8, 1.0]
        far = [3.0 * reach] * self.neighbours
        return np.array(low + [-f for f in far]), np.array(high + far)

    def priors(self, height: float, reach: float) -> tuple[Doubles, Doubles]:
        """What is believed before the fit: rows of (parameters → believed value / its spread), and those values."""
        beliefs: list[tuple[dict[int, float], float, float]] = []
        first = self.linear
        if self.kind == "moffat":
            beliefs.append(({first + 2: 1.0}, *WING_PRIOR))
        else:
            beliefs += [
                ({first + 1: 1.0, first + 3: -1.0}, *SOFTNESS_PRIOR),
                ({first + 2: 1.0}, *BLUR_WING_PRIOR),
                ({first + 4: 1.0}, *HOLE_PRIOR),
                ({first + 5: 1.0}, *SLIT_PRIOR),
                ({3: 1.0, 2: -DEPTH_PRIOR[0]}, 0.0, DEPTH_PRIOR[1] * height),
                ({4: 1.0}, 0.0, TILT_PRIOR * height),
            ]
        for index in range(self.neighbours):
            beliefs.append(({self.heights.stop + index: 1.0}, 0.0, NEIGHBOUR_PRIOR * height))
            beliefs.append(({self.places + index: 1.0}, 0.0, reach))
        if self.ripples is not None:
            for index in range(self.heights.stop - self.ripples.count, self.heights.stop):
                beliefs.append(({index: 1.0}, 0.0, self.ripples.height))
        rows, values = np.zeros((len(beliefs), self.size)), np.zeros(len(beliefs))
        for row, (factors, value, spread) in enumerate(beliefs):
            for index, factor in factors.items():
                rows[row, index] = factor / spread
            values[row] = value / spread
        return rows, values


def _box(blur: Doubles | float) -> float:
    """Width of the box that pixel and ``blur`` make together."""
    return float(np.sqrt(1.0 + np.mean(np.square(blur))))
