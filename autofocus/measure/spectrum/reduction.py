"""Measure one frame: find the trace, average its columns, fit, and fill in the numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.reading import Reading, SpatialProfile, known, nothing
from autofocus.measure.spectrum.finding.image import FAINTER_RIM, FARTHEST_RIMS
from autofocus.measure.spectrum.finding.ridge import Ridge
from autofocus.measure.spectrum.finding.sampling import SEVERAL
from autofocus.measure.spectrum.finding.trace import Trace, follow
from autofocus.measure.spectrum.finding.verdict import find_trace
from autofocus.measure.spectrum.finding.votes import collect_votes
from autofocus.measure.spectrum.fitting.belief import believed_width
from autofocus.measure.spectrum.fitting.half_maximum import half_maximum_middle
from autofocus.measure.spectrum.fitting.model_fit import ProfileFit
from autofocus.measure.spectrum.fitting.neighbours import places_beside
from autofocus.measure.spectrum.fitting.profile import cut_strip
from autofocus.measure.spectrum.fitting.strip import FittedStrip, fit_strip
from autofocus.measure.spectrum.signal import auto_half_window, column_snr, profile_snr, window_light
from autofocus.model import NAN, Flag, Frame
from autofocus.settings import MeasureSettings

LOW_SNR = 7.0
BLENDED_FRACTION = 0.02
ASTRAY_WIDTHS = 1.7
MOST_RIMS = 2  # that one image has
WIDEST = 0.6  # of the frame: of what is wider its ends are hardly seen


def measure_spectrum(frame: Frame, settings: MeasureSettings) -> Reading:
    """Measure width and light of the spectrum on a frame.

    Parameters
    ----------
    frame : Frame
        Any image; pixels may be NaN.
    settings : MeasureSettings
        ``half_window_px`` "auto" chooses for this frame alone; a series gives one number for all its frames.

    Returns
    -------
    Reading
        Never raises on pixels: where there is no stellar spectrum the flag ``no_trace`` is set, the numbers are NaN
        and ``verdict`` says why.
    """
    with np.errstate(all="ignore"):
        try:
            return _measure(frame, settings)
        except np.linalg.LinAlgError:
            return nothing(frame, "spectrum", "the pixels admit no fit")


def _measure(frame: Frame, settings: MeasureSettings) -> Reading:
    """Measure, with arithmetic on absurd pixels left to give NaN."""
    verdict = find_trace(frame, settings.dispersion_axis)
    if verdict.trace is None:
        return nothing(frame, "spectrum", verdict.reason)
    trace = verdict.trace
    columns = columns_used(trace.length, settings.columns)
    if columns is None:
        return nothing(frame, "spectrum", "the columns asked for are not on the frame")
    wanted = settings.half_window_px
    reach = int(max(2.5 * (30 if wanted == "auto" else wanted), 6.0 * trace.width_px))
    places = places_beside(trace, verdict.others, 0.5 * (columns[0] + columns[1] - 1), reach + 2 * trace.width_px)
    found = fit_strip(cut_strip(frame, trace, columns, reach), trace.width_px, places)
    for _ in range(MOST_RIMS):
        image = None if found is None else _whole_image(trace, found.fit)
        if found is None or image is None:
            break
        middle, width_px = image
        trace = _about_middle(frame, trace, middle, width_px)
        reach = max(reach, int(4.0 * width_px))
        rest = tuple(place - middle for place in found.fit.places if abs(place - middle) > 0.5 * width_px)
        found = fit_strip(cut_strip(frame, trace, columns, reach), width_px, rest)
    width, error = (NAN, NAN) if found is None else believed_width(found.fit, found.doubt)
    if found is None or not 0.0 <= error < width < WIDEST * trace.across:
        why = "what was followed has no width of its own: it is no trace, or cut off by the edge of the frame"
        return replace(nothing(frame, "spectrum", why), trace=trace)
    return _fill(frame, settings, trace, found, (width, error))


def _whole_image(trace: Trace, fit: ProfileFit) -> tuple[float, float] | None:
    """Middle and width of the disc of which one rim, or some place on its flat top, was followed; None for none.

    A flat image with another like it hardly further than its own width, or two, is one image: the rims of a doughnut,
    however well two of them fit.
    """
    if not fit.radius > 0.0:
        return None
    width = fit.rough_width
    top = float(fit.star(np.array([fit.center]))[0])
    for place, height in zip(fit.places, fit.neighbour_heights, strict=True):
        apart = abs(place - fit.center)
        if width < apart < FARTHEST_RIMS * width and FAINTER_RIM < height / top < 1.0 / FAINTER_RIM:
            return 0.5 * (place + fit.center), apart + width
    aside = abs(fit.center) > 0.5 * fit.radius
    return (fit.center, width) if aside or width > ASTRAY_WIDTHS * trace.width_px else None


def _about_middle(frame: Frame, trace: Trace, middle_px: float, width_px: float) -> Trace:
    """The trace followed once more, about the middle of the disc and at its width."""
    first, *others = trace.coefficients
    moved = replace(trace, coefficients=(first + middle_px, *others), width_px=width_px)
    votes = collect_votes(frame, trace.axis, SEVERAL)
    if votes is None:
        return moved
    middle = float(moved.center(0.5 * (trace.length - 1)))
    again = follow(votes, Ridge(middle, trace.slant_px, width_px, trace.significance))
    return moved if again.is_steep else replace(again, width_px=width_px)


def columns_used(length: int, asked: tuple[int, int] | None) -> tuple[int, int] | None:
    """The columns to average: as asked, cut to the frame, else the central 10 %, at least 100."""
    if asked is not None:
        first, last = max(asked[0], 0), min(asked[1], length)
        return (first, last) if last > first else None
    count = min(max(round(length * 0.1), 100), length)
    first = (length - count) // 2
    return first, first + count


def _fill(
    frame: Frame, settings: MeasureSettings, trace: Trace, found: FittedStrip, width: tuple[float, float]
) -> Reading:
    cleaned, fit = found.cleaned, found.fit
    fwhm, fwhm_err = width
    wanted = settings.half_window_px
    half_window = auto_half_window(fwhm) if wanted == "auto" else wanted
    light = window_light(cleaned, fit, half_window, found.span, found.bow)
    middle = 0.5 * (cleaned.strip.columns[0] + cleaned.strip.columns[-1])
    center = float(trace.center(middle)) + half_maximum_middle(fit)
    distance = cleaned.strip.offsets.astype(np.float64)
    star = fit.star(distance)
    core = np.abs(distance) <= max(fwhm, 1.0)
    bow = found.bow.at(cleaned.strip.offsets)
    taken_off = bow[core].astype(np.float32)[:, None]  # with it pixels are as they were read
    saturated = _saturated(frame, cleaned.strip.values[core] + taken_off, cleaned.rejected[core])
    exposure = frame.exposure_s if frame.exposure_s and frame.exposure_s > 0 else None
    scale = settings.plate_scale_arcsec_per_px
    lightless = not np.isfinite(light.window_fraction)
    set_flags = {
        Flag.SATURATED: saturated > 0,
        Flag.LOW_SNR: lightless or profile_snr(cleaned, star) < LOW_SNR or _is_faint(trace, cleaned.strip.columns.size),
        Flag.TRUNCATED_WINDOW: light.truncated,
        Flag.BLENDED: _is_blended(fit, 2.0 * half_window),
        Flag.NO_EXPOSURE: exposure is None,
    }
    measurement = replace(
        known(frame, "spectrum"),
        fwhm_px=fwhm,
        fwhm_err_px=fwhm_err,
        fwhm_arcsec=fwhm * scale if scale else NAN,
        nsig=light.total / exposure if exposure else NAN,
        nsig_err=light.error / exposure if exposure else NAN,
        window_fraction=light.window_fraction,
        window_fraction_err=light.window_fraction_err,
        snr=column_snr(cleaned, star),
        center_px=center,
        slant_px=trace.slant_px,
        background_adu=fit.background,
        peak_adu=float(np.nanmax(cleaned.values[core] + taken_off)),
        saturated_px=saturated,
        dispersion_axis=trace.axis,
        flags=tuple(flag for flag, is_set in set_flags.items() if is_set),
        background_noise_adu=float(np.sqrt(cleaned.noise.read_variance)),
        columns_used=int(cleaned.strip.columns.size),
    )
    start = round(float(trace.center(middle))) + int(cleaned.strip.offsets[0])
    drawn = SpatialProfile(start, cleaned.profile + bow, star + fit.sky(distance) + bow)
    return Reading(measurement, drawn, trace, half_window)


def _is_faint(trace: Trace, columns: int) -> bool:
    """Whether all the light that was found is too little for so many columns, whatever a fit makes of it."""
    return trace.faint and trace.significance * np.sqrt(columns / trace.length) < LOW_SNR


def _is_blended(fit: ProfileFit, reach: float) -> bool:
    """Whether another star of any weight has a window that overlaps ours."""
    if not fit.places:
        return False
    peak = float(np.max(fit.star(np.linspace(-fit.blur_width, fit.blur_width, 41) + fit.center)))
    close = np.abs(np.array(fit.places) - fit.center) < reach
    return bool(np.any(close & (fit.neighbour_heights > BLENDED_FRACTION * peak)))


def _saturated(frame: Frame, values: NDArray[np.float32], rejected: NDArray[np.bool_]) -> int:
    """How many of these pixels, ADU, are at the ceiling; cosmic rays do not count."""
    ceiling = frame.saturation_adu
    if ceiling is None:
        kind = frame.raw.dtype
        if kind.kind not in "iu":
            return 0
        ceiling = float(np.iinfo(kind).max) * frame.bscale + frame.bzero
    return int(np.count_nonzero((values >= ceiling - 0.5 * abs(frame.bscale)) & ~rejected))
