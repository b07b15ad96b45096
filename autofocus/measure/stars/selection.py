"""Which stars of a frame are to be trusted: not cut off, saturated or blended, and of the size of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.stars.detection import Spot
from autofocus.measure.stars.radial import Array
from autofocus.measure.stars.sky import Field
from autofocus.measure.stars.star import Star, measure_star
from autofocus.model import Flag, Frame

FIRST_MEASURED = 8  # they show what size the stars are
CLEAR = 0.1  # of the clearest spot: what stands out less is not among the first
MOST_MEASURED = 60
WASTED = 0.1  # of the frame: what spots that are no stars may cost
SPOT_AREA = 8.0  # side of a star's aperture, in sizes of its spot
SPOT_SIZES = (0.2, 4.0)  # sizes of the spots of stars, in half-flux radii of the clearest ones
MOST_USED = 30  # the brightest of those that can be trusted: much the same ones in every frame of a sweep
LEAST_SNR = 10.0  # of the flux
SMALLEST_PX = 0.6  # half-flux radius: a single pixel has 0.4, a star of one pixel's width 0.6
THINNEST_PX = (0.5, 0.8)  # root of the smallest second moment, of round spots and of long ones: tracks are thinner
LONG = 2.5
BLENDED_LIGHT = 0.1  # of a star's own flux: what others may bring into its aperture; with any it weighs less
SIZE_SPREAD = 0.35  # relative: stars of one frame are of one size, give or take what the optics do at the edges
FULL = 0.995  # of the ceiling
CEILINGS = (1023, 4095, 16383)  # of 10, 12 and 14 bits, as stored by cameras that do not say it


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The stars that count, brightest first, what had to be put up with to have any, and why there are none.

    ``foreign`` is for each the light of others in its aperture, of its own.
    """

    stars: tuple[Star, ...] = ()
    foreign: tuple[float, ...] = ()
    flags: tuple[Flag, ...] = ()
    saturated_px: int = 0
    reason: str = ""


def select(field: Field, spots: Sequence[Spot], frame: Frame) -> Selection:
    """Measure the clearest spots and keep the stars that can be trusted; if none can, the least bad, flagged.

    Blended stars are preferred to saturated ones, and those to stars that the edge of the frame cuts off.
    """
    gain = frame.gain_e_per_adu
    measured = _distinct(_measured(field, spots, gain))
    alike = _alike(measured)
    if not alike:
        reason = "no stars" if not spots else "no stars: what stands out from the sky is not of a star's shape"
        return Selection(reason=reason)
    full = full_pixels(frame, field)
    counts = [_count_full(full, star) for star in alike]
    foreign = _foreign(alike, spots)
    troubles = [
        (star.cut_off, count > 0, bool(light > BLENDED_LIGHT))
        for star, count, light in zip(alike, counts, foreign, strict=True)
    ]
    best = min(troubles)
    chosen = [i for i, trouble in enumerate(troubles) if trouble == best]
    chosen = sorted(chosen, key=lambda i: -alike[i].flux_adu)[:MOST_USED]
    flags = (Flag.TRUNCATED_WINDOW, Flag.SATURATED, Flag.BLENDED)
    return Selection(
        tuple(alike[i] for i in chosen),
        tuple(float(foreign[i]) for i in chosen),
        tuple(flag for flag, is_so in zip(flags, best, strict=True) if is_so),
        sum(counts[i] for i in chosen),
    )


def _measured(field: Field, spots: Sequence[Spot], gain: float | None) -> list[Star]:
    """Measure the clearest spots; of the others only those that may be stars of the same size."""
    stars: list[Star] = []
    tried, wasted = 0, 0.0
    for spot in spots:
        largest = max((star.hfr_px for star in stars), default=np.inf)
        smallest = min((star.hfr_px for star in stars), default=0.0)
        clear = spot.clearness > CLEAR * spots[0].clearness and tried < FIRST_MEASURED
        if not clear and not SPOT_SIZES[0] * smallest <= spot.size_px <= max(SPOT_SIZES[1] * largest, 1.0):
            continue
        tried += 1
        star = measure_star(field, spot, gain)
        if star is not None and _is_star(star):
            stars.append(star)
        else:
            wasted += (SPOT_AREA * spot.size_px) ** 2
        if tried == MOST_MEASURED or wasted > WASTED * field.light.size:
            break
    return stars


