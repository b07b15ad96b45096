"""One star: its middle, half-flux radius, width at half maximum and flux, each with its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.stars.detection import Spot
from autofocus.measure.stars.radial import Array, RadialProfile, fit_radial, terms_for
from autofocus.measure.stars.sky import Field, Image

APERTURE = 3.2  # half-flux radii: 99.9 % of a Gaussian star, 96 % of one with the wings of seeing
ANNULUS = 1.5  # apertures out to which the sky is taken
LEAST_RADIUS_PX = 4.0
MOST_PASSES = 12
FREE_PASSES = 4
SETTLED = 0.005  # relative change of the half-flux radius
NEARLY_SETTLED = 0.05
GROWTH = 4.0  # of a star over the size of its spot: beyond, it is no spot but a slope of the sky
LEAST_GROWTH_PX = 24.0
WINDOW = 1.2  # half-flux radii: sigma of the window in which the middle is weighed
LEAST_ANNULUS_PX = 12
CLEAR_SIGMAS = 3.0  # pixels that tell the shape


@dataclass(frozen=True, slots=True, eq=False)
class Star:
    """A star as measured; ``half_max_px`` is the full width at half maximum of its mean radial profile, px.

    ``axes_px`` are the roots of its second moments along its longest and its shortest axis. ``cut_off``: the frame ends
    within its aperture. ``peak_adu`` is its brightest pixel above the sky.
    """

    x: float
    y: float
    hfr_px: float
    hfr_err_px: float
    half_max_px: float
    half_max_err_px: float
    flux_adu: float
    flux_err_adu: float
    peak_adu: float
    axes_px: tuple[float, float]
    cut_off: bool
    profile: RadialProfile

    @property
    def radius_px(self) -> float:
        """Radius of its aperture."""
        return self.profile.radius_px


@dataclass(frozen=True, slots=True, eq=False)
class _Stamp:
    """The pixels about a star, their distances from its middle (x, y), and what was taken for sky."""

    pixels: Image
    distance: NDArray[np.float64]
    x: float
    y: float
    sky: float
    sky_err: float


def measure_star(field: Field, spot: Spot, gain: float | None) -> Star | None:
    """Measure the star at a spot, in an aperture that follows from its own size.

    Returns
    -------
    Star or None
        None where there is no star: its light runs out of the frame, or has no middle, or no half.
    """
    x, y, half = spot.x, spot.y, 1.2 * spot.size_px
    terms = 0
    for attempt in range(MOST_PASSES):
        stamp = _stamp(field, x, y, half)
        if stamp is None:
            return None
        x, y = stamp.x, stamp.y
        terms = terms_for(half) if attempt < FREE_PASSES else terms  # between two counts it could go on for ever
        profile = _profile(field, stamp, (half, terms), gain)
        now = np.nan if profile is None else _half_flux(profile)
        if profile is None or not now > 0.0:
            return None
        if not now < max(GROWTH * spot.size_px, LEAST_GROWTH_PX):
            return None
        found, change = (stamp, profile, now), now / half
        if abs(change - 1.0) < SETTLED:
            break
        half *= min(max(change, 0.5), 2.0) if attempt < FREE_PASSES else change**0.5
    else:
        if abs(change - 1.0) > NEARLY_SETTLED:
            return None
    return _star(field, *found)


def _profile(field: Field, stamp: _Stamp, shape: tuple[float, int], gain: float | None) -> RadialProfile | None:
    """The mean radial profile within the aperture of a star of this half-flux radius."""
    radius = _radius(shape[0])
    inside = stamp.distance < radius
    value = stamp.pixels[inside].astype(np.float64) - stamp.sky
    try:
        return fit_radial(stamp.distance[inside], value, shape, radius, (field.noise_adu, stamp.sky_err, gain))
    except np.linalg.LinAlgError:
        return None


def _radius(half_flux_px: float) -> float:
    return max(APERTURE * half_flux_px, LEAST_RADIUS_PX)


def _stamp(field: Field, x: float, y: float, half: float) -> _Stamp | None:
    """Cut the star out about its middle, and take the sky beside it."""
    light = field.light
    rows, columns = light.shape
    reach = ANNULUS * _radius(half) + 2.0 * half
    top, left = max(int(y - reach), 0), max(int(x - reach), 0)
    pixels = light[top : int(y + reach) + 2, left : int(x + reach) + 2]
    if not (0.0 <= x <= columns - 1.0 and 0.0 <= y <= rows - 1.0) or min(pixels.shape) < LEAST_RADIUS_PX:
        return None
    across, along = np.ogrid[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    middle = _middle(light, x, y, half)
    if middle is None:
        return None
    distance = np.hypot(across - middle[1], along - middle[0])
    return _with_sky(field, pixels, distance, middle, _radius(half))


def _middle(light: Image, x: float, y: float, half: float) -> tuple[float, float] | None:
    """The mean place of the light in a Gaussian window, moved until it stands still."""
    sigma = WINDOW * half
    reach = 3.0 * sigma + half + 1.0
    top, left = max(int(y - reach), 0), max(int(x - reach), 0)
    pixels = light[top : int(y + reach) + 2, left : int(x + reach) + 2]
    rows = np.arange(top, top + pixels.shape[0], dtype=np.float32)
    columns = np.arange(left, left + pixels.shape[1], dtype=np.float32)
    moved = 0.0
    for _ in range(20):
        down, right = (np.exp(-0.5 * np.square((at - to) / sigma)) for at, to in ((rows, y), (columns, x)))
        by_row, by_column = pixels @ right * down, down @ pixels * right
        total = float(by_row.sum())
        if not total > 0.0:
            return None
        # the window pulls a Gaussian's mean back by about as much again as it moves
        step = 1.7 * float(by_column @ (columns - x)) / total, 1.7 * float(by_row @ (rows - y)) / total
        x, y, length = x + step[0], y + step[1], float(np.hypot(*step))
        moved += length
        if moved > 4.0 * max(half, 2.0):
            return None
        if length < 0.003 * max(half, 1.0):
            break
    return x, y


def _with_sky(field: Field, pixels: Image, distance: Array, place: tuple[float, float], radius: float) -> _Stamp | None:
    """Take the sky from a ring about the star, other stars in it left out."""
    ring = pixels[(distance > radius) & (distance < ANNULUS * radius)].astype(np.float64)
    if ring.size < LEAST_ANNULUS_PX:
        return None
    for _ in range(3):
        off = np.abs(ring - np.median(ring))
        ring = ring[off <= 3.0 * max(field.noise_adu, 1.4826 * float(np.median(off)))]
    return _Stamp(pixels, distance, *place, float(ring.mean()), field.noise_adu / float(np.sqrt(ring.size)))


def _enclosed(profile: RadialProfile) -> tuple[Array, Array, Array]:
    """Distances, and the light within each as weights of the profile's terms (n, terms) and as ADU."""
    r = profile.grid()
    functions = profile.functions(r) * (2.0 * np.pi * r)[:, None]
    step = r[1] - r[0]
    weights = np.vstack(
        [np.zeros(functions.shape[1]), np.cumsum(0.5 * (functions[1:] + functions[:-1]) * step, axis=0)]
    )
    return r, weights, weights @ profile.terms


