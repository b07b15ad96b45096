"""What the telescope, the air and the slit do to a star: how much light passes, and how wide it lands.

Lengths are pixels of the detector along the slit; microns at the slit are divided by the scale of the
spectrograph before they come here. The geometry is that of rays: a ray through the pupil at (u, v) meets the slit
plane at ``semi_x * u`` across the slit and reaches the detector at ``semi_y * v`` along it. The two semi-axes
are the defocus in each direction, so astigmatism before the slit, and a collimator that looks at a plane beside the
slit, need no further model. The air then displaces every ray by a Moffat-distributed angle, equally in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, roots_genlaguerre

Array = NDArray[np.float64]

# The profile is sampled this finely. A blur wider than WIDEST_PX is computed on coarser pixels: it has nothing narrow
# left in it.
SAMPLES_PER_PX = 8
WIDEST_PX = 120.0
NEGLIGIBLE = 1e-4
WINGS = 8.0  # standard deviations after which a Gaussian has ended


@dataclass(frozen=True, slots=True)
class SlitImage:
    """The light of one star behind the slit, as a symmetric profile about the trace."""

    throughput: float
    """part of the star's light that passes the slit"""
    samples: Array
    """part of the star's light in a pixel whose centre is 0, 1, 2 … times ``step_px`` from the trace"""
    step_px: float = 1.0 / SAMPLES_PER_PX

    def pixel(self, distance_px: Array) -> Array:
        """Part of the star's whole light on pixels at these distances from the trace's centre."""
        at = np.abs(distance_px) / self.step_px
        value: Array = np.interp(at, np.arange(self.samples.size), self.samples, right=0.0)
        return value

    def within(self, half_window_px: float) -> float:
        """Part of the star's whole light that lands within ± this distance of the trace."""
        distance = np.arange(self.samples.size) * self.step_px
        inside = np.clip((half_window_px - distance) / self.step_px + 0.5, 0.0, 1.0)
        return float((2.0 * np.sum(self.samples * inside) - self.samples[0] * inside[0]) * self.step_px)

    @property
    def fwhm_px(self) -> float:
        """Distance between the outermost points at half the profile's maximum, each pixel-integrated."""
        half = 0.5 * float(self.samples.max())
        above = int(np.flatnonzero(self.samples >= half)[-1])
        high, low = self.samples[above], self.samples[above + 1]
        return float(2.0 * (above + (high - half) / (high - low)) * self.step_px)


@dataclass(frozen=True, slots=True)
class Beam:
    """One star on one slit at one moment."""

    semi_x_px: float
    """half the defocus blur across the slit"""
    semi_y_px: float
    """half the defocus blur along the slit, as the detector sees it"""
    obstruction: float
    """diameter of the central obstruction in parts of the aperture"""
    seeing_px: float
    """full width at half maximum of the seeing, a Moffat function"""
    slit_px: float
    """width of the slit"""
    offset_px: float = 0.0
    """distance of the star from the middle of the slit"""
    blur_px: float = 0.0
    """full width at half maximum of the blur after the slit, a Gaussian; it costs no light"""
    moffat_beta: float = 3.5
    """exponent of the seeing"""


@lru_cache(maxsize=8)
def moffat_as_gaussians(beta: float, terms: int = 8) -> tuple[Array, Array]:
    """Weights and σ² (in units of the Moffat α²) of the Gaussians that make up a Moffat function.

    ``(1 + r²/α²)^-β`` is the Laplace transform of a gamma distribution: a mixture, over s ~ Γ(β - 1), of normalised
    Gaussians with σ² = α² / 2s. Gauss-Laguerre quadrature makes it a sum, and a Gaussian is separable in x and y.
    """
    nodes, weights = roots_genlaguerre(terms, beta - 2.0)
    return weights / weights.sum(), 1.0 / (2.0 * nodes)


