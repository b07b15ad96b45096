"""What a frame shows, and who measures it: a star's spectrum, a field of stars, or the lines of an arc lamp."""

from __future__ import annotations

from autofocus.measure.lines.reduction import measure_lines
from autofocus.measure.reading import Reading
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.measure.stars.field import measure_stars
from autofocus.model import Flag, Frame
from autofocus.settings import MeasureSettings


def measure_frame(frame: Frame, settings: MeasureSettings) -> Reading:
    """Measure a frame as ``settings.mode`` says.

    Returns
    -------
    Reading
        Of which ``measurement.mode`` is what was measured: with ``auto`` what the frame shows, see `measure_any`.
    """
    if settings.mode == "auto":
        return measure_any(frame, settings)
    if settings.mode == "stars":
        return measure_stars(frame, settings)
    if settings.mode == "lines":
        return measure_lines(frame, settings)
    return measure_spectrum(frame, settings)


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