def _is_star(star: Star) -> bool:
    return (
        star.hfr_px > SMALLEST_PX
        and star.axes_px[1] > THINNEST_PX[star.axes_px[0] > LONG * star.axes_px[1]]
        and star.half_max_px > 0.0
        and star.hfr_err_px < 0.5 * star.hfr_px
        and star.flux_adu > LEAST_SNR * star.flux_err_adu
    )


def _distinct(stars: Sequence[Star]) -> list[Star]:
    """Each star once: spots that led to the same middle are the same star."""
    kept: list[Star] = []
    for star in stars:
        if all(np.hypot(star.x - other.x, star.y - other.y) > max(star.hfr_px, other.hfr_px) for other in kept):
            kept.append(star)
    return kept


def _alike(stars: Sequence[Star]) -> list[Star]:
    """Stars of the size that most of the light has; hits of cosmic rays are smaller, galaxies larger."""
    if not stars:
        return []
    sizes = np.log([star.hfr_px for star in stars])
    typical = _weighted_median(sizes, np.sqrt([star.flux_adu for star in stars]))
    return [star for star, size in zip(stars, sizes, strict=True) if abs(size - typical) < SIZE_SPREAD]


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(share, 0.5 * share[-1])])


def full_pixels(frame: Frame, field: Field) -> NDArray[np.bool_]:
    """Pixels at the camera's ceiling, as it is known or can be told, and those that are no numbers."""
    ceiling = frame.saturation_adu
    if ceiling is None and frame.raw.dtype.kind in "iu":
        highest = int(frame.raw.max())
        stored = highest if highest in CEILINGS else int(np.iinfo(frame.raw.dtype).max)
        full = frame.raw >= FULL * stored
    elif ceiling is None:
        full = np.zeros(frame.shape, dtype=bool)
    else:
        full = field.light >= FULL * ceiling - field.sky_adu
    return full if field.bad is None else full | field.bad


def _count_full(full: NDArray[np.bool_], star: Star) -> int:
    reach = max(2.0 * star.hfr_px, 1.5)
    top, left = max(int(star.y - reach), 0), max(int(star.x - reach), 0)
    return int(np.count_nonzero(full[top : int(star.y + reach) + 2, left : int(star.x + reach) + 2]))


def _foreign(stars: Sequence[Star], spots: Sequence[Spot]) -> Array:
    """For each star (n,) the light of others in its aperture, of its own; of what is no star by the height of its spot.

    A spot that lies within a star's half-flux radius, or one and a half of it, is the star, or a part of it.
    """
    place = np.array([(star.x, star.y) for star in stars])
    half, radius, flux = np.array([(star.hfr_px, star.radius_px, star.flux_adu) for star in stars]).T
    spot = np.array([(one.x, one.y, one.size_px, one.flux_adu) for one in spots])
    to_spots = np.hypot(*(place[:, None, :] - spot[None, :, :2]).transpose(2, 0, 1))
    free = ~np.any(to_spots < 1.5 * np.maximum(half, 2.0)[:, None], axis=0)
    to_stars = np.hypot(*(place[:, None, :] - place[None, :, :]).transpose(2, 0, 1))
    np.fill_diagonal(to_stars, np.inf)
    light = _overlap(to_stars, radius, half) @ flux
    light += _overlap(to_spots[:, free], radius, spot[free, 2]) @ spot[free, 3]
    return np.asarray(light / flux)


def _overlap(apart: Array, radius: Array, half: Array) -> Array:
    """About the parts of others' light (columns) that fall into apertures (rows): Gaussians beyond straight edges."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.8 * (radius[:, None] - apart) * 1.18 / half[None, :])))
