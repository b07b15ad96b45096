"""Light along the dispersion: the star with its lines, the sky with its own, and the frame on which they land.

A frame is drawn with the dispersion along its columns, in electrons, before noise; `simulators.sensor` does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from simulators.instruments import Instrument
from simulators.optics import SlitImage

Array = NDArray[np.float64]
Picture = NDArray[np.float32]

SIGMA_PER_FWHM = 1.0 / 2.354820045
# wavelength nm, depth, full width nm, of an early A star; then the air's own absorption (telluric water and oxygen)
STELLAR_LINES = (
    (383.5, 0.55, 1.6), (388.9, 0.6, 1.7), (393.4, 0.4, 0.5), (397.0, 0.6, 1.8), (410.2, 0.6, 1.8), (434.0, 0.6, 1.8),
    (448.1, 0.12, 0.3), (486.1, 0.55, 1.7), (516.7, 0.06, 0.3), (518.4, 0.08, 0.3), (589.3, 0.1, 0.3),
    (634.7, 0.08, 0.15), (637.1, 0.06, 0.15), (656.28, 0.45, 1.1), (667.8, 0.03, 0.2),
)  # fmt: skip
TELLURIC_LINES = (
    (651.5, 0.12, 0.03), (652.4, 0.05, 0.03), (654.4, 0.08, 0.03), (655.75, 0.06, 0.03), (657.2, 0.1, 0.03),
    (686.9, 0.4, 1.5), (760.5, 0.7, 2.5),
)  # fmt: skip
# wavelength nm, strength in parts of the strongest: airglow and street lamps
SKY_LINES = (
    (404.7, 0.2), (435.8, 0.4), (546.1, 0.5), (557.7, 1.0), (568.8, 0.2), (589.3, 0.9), (630.0, 0.7), (636.4, 0.25),
    (650.7, 0.06), (653.3, 0.1), (656.2, 0.15), (661.0, 0.05), (668.0, 0.04), (686.3, 0.3), (724.4, 0.3),
)  # fmt: skip


def central_columns(width: int) -> slice:
    """The columns that a measurement uses unless told otherwise: the central 10 %, at least 100."""
    count = min(width, max(100, round(width * 0.1)))
    first = (width - count) // 2
    return slice(first, first + count)


def wavelengths(instrument: Instrument) -> Array:
    """Wavelength at each column of the whole sensor, nm."""
    first, last = instrument.wavelengths_nm
    return np.linspace(first, last, instrument.sensor_px[0])


def stellar_spectrum(instrument: Instrument, temperature_k: float = 9200.0) -> Array:
    """The star's light per column, 1 in the mean of the central columns: black body, lines, line spread."""
    nm = wavelengths(instrument)
    spectrum = nm**-4.0 / np.expm1(1.4388e7 / (nm * temperature_k))
    for wavelength, depth, width in STELLAR_LINES + TELLURIC_LINES:
        offset = (nm - wavelength) / (0.5 * width)
        spectrum *= 1.0 - depth / (1.0 + offset**2) ** 1.5
    spectrum = gaussian_filter1d(spectrum, instrument.line_px * SIGMA_PER_FWHM, mode="nearest")
    middle: Array = spectrum / spectrum[central_columns(nm.size)].mean()
    return middle


def sky_picture(instrument: Instrument, sky_factor: float = 1.0) -> Picture:
    """Electrons per second of the sky on each pixel of the sensor: as long as the slit, lines bent by the smile."""
    width, height = instrument.sensor_px
    nm = wavelengths(instrument)
    rows = np.arange(height, dtype=float)
    along = (rows - instrument.trace_row * (height - 1)) / (0.5 * instrument.slit_length_px)
    inside = np.clip((1.0 - np.abs(along)) * 0.5 * instrument.slit_length_px + 0.5, 0.0, 1.0)
    picture = np.full((height, width), instrument.sky_e_s, dtype=np.float32)
    bend = instrument.smile_px * np.minimum(np.abs(along), 1.0) ** 2
    sigma = instrument.line_px * SIGMA_PER_FWHM
    for wavelength, strength in SKY_LINES:
        column = float(np.interp(wavelength, nm, np.arange(width), left=-99.0, right=-99.0))
        if column < 0:
            continue
        low, high = max(int(column - 6 * sigma), 0), min(int(column + instrument.smile_px + 6 * sigma) + 2, width)
        offset = np.arange(low, high)[None, :] - column - bend[:, None]
        line = strength * instrument.sky_line_e_s * np.exp(-0.5 * np.square(offset / sigma))
        picture[:, low:high] += line.astype(np.float32)
    picture *= (sky_factor * inside[:, None]).astype(np.float32)
    return picture


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A part of the sensor with the dispersion along its columns: unbinned first column and row, width and height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


def trace_centre(instrument: Instrument, columns: Array) -> Array:
    """Row of the trace at each column: slanted and bent."""
    width, height = instrument.sensor_px
    along = 2.0 * columns / (width - 1) - 1.0
    return instrument.trace_row * (height - 1) + 0.5 * instrument.slant_px * along - instrument.curvature_px * along**2


def add_star(
    picture: Picture,
    window: Window,
    centre: Array,
    light_e: Array,
    images: list[SlitImage],
    knots: Array,
    faintest_e: float = 0.01,
) -> None:
    """Draw a star's trace onto a picture of one window, electrons.

    ``centre`` and ``light_e`` are the row of the trace and the star's whole light at each column of the window;
    ``images`` are the
    profiles at the columns ``knots``, mixed in between. What is fainter than ``faintest_e`` a pixel is left out.
    """
    if light_e.size == 0 or float(light_e.max()) <= 0:
        return
    reach = max(_reach(image, faintest_e / float(light_e.max())) for image in images)
    low = max(int(np.floor(centre.min() - reach)) - window.y, 0)
    high = min(int(np.ceil(centre.max() + reach)) + 1 - window.y, window.height)
    if high <= low:
        return
    rows = np.arange(low, high, dtype=np.float32)[:, None] + np.float32(window.y)
    distance = np.abs(rows - centre.astype(np.float32)[None, :])
    light = light_e.astype(np.float32)
    columns = np.arange(window.x, window.x + window.width, dtype=float)
    for number, image in enumerate(images):
        share = np.interp(columns, knots, np.eye(len(images))[number]).astype(np.float32) if len(images) > 1 else None
        used = slice(None) if share is None else slice(*_extent(share))
        part = _look_up(image, distance[:, used])
        part *= light[used] if share is None else light[used] * share[used]
        picture[low:high, used] += part


def _extent(share: Picture) -> tuple[int, int]:
    filled = np.flatnonzero(share)
    return (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, 0)


def _reach(image: SlitImage, faintest: float) -> float:
    bright = np.flatnonzero(image.samples > faintest)
    return float(bright[-1] + 1) * image.step_px if bright.size else 1.0


def _look_up(image: SlitImage, distance: Picture) -> Picture:
    """Linear interpolation in the profile's samples (np.interp in single precision, three times as fast)."""
    table = image.samples.astype(np.float32)
    slope = np.diff(table, append=np.float32(0.0))
    at = distance / np.float32(image.step_px)
    index = at.astype(np.int32)
    np.minimum(index, table.size - 1, out=index)
    at -= index
    value = slope[index]
    value *= at
    value += table[index]
    return value
