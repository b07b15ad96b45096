"""The model of the averaged profile: background, star and neighbours; its derivatives, and what is believed of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.fitting import disc, shape

Doubles = NDArray[np.float64]
Kind = Literal["moffat", "disc", "doughnut"]  # a disc is evenly lit; a doughnut has a hole, and a tilt

WING_PRIOR = (0.15, 0.8)  # between Gaussians, 0, and seeing, 0.2 to 0.4
HOLE_PRIOR = (0.3, 0.15)
SLIT_PRIOR = (0.5, 0.5)
BLUR_WING_PRIOR = (0.5, 0.4)
SOFTNESS_PRIOR = (-0.7, 0.7)  # ln of the blur in radii
DEPTH_PRIOR = (0.5, 0.5)
TILT_PRIOR = 0.15
HALO_WING = 0.5
NEIGHBOUR_PRIOR = 3.0  # so weak that it only makes models with and without neighbours comparable
# centre, ln width, wing | centre, ln blur, wing of the blur, ln radius, slit (and hole)
SHAPES: dict[Kind, int] = {"moffat": 3, "disc": 5, "doughnut": 6}
HEIGHTS: dict[Kind, int] = {"moffat": 1, "disc": 1, "doughnut": 3}


@dataclass(frozen=True, slots=True, eq=False)
class Ripples:
    """Smooth bumps and a halo, symmetric about ``center``: how high each is believed to be is ``heights``, ADU.

    The bumps have widths ``spreads`` and stand at ``places`` (px from the trace); the halo comes last.
    """

    places: Doubles
    spreads: Doubles
    halo_width: float
    heights: Doubles

    @property
    def count(self) -> int:
        """The bumps and the halo."""
        return int(self.heights.size)

    def columns(self, distance: Doubles) -> Doubles:
        """Each at height 1, shape (samples, count)."""
        halo = shape.moffat(distance - self.places.mean(), self.halo_width, HALO_WING)
        return np.hstack([shape.ripples(distance, self.places, self.spreads), halo[:, None]])

    @property
    def areas(self) -> Doubles:
        """Light of each at height 1, px."""
        return np.append(shape.ripple_areas(self.spreads), shape.moffat_area(self.halo_width, HALO_WING))


@dataclass(frozen=True, eq=False)
class StarModel:
    """Which star, how many neighbours, the ripples on top if any, and where its width is ``held`` if it is.

    ``held`` is ln of the width of a Moffat or of the radius of a disc, as believed, and how far that may be off.

    The parameters are, in this order: background and gradient; the star's heights (those of the ripples last);
    one height for each neighbour; then, not linear, those of the shape, and each neighbour's place.
    """

    kind: Kind
    neighbours: int = 0
    ripples: Ripples | None = None
    held: tuple[float, float] | None = None

    @cached_property
    def heights(self) -> slice:
        """Where the star's heights stand among the parameters."""
        return slice(2, 2 + HEIGHTS[self.kind] + (self.ripples.count if self.ripples else 0))

    @cached_property
    def linear(self) -> int:
        """How many parameters enter linearly."""
        return int(self.heights.stop) + self.neighbours

    @cached_property
    def places(self) -> int:
        """Where the neighbours' places begin."""
        return self.linear + SHAPES[self.kind]

    @cached_property
    def size(self) -> int:
        """How many parameters there are."""
        return self.places + self.neighbours

    def _disc(self, form: Doubles) -> disc.Disc:
        _, log_blur, wing, log_radius, slit, *hole = (float(value) for value in form)
        return disc.Disc(float(np.exp(log_radius)), slit, float(np.exp(log_blur)), wing, *hole)

    def _smooth(self, form: Doubles, off: Doubles, box: Doubles | float) -> Doubles:
        """The star without ripples, each part at height 1, ``off`` px from its centre."""
        if self.kind == "moffat":
            return shape.star(off, float(np.exp(form[1])), float(form[2]), box)[:, None]
        return self._disc(form).parts(off, float(np.mean(box)))

    def star_columns(self, p: Doubles, distance: Doubles, box: Doubles | float = 1.0) -> Doubles:
        """The star at height 1 of each of its parts, shape (samples, heights)."""
        form = p[self.linear : self.places]
        smooth = self._smooth(form, distance - form[0], box)
        return smooth if self.ripples is None else np.hstack([smooth, self.ripples.columns(distance)])

    def neighbour_columns(self, p: Doubles, distance: Doubles, box: Doubles | float = 1.0) -> Doubles:
        """The neighbours at height 1, of the star's own shape without its ripples, shape (samples, neighbours)."""
        form = p[self.linear : self.places]
        parts = [self._smooth(form, distance - place, box)[:, :1] for place in p[self.places :]]
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
        self, p: Doubles, distance: Doubles, scale: Doubles | float = 1.0, box: Doubles | float = 1.0
    ) -> Doubles:
        """Every linear part at height 1, shape (samples, linear)."""
        columns = np.empty((distance.size, self.linear))
        columns[:, 0], columns[:, 1] = 1.0, distance
        columns[:, self.heights] = self.star_columns(p, distance, box) * np.reshape(scale, (-1, 1))
        if self.neighbours:
            columns[:, self.heights.stop :] = self.neighbour_columns(p, distance, box)
        return columns

    def jacobian(
        self,
        p: Doubles,
        distance: Doubles,
        scale: Doubles | float = 1.0,
        box: Doubles | float = 1.0,
        bumps: Doubles | None = None,
    ) -> Doubles:
        """Derivatives by all parameters, shape (samples, size); the first ``linear`` of them are the `columns`.

        ``bumps`` are the columns of the ripples at these distances where they are known already.
        """
        first, heights, shapes = self.linear, self.heights, SHAPES[self.kind]
        smooth = HEIGHTS[self.kind]
        jacobian = np.zeros((distance.size, self.size))
        jacobian[:, 0], jacobian[:, 1] = 1.0, distance
        form = p[first : first + shapes]
        parts, changes = self._linearised(form, distance - form[0], p[2 : 2 + smooth], box)
        jacobian[:, 2 : 2 + smooth] = parts
        if self.ripples is not None:
            jacobian[:, 2 + smooth : heights.stop] = self.ripples.columns(distance) if bumps is None else bumps
        jacobian[:, first : first + shapes] = changes
        jacobian[:, heights] *= np.reshape(scale, (-1, 1))
        jacobian[:, first : first + shapes] *= np.reshape(scale, (-1, 1))
        for index in range(self.neighbours):
            height = np.zeros(smooth)
            height[0] = p[heights.stop + index]
            place = first + shapes + index
            other, changes = self._linearised(form, distance - p[place], height, box)
            jacobian[:, heights.stop + index] = other[:, 0]
            jacobian[:, place] = changes[:, 0]
            jacobian[:, first + 1 : first + shapes] += changes[:, 1:]
        return jacobian

    def _linearised(
        self, form: Doubles, off: Doubles, heights: Doubles, box: Doubles | float
    ) -> tuple[Doubles, Doubles]:
        """The parts of one star of these heights, and its derivatives by the parameters of its shape, centre first."""
        if self.kind == "moffat":
            gradient = shape.star_gradient(off, float(np.exp(form[1])), float(form[2]), box)
            parts, changes = gradient[:1].T, heights[0] * gradient[1:].T
        else:
            parts, changes = self._disc(form).linearised(off, heights, float(np.mean(box)))
        changes[:, 0] *= -1.0
        return parts, changes

    def bounds(self, reach: float) -> tuple[Doubles, Doubles]:
        """The least and the greatest values of the parameters that are not linear, for samples up to ``reach`` px."""
        low, high = [-0.6 * reach, np.log(0.3)], [0.6 * reach, np.log(2.0 * reach)]
        if self.kind == "moffat":
            low, high = [*low, shape.WING_LEAST], [*high, shape.WING_MOST]
        else:
            low, high = [*low, 0.0, np.log(0.5), 0.05], [*high, 1.0, np.log(reach), 1.0]
        if self.kind == "doughnut":
            low, high = [*low, 0.02], [*high, 0.8]
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
                ({first + 4: 1.0}, *SLIT_PRIOR),
            ]
        if self.kind == "doughnut":
            beliefs += [
                ({first + 5: 1.0}, *HOLE_PRIOR),
                ({3: 1.0, 2: -DEPTH_PRIOR[0]}, 0.0, DEPTH_PRIOR[1] * height),
                ({4: 1.0}, 0.0, TILT_PRIOR * height),
            ]
        if self.held is not None:
            beliefs.append(({first + (1 if self.kind == "moffat" else 3): 1.0}, *self.held))
        for index in range(self.neighbours):
            beliefs.append(({self.heights.stop + index: 1.0}, 0.0, NEIGHBOUR_PRIOR * height))
            beliefs.append(({self.places + index: 1.0}, 0.0, reach))
        if self.ripples is not None:
            first = self.heights.stop - self.ripples.count
            beliefs += [({first + k: 1.0}, 0.0, float(high)) for k, high in enumerate(self.ripples.heights)]
        rows, values = np.zeros((len(beliefs), self.size)), np.zeros(len(beliefs))
        for row, (factors, value, spread) in enumerate(beliefs):
            for index, factor in factors.items():
                rows[row, index] = factor / spread
            values[row] = value / spread
        return rows, values
