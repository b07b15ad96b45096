"""Measure a field of stars: find them, trust some, and say how large and how bright they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autofocus.measure.reading import Reading, SpatialProfile, known, nothing
from autofocus.measure.stars.detection import find_spots
from autofocus.measure.stars.radial import Array
from autofocus.measure.stars.selection import Selection, select
from autofocus.measure.stars.sky import Field, above_sky
from autofocus.measure.stars.star import Star
from autofocus.model import NAN, Flag, Frame, StarImage
from autofocus.settings import MeasureSettings

LOW_SNR = 15.0  # of the flux of all the stars that count
ELONGATED = 1.6
CHI2_MEDIAN = 0.455  # of one degree of freedom
PASSES = 10
OUTLYING = 2.0  # sigmas from which on a star counts less
REACH = 1.5  # apertures: of the profile that is drawn


def measure_stars(frame: Frame, settings: MeasureSettings) -> Reading:
    """Measure the size and the light of the stars on a frame.

    Parameters
    ----------
    frame : Frame
        Any image; pixels may be NaN.
    settings : MeasureSettings
        Of which only the plate scale counts.

    Returns
    -------
    Reading
        ``hfr_px`` is the half-flux radius, the mean of the stars that count; ``fwhm_px`` twice that, which is the FWHM
        of a Gaussian star and grows all the way into the doughnuts, where a width at half maximum misleads;
        ``half_max_px`` is the full width at half maximum itself. ``nsig`` is the flux of these stars, ADU/s. Never
        raises on pixels: without stars the flag ``no_trace`` is set, the numbers are NaN and ``verdict`` says why.
    """
    with np.errstate(all="ignore"):
        field = above_sky(frame.pixels)
        selection = select(field, find_spots(field.light, field.noise_adu), frame)
    if not selection.stars:
        return nothing(frame, "stars", selection.reason)
    return _fill(frame, settings, field, selection)


def mean_size(sizes: Array, errors: Array, foreign: Array) -> tuple[float, float]:
    """The typical size of stars (n,) with their errors, and its error: the mean in logarithm, outliers weighed down.

    Weights are 1 / (e² + s² + f²), with a star's own relative error e, the scatter s of the stars beyond those, and the
    light f of others in its aperture. Sizes that differ over the field are no noise, and are the same in every frame,
    so that s and f are no part of the error.
    """
    value, error = np.log(sizes), errors / sizes
    middle = float(np.median(value))
    beyond = float(np.median(np.square(value - middle) - np.square(error))) / CHI2_MEDIAN
    variance = np.square(error) + (max(beyond, 0.0) if value.size > 2 else 0.0) + np.square(foreign)
    weights = 1.0 / variance
    for _ in range(PASSES):
        middle = float(weights @ value / weights.sum())
        weights = 1.0 / variance / np.maximum(1.0, np.abs(value - middle) / (OUTLYING * np.sqrt(variance)))
    size = float(np.exp(middle))
    return size, size * float(np.sqrt(np.square(weights) @ np.square(error)) / weights.sum())


def _fill(frame: Frame, settings: MeasureSettings, field: Field, selection: Selection) -> Reading:
    stars = selection.stars
    brightest = stars[0]
    foreign = np.array(selection.foreign)
    sizes = np.array([(star.hfr_px, star.hfr_err_px, star.half_max_px, star.half_max_err_px) for star in stars]).T
    size, size_err = mean_size(sizes[0], sizes[1], foreign)
    half_max, half_max_err = mean_size(sizes[2], sizes[3], foreign)
    flux = sum(star.flux_adu for star in stars)
    flux_err = float(np.sqrt(sum(star.flux_err_adu**2 for star in stars)))
    exposure = frame.exposure_s if frame.exposure_s and frame.exposure_s > 0 else None
    scale = settings.plate_scale_arcsec_per_px
    flags = [*selection.flags]
    flags += [Flag.LOW_SNR] if flux < LOW_SNR * flux_err else []
    flags += [] if exposure else [Flag.NO_EXPOSURE]
    measurement = replace(
        known(frame, "stars"),
        fwhm_px=2.0 * size,
        fwhm_err_px=2.0 * size_err,
        fwhm_arcsec=2.0 * size * scale if scale else NAN,
        hfr_px=size,
        hfr_err_px=size_err,
        half_max_px=half_max,
        half_max_err_px=half_max_err,
        nsig=flux / exposure if exposure else NAN,
        nsig_err=flux_err / exposure if exposure else NAN,
        snr=flux / flux_err,
        center_px=brightest.y,
        background_adu=field.sky_adu,
        peak_adu=max(star.peak_adu for star in stars) + field.sky_adu,
        saturated_px=selection.saturated_px,
        flags=tuple(flags),
        background_noise_adu=field.noise_adu,
        notes=_remarks(stars),
        stars=tuple(
            StarImage(star.x, star.y, star.hfr_px, star.hfr_err_px, star.flux_adu / (exposure or 1.0)) for star in stars
        ),
    )
    return Reading(measurement, _drawn(brightest, field))


def _remarks(stars: Sequence[Star]) -> tuple[str, ...]:
    elongation = float(np.median([star.axes_px[0] / star.axes_px[1] for star in stars]))
    if elongation < ELONGATED:
        return ()
    return (f"the stars are {elongation:.1f} times as long as wide: trailed, or out of focus in one direction",)


def _drawn(star: Star, field: Field) -> SpatialProfile:
    """Light along the column of pixels through the brightest star, and the profile through it."""
    reach = REACH * star.radius_px
    first, last = max(int(star.y - reach), 0), min(int(star.y + reach) + 1, field.light.shape[0])
    rows = np.arange(first, last)
    column = min(max(round(star.x), 0), field.light.shape[1] - 1)
    distance = np.hypot(rows - star.y, column - star.x)
    model = np.where(distance < star.radius_px, star.profile(distance), 0.0)
    return SpatialProfile(first, field.light[rows, column].astype(np.float64) + field.sky_adu, model + field.sky_adu)