@lru_cache(maxsize=64)
def _half_interval(count: int) -> tuple[Array, Array]:
    """Nodes and weights on 0..1 (Gauss-Legendre)."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1.0) / 2.0, weights / 2.0


def _pupil_chords(obstruction: float, count: int) -> tuple[Array, Array, Array, Array]:
    """Heights v > 0 in the pupil, their weights, and half the outer and inner chord there.

    ``v = edge sin θ`` takes the square roots out of both chords; the interval is cut at the obstruction's edge.
    """
    edges = (0.0, obstruction, 1.0) if obstruction > 0 else (0.0, 1.0)
    heights, weights = [], []
    for low, high in pairwise(edges):
        node, weight = _half_interval(max(8, round(count * (high - low))))
        start = np.arcsin(low / high)
        angle = start + (0.5 * np.pi - start) * node
        heights.append(high * np.sin(angle))
        weights.append((0.5 * np.pi - start) * high * weight * np.cos(angle))
    height = np.concatenate(heights)
    outer = np.sqrt(1.0 - height**2)
    inner = np.sqrt(np.maximum(obstruction**2 - height**2, 0.0))
    return height, np.concatenate(weights), outer, inner


def _erf_integral(z: Array) -> Array:
    """Antiderivative of erf."""
    value: Array = z * erf(z) + np.exp(-np.square(z)) / np.sqrt(np.pi)
    return value


def _chord_through_slit(half_chord: Array, beam: Beam, sigma: Array) -> Array:
    """Length of pupil chord whose light passes the slit; shape (gaussians, chords).

    The chord -h..h lands at ``semi_x u - offset``, each point blurred by sigma; a slit edge at e passes
    ``½ (1 + erf((e - x) / √2 σ))``, whose integral over the chord is closed.
    """
    scale = np.sqrt(2.0) * sigma[:, None]
    semi = max(abs(beam.semi_x_px), 1e-3)
    half = half_chord[None, :]
    passed = np.zeros((sigma.size, half_chord.size))
    for edge, sign in ((0.5 * beam.slit_px, 1.0), (-0.5 * beam.slit_px, -1.0)):
        upper = (edge - beam.offset_px + semi * half) / scale
        lower = (edge - beam.offset_px - semi * half) / scale
        passed += sign * 0.5 * (scale / semi) * (_erf_integral(upper) - _erf_integral(lower))
    return passed


def slit_image(beam: Beam) -> SlitImage:
    """Where the light of a star lands behind the slit, and how much of it passes, however far out of focus."""
    coarser = max(1.0, abs(beam.semi_y_px) / WIDEST_PX)
    if coarser == 1.0:
        return _resolved_image(beam)
    small = _resolved_image(
        replace(
            beam,
            semi_x_px=beam.semi_x_px / coarser,
            semi_y_px=beam.semi_y_px / coarser,
            seeing_px=beam.seeing_px / coarser,
            slit_px=beam.slit_px / coarser,
            offset_px=beam.offset_px / coarser,
            blur_px=max(beam.blur_px / coarser, 1.0),
        )
    )
    return SlitImage(small.throughput, small.samples / coarser, small.step_px * coarser)


def _period_px(reach_px: float) -> int:
    """Length of the period on which a profile that reaches this far to both sides does not meet itself."""
    return int(2 ** np.ceil(np.log2(2.0 * reach_px + 16.0)))


def _resolved_image(beam: Beam) -> SlitImage:
    """Compute `slit_image` on the detector's own pixels.

    Per Gaussian of the seeing the slit's part of each pupil chord is closed; along the slit the chords' images are
    summed as cosines, so that seeing, the blur after the slit and the pixel are products.
    """
    weights, variances = moffat_as_gaussians(beam.moffat_beta)
    alpha = beam.seeing_px / (2.0 * np.sqrt(2.0 ** (1.0 / beam.moffat_beta) - 1.0))
    sigma = alpha * np.sqrt(variances)
    blur = beam.blur_px / np.sqrt(8.0 * np.log(2.0))
    semi_y = abs(beam.semi_y_px)
    # Chords closer together than the narrowest Gaussian that counts, else they would show as ripples.
    narrowest = sigma[weights > NEGLIGIBLE].min()
    count = int(24 + 2.5 * semi_y / float(np.hypot(narrowest, blur)))
    height, weight, outer, inner = _pupil_chords(beam.obstruction, count)
    light = _chord_through_slit(outer, beam, sigma) - _chord_through_slit(inner, beam, sigma)
    light *= (2.0 / (np.pi * (1.0 - beam.obstruction**2))) * weight * weights[:, None]
    period = _period_px(semi_y + WINGS * float(np.hypot(sigma.max(), blur)))
    frequency = 2.0 * np.pi * np.arange(period + 1) / period
    spectrum = light @ np.cos(np.multiply.outer(semi_y * height, frequency))
    spectrum *= np.exp(-0.5 * np.multiply.outer(np.square(sigma) + blur**2, np.square(frequency)))
    total = spectrum.sum(axis=0) * np.sinc(frequency / (2.0 * np.pi))
    padded = np.zeros(period * SAMPLES_PER_PX // 2 + 1)
    padded[: total.size] = total
    samples = np.fft.irfft(padded) * SAMPLES_PER_PX
    return SlitImage(float(light.sum()), samples[: samples.size // 2])
