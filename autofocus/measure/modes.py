"""What a frame shows, and who measures it: a star's spectrum, a field of stars, or the lines of an arc lamp."""

from __future__ import annotations

from autofocus.errors import SettingsError
from autofocus.measure.reading import Reading
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Frame
from autofocus.settings import MeasureSettings


def measure_frame(frame: Frame, settings: MeasureSettings) -> Reading:
    """Measure a frame as ``settings.mode`` says.

    Returns
    -------
    Reading
        Of which ``measurement.mode`` is what was measured.

    Raises
    ------
    SettingsError
        For what cannot be measured yet.
    """
    if settings.mode in ("stars", "lines"):
        raise SettingsError(f"measure.mode: {settings.mode} cannot be measured yet; set it to spectrum.")
    return measure_spectrum(frame, settings)
