"""Arc frames drawn from analytic lines, without any of the code under test: the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autofocus.model import Frame

STEP = 0.02
REACH = 60.0


@dataclass(frozen=True)
class Line:
    """A pixel-integrated line of unit area: a slit ``slit_px`` wide, a pupil's shadow, and a blur; its true width."""

    u: np.ndarray
    values: np.ndarray
    fwhm_px: float


def gaussian(fwhm_px: float) -> Line:
    """A line without a slit worth the name."""
    return slit_image(fwhm_px, 0.0, 0.0)


def slit_image(blur_px: float, slit_px: float, radius_px: float, hole: float = 0.36) -> Line:
    """Box, ring seen from its edge and Gaussian, convolved numerically, then averaged over a pixel."""
    u = np.arange(-REACH, REACH + STEP / 2, STEP)
    density = np.exp(-4.0 * np.log(2.0) * np.square(u / blur_px))
    if slit_px > 0:
        density = np.convolve(density, np.abs(u) <= 0.5 * slit_px, "same")
    if radius_px > 0:
        inner = hole * radius_px
        ring = np.sqrt(np.maximum(radius_px**2 - u**2, 0)) - np.sqrt(np.maximum(inner**2 - u**2, 0))
        density = np.convolve(density, ring, "same")
    light = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    light /= light[-1]
    values = np.interp(u + 0.5, u, light) - np.interp(u - 0.5, u, light)
    half = 0.5 * values.max()
    above = np.flatnonzero(values >= half)
    i, j = above[0], above[-1]
    low = u[i] - STEP * (values[i] - half) / (values[i] - values[i - 1])
    high = u[j] + STEP * (values[j] - half) / (values[j] - values[j + 1])
    return Line(u, values, high - low)


def arc(
    line: Line,
    *,
    seed: int = 1,
    shape: tuple[int, int] = (120, 1200),
    places: Sequence[float] | None = None,
    light: float | Sequence[float] = 20000.0,
    lean: float = 3.0,
    bow: float = 1.0,
    gain: float = 1.5,
    noise: float = 4.0,
    hits: int = 30,
    vertical: bool = False,
    full: float = 65535.0,
    extra: np.ndarray | None = None,
    **facts: Any,
) -> Frame:
    """Lines at ``places`` with ``light`` ADU per row, leaning ``lean`` px over the frame, with photon and read noise.

    ``hits`` pixels are hot or hit by cosmic rays.
    """
    rng = np.random.default_rng(seed)
    rows, columns = shape
    if places is None:
        places = np.linspace(20, columns - 20, 24) + np.random.default_rng(7).uniform(-8, 8, 24)
    lights = np.broadcast_to(light, len(places))
    image = np.full(shape, 40.0)
    v = np.linspace(-1.0, 1.0, rows)[:, None]
    for place, bright in zip(places, lights, strict=True):
        center = place + 0.5 * lean * v + bow * v**2
        low, high = max(int(place - REACH), 0), min(int(place + REACH) + 1, columns)
        pixels = np.arange(low, high)[None, :] - center
        image[:, low:high] += bright * np.interp(pixels, line.u, line.values, left=0.0, right=0.0)
    if extra is not None:
        image = image + extra
    adu = rng.poisson(image * gain) / gain + rng.normal(300.0, noise, shape)
    adu[rng.integers(rows, size=hits), rng.integers(columns, size=hits)] += rng.uniform(500, 9000, hits)
    raw = np.clip(np.rint(adu), 0, full).astype(np.uint16)
    facts.setdefault("exposure_s", 5.0)
    return Frame(raw=raw.T.copy() if vertical else raw, **facts)
