"""What a frame shows, and who measures it: a star's spectrum, a field of stars, or the lines of an arc lamp."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autofocus.measure.lines.reduction import measure_lines
from autofocus.measure.reading import Reading
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.measure.stars.field import measure_stars
from autofocus.model import SOUGHT, Flag, Frame, Measurement, Mode
from autofocus.settings import MeasureSettings

MEASURE = {"spectrum": measure_spectrum, "stars": measure_stars, "lines": measure_lines}
WIDEST_PART = 0.1  # of the frame's shorter side: a trace beyond doubt is no chance alignment of doughnuts
SURE_PART = 0.1  # of a width: its error
LEAST_STARS = 3
LEAST_SPREAD = 5.0  # in half-flux radii, along both sides: the lines of a star's spectrum stand in a row
LEAST_PLACES = 3  # of the field where lines were measured


def measure_frame(frame: Frame, settings: MeasureSettings) -> Reading:
    """Measure a frame as ``settings.mode`` says.

    Returns
    -------
    Reading
        Of which ``measurement.mode`` is what was measured: with ``auto`` what the frame shows, see `measure_any`.
        Where that was not found, ``measurement.shows`` is what the frame shows beyond doubt, and the verdict says so.
    """
    if settings.mode == "auto":
        return measure_any(frame, settings)
    reading = MEASURE[settings.mode](frame, settings)
    if Flag.NO_TRACE not in reading.measurement.flags:
        return reading
    shows = _shown_instead(frame, settings, reading)
    if shows is None:
        return reading
    verdict = f"{reading.measurement.verdict}; the frame shows {SOUGHT[shows]} (measure.mode: {shows})"
    return replace(reading, measurement=replace(reading.measurement, shows=shows, verdict=verdict))


def measure_any(frame: Frame, settings: MeasureSettings) -> Reading:
    """Measure what the frame shows: a spectrum of a star, else stars, else an arc; if none, the spectrum's verdict."""
    spectrum = measure_spectrum(frame, settings)
    if Flag.NO_TRACE not in spectrum.measurement.flags:
        return spectrum
    for measure in (measure_stars, measure_lines):
        reading = measure(frame, settings)
        if Flag.NO_TRACE not in reading.measurement.flags:
            return reading
    return spectrum


def _shown_instead(frame: Frame, settings: MeasureSettings, asked: Reading) -> Mode | None:
    """What another mode measures on a frame beyond doubt; what the spectrum's verdict does not name is not tried."""
    spectrum = asked if settings.mode == "spectrum" else measure_spectrum(frame, settings)
    seen = spectrum.measurement
    if Flag.NO_TRACE not in seen.flags:
        return "spectrum" if _is_clear_trace(seen, min(frame.shape)) else None
    stars = settings.mode != "stars" and "star field" in seen.verdict
    if stars and _are_stars(measure_stars(frame, settings).measurement):
        return "stars"
    if settings.mode != "lines" and "arc lamp" in seen.verdict:
        found = measure_lines(frame, settings).measurement
        return "lines" if len(found.field) >= LEAST_PLACES and _is_sound(found) else None
    return None


def _is_clear_trace(seen: Measurement, side_px: int) -> bool:
    narrow = seen.fwhm_px < WIDEST_PART * side_px and seen.fwhm_err_px < SURE_PART * seen.fwhm_px
    return narrow and Flag.LOW_SNR not in seen.flags


def _is_sound(seen: Measurement) -> bool:
    return set(seen.flags) <= {Flag.NO_EXPOSURE}


def _are_stars(seen: Measurement) -> bool:
    if len(seen.stars) < LEAST_STARS or not _is_sound(seen):
        return False
    places = np.array([(star.x, star.y) for star in seen.stars])
    return bool(np.all(places.std(axis=0) > LEAST_SPREAD * seen.hfr_px))