def _half_flux(profile: RadialProfile) -> float:
    """Radius that holds half of the light within the aperture; NaN where there is no light."""
    r, _, light = _enclosed(profile)
    if not light[-1] > 0.0:
        return np.nan
    beyond = int(np.argmax(light >= 0.5 * light[-1]))
    return float(np.interp(0.5 * light[-1], light[beyond - 1 : beyond + 1], r[beyond - 1 : beyond + 1]))


def _half_flux_error(profile: RadialProfile, half: float) -> float:
    """1 σ of the half-flux radius: of the light inside against that outside, and of the aperture that goes with it."""
    r, weights, _ = _enclosed(profile)
    inside = np.array([np.interp(half, r, column) for column in weights.T])
    brightness = np.maximum(profile(np.array([half, profile.radius_px])), 0.0)
    slope = 2.0 * np.pi * half * brightness[0]
    if not slope > 0.0:
        return np.nan
    follows = APERTURE * 0.5 * profile.radius_px * brightness[1] / (half * brightness[0])
    fixed = profile.radius_px <= LEAST_RADIUS_PX
    error = profile.error(0.5 * weights[-1] - inside) / float(slope)
    return error if fixed else error / float(max(1.0 - follows, 0.2))


def _half_maximum(profile: RadialProfile, half: float) -> tuple[float, float]:
    """Full width at half maximum and its error: across the outer edge, of half the ring's height where there is a hole.

    A hole is a dip within the half-flux radius: more than half of the light then lies beyond it.
    """
    r = profile.grid()
    value = profile(r)
    dips = np.flatnonzero((value[1:-1] < value[:-2]) & (value[1:-1] <= value[2:]) & (r[1:-1] < half)) + 1
    first = int(dips[np.argmin(value[dips])]) if dips.size else 0
    top = first + int(np.argmax(value[first:]))
    below = np.flatnonzero(value[top:] < 0.5 * value[top])
    if not below.size or not value[top] > 0.0:
        return np.nan, np.nan
    edge = top + int(below[0])
    place = float(np.interp(-0.5 * value[top], -value[edge - 1 : edge + 1], r[edge - 1 : edge + 1]))
    slope = (value[edge] - value[edge - 1]) / (r[1] - r[0])
    weights = 0.5 * profile.functions(r[top : top + 1])[0] - profile.functions(np.array([place]))[0]
    return 2.0 * place, 2.0 * profile.error(weights) / abs(slope)


def _star(field: Field, stamp: _Stamp, profile: RadialProfile, half: float) -> Star:
    _, weights, light = _enclosed(profile)
    half_max, half_max_err = _half_maximum(profile, half)
    rows, columns = field.light.shape
    reach = profile.radius_px
    core = stamp.distance < max(2.0 * half, 1.5)
    return Star(
        x=stamp.x,
        y=stamp.y,
        hfr_px=half,
        hfr_err_px=_half_flux_error(profile, half),
        half_max_px=half_max,
        half_max_err_px=half_max_err,
        flux_adu=float(light[-1]),
        flux_err_adu=profile.error(weights[-1]),
        peak_adu=float(stamp.pixels[core].max()) - stamp.sky,
        axes_px=_axes(field, stamp, 2.0 * half),
        cut_off=not (reach <= stamp.x <= columns - 1 - reach and reach <= stamp.y <= rows - 1 - reach),
        profile=profile,
    )


def _axes(field: Field, stamp: _Stamp, reach: float) -> tuple[float, float]:
    """Roots of the second moments along the longest and the shortest axis of what stands out within ``reach``, px."""
    value = stamp.pixels - stamp.sky
    rows, columns = np.nonzero((stamp.distance < reach) & (value > CLEAR_SIGMAS * field.noise_adu))
    weight = value[rows, columns].astype(np.float64)
    if rows.size < 2:
        return 0.0, 0.0
    moments = np.linalg.eigvalsh(np.cov(np.stack([rows, columns]).astype(np.float64), aweights=weight, ddof=0))
    return float(np.sqrt(max(moments[1], 0.0))), float(np.sqrt(max(moments[0], 0.0)))
