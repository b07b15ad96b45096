"""A star far out of focus: the pupil's shadow on the slit, blurred.

The light at the height v of the slit is the length of the pupil's chord there, as far as the slit lets it pass, less
that of the central obstruction's: a flat top or a doughnut with a dark middle behind a slit narrow against the disc, a
semicircle behind a wide one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

Doubles = NDArray[np.float64]

REACH = 10.0  # blur widths beyond the rim
FINER = 8


def _chord_integral(x: Doubles, radius: float, half_slit: float) -> Doubles:
    """Integral from 0 to x of the half chord of a circle, cut at ``half_slit``, in units of that."""
    t = np.clip(x / radius, -1.0, 1.0)
    cut = float(np.sqrt(max(1.0 - (half_slit / radius) ** 2, 0.0)))
    beyond = np.maximum(np.abs(t), cut)
    arc = 0.5 * (beyond * np.sqrt(1.0 - beyond**2) + np.arcsin(beyond))
    start = 0.5 * (cut * np.sqrt(1.0 - cut**2) + np.arcsin(cut))
    whole = np.minimum(np.abs(t), cut) * radius + (arc - start) * radius**2 / half_slit
    return np.asarray(np.copysign(whole, t))


@dataclass(frozen=True, slots=True)
class Disc:
    """A disc of ``radius`` px, the half width of the ``slit`` and its ``hole`` in radii, and its blur.

    Without a hole it is evenly lit, one part only; with one, hole and tilt are parts of their own.

    ``blur`` is a full width at half maximum, px; ``wing`` how much of it is a Moffat with β = 3, the rest a Gaussian.
    Both have closed Fourier transforms, and the pixel has, so that the blur is a product.
    """

    radius: float
    slit: float
    blur: float
    wing: float
    hole: float | None = None

    def parts(self, distance: Doubles, box: float = 1.0) -> Doubles:
        """Disc, hole (negative), tilt, ``distance`` px from the middle, averaged over ``box`` px; (samples, parts)."""
        grid = _Grid.of(self)
        return grid.sample(grid.spectra(self.cells(grid)) * grid.transfer(self, box), distance)

    def linearised(self, distance: Doubles, heights: Doubles, box: float = 1.0) -> tuple[Doubles, Doubles]:
        """The `parts`, and the derivatives of their sum by distance, ln blur, wing, ln radius, slit and hole."""
        grid, small = _Grid.of(self), 1e-3
        changed = [
            replace(self, radius=self.radius * np.exp(small)),
            replace(self, slit=self.slit - small),
        ]
        if self.hole is not None:
            changed.append(replace(self, hole=self.hole + small))
        own = self.cells(grid)
        others = np.stack([heights @ disc.cells(grid) for disc in changed]) - heights @ own
        others[1] *= -1.0
        spectra = grid.spectra(np.concatenate([own, others]))
        count = len(own)
        parts, transfer = spectra[:count], grid.transfer(self, box)
        now = heights @ parts
        broader = grid.transfer(replace(self, blur=self.blur * np.exp(small)), box) - transfer
        wing = small if self.wing < 0.5 else -small
        winged = (grid.transfer(replace(self, wing=self.wing + wing), box) - transfer) / (wing / small)
        moved = 2j * np.pi * grid.frequency * transfer * small
        changes = np.stack([now * moved, now * broader, now * winged, *(spectra[count:] * transfer)]) / small
        sampled = grid.sample(np.concatenate([parts * transfer, changes]), distance)
        return sampled[:, :count], sampled[:, count:]

    def cells(self, grid: _Grid) -> Doubles:
        """The parts before any blur, averaged over the cells of a grid, shape (parts, cells)."""
        half_slit = self.slit * self.radius
        outer = np.diff(_chord_integral(grid.edges, self.radius, half_slit)) / grid.step
        if self.hole is None:
            return outer[None]
        inner = np.diff(_chord_integral(grid.edges, self.hole * self.radius, half_slit)) / grid.step
        return np.stack([outer, -inner, outer * grid.edges[:-1] / self.radius])

    @property
    def areas(self) -> Doubles:
        """Light of each of the parts at height 1, px."""
        half_slit = self.slit * self.radius
        outer = _chord_integral(np.array([self.radius]), self.radius, half_slit)[0]
        if self.hole is None:
            return np.array([2.0 * outer])
        inner = _chord_integral(np.array([self.hole * self.radius]), self.hole * self.radius, half_slit)[0]
        return np.array([2.0 * outer, -2.0 * inner, 0.0])


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """A period on which the blurred disc does not meet itself, in cells fine against the blur."""

    step: float
    edges: Doubles
    frequency: Doubles

    @classmethod
    def of(cls, disc: Disc) -> _Grid:
        # In steps of a power of two, so that a derivative by differences is taken on one grid.
        step = float(2.0 ** np.floor(np.log2(max(disc.blur, 1.0) / 3.0)))
        count = next_fast_len(int(np.ceil(2.0 * (disc.radius + REACH * disc.blur + 2.0) / step)), real=True)
        count += count % 2
        return cls(
            step, (np.arange(count + 1) - count // 2 - 0.5) * step, np.fft.rfftfreq(count, step).astype(np.float64)
        )

    def spectra(self, cells: Doubles) -> NDArray[np.complex128]:
        return np.asarray(np.fft.rfft(cells, axis=1))

    def transfer(self, disc: Disc, box: float) -> Doubles:
        """What blur and pixel do to each frequency; what the cells have already blurred is taken out again."""
        f = self.frequency
        gauss = np.exp(-(np.pi**2 / (4.0 * np.log(2.0))) * np.square(disc.blur * f))
        k = 2.0 * np.pi * f * disc.blur / (2.0 * np.sqrt(2.0 ** (1.0 / 3.0) - 1.0))
        moffat = (1.0 + k + k * k / 3.0) * np.exp(-k)
        blurred = (1.0 - disc.wing) * gauss + disc.wing * moffat
        return np.asarray(blurred * np.sinc(f * box) / np.sinc(f * self.step))

    def sample(self, spectra: NDArray[np.complex128], distance: Doubles) -> Doubles:
        """The functions of these spectra at distances from the middle, shape (distances, functions)."""
        count = FINER * (self.edges.size - 1)
        fine = np.fft.irfft(spectra, n=count, axis=1) * FINER
        place = distance * (FINER / self.step) + count // 2
        index = np.clip(place.astype(np.intp), 0, count - 2)
        part = np.clip(place - index, 0.0, 1.0)
        values = fine[:, index]
        values += (fine[:, index + 1] - values) * part
        values[:, (place < 0) | (place > count - 1)] = 0.0
        return np.asarray(values.T)
