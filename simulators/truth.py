"""The truth about a bench: its noiseless curves at the mean seeing, and where each objective is best.

Positions are those of the drawtube at the temperature of the beginning. Tests and benchmarks ask; the engine never
does.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize_scalar

from autofocus.model import Objective
from simulators.instruments import Instrument
from simulators.optics import Beam, SlitImage, slit_image

# Places about the foci at which an optimum is bracketed before it is refined.
GRID = 45
FAINTEST_ADU_S = 1e-6


class Truth:
    """Curves and optima of one instrument, for the columns in the middle of its spectrum.

    - ``fwhm``: full width at half maximum of the pixel-integrated profile, read from the profile itself, not from a
      fitted function.
    - ``nsig``: all the light that passes the slit, ADU/s per column (``half_window_px`` limits it as the original's
      window does).
    - ``snr``: per column of a spectrum extracted over ± 1 FWHM, that is 2 x FWHM pixels: the signal is NSIG x
      exposure x gain
      electrons S, the noise² is S + background noise² per pixel x 2 FWHM, with the background noise² of sky, dark
      and reading.
    """

    def __init__(self, instrument: Instrument, sky_factor: float = 1.0) -> None:
        # Without a star there is still a focus at which one would be best.
        self.instrument = replace(instrument, star_adu_s=max(instrument.star_adu_s, FAINTEST_ADU_S))
        self._sky_factor = sky_factor
        self._image = lru_cache(maxsize=4096)(self._make_image)
        self._optimum = lru_cache(maxsize=64)(self._find_optimum)

    def beam(self, place: float, along: float = 0.0, seeing_factor: float = 1.0, offset_px: float = 0.0) -> Beam:
        """The star on the slit with the tube at a place, at a point -1..1 along the spectrum, off its place."""
        own = self.instrument
        across_slit = own.focus_steps + 0.5 * own.astigmatism_steps + 0.5 * own.chromatic_steps * along
        along_slit = across_slit - own.astigmatism_steps + own.collimator_offset_steps + 0.5 * own.tilt_steps * along
        return Beam(
            semi_x_px=own.blur_radius_px_per_step * (place - across_slit),
            semi_y_px=own.blur_radius_px_per_step * (place - along_slit),
            obstruction=own.obstruction,
            seeing_px=own.seeing_arcsec / own.plate_scale_arcsec_per_px * seeing_factor,
            slit_px=own.slit_px,
            offset_px=own.decentre_px + offset_px,
            blur_px=own.blur_px,
            moffat_beta=own.moffat_beta,
        )

    def _make_image(self, place: float) -> SlitImage:
        return slit_image(self.beam(place))

    def fwhm_px(self, place: float) -> float:
        """FWHM in pixels with the tube at a place."""
        return self._image(place).fwhm_px

    def nsig(self, place: float, half_window_px: float | None = None) -> float:
        """NSIG in ADU/s per column with the tube at a place."""
        image = self._image(place)
        return self.instrument.star_adu_s * (
            image.throughput if half_window_px is None else image.within(half_window_px)
        )

    def background_noise_e(self, exposure_s: float) -> float:
        """RMS of one background pixel in the central columns, electrons."""
        own = self.instrument
        sky = own.sky_e_s * self._sky_factor
        return float(np.sqrt((sky + own.dark_e_s) * exposure_s + own.read_noise_e**2))

    def snr(self, place: float, exposure_s: float) -> float:
        """SNR per column with the tube at a place."""
        signal = self.nsig(place) * exposure_s * self.instrument.gain_e_per_adu
        background = self.background_noise_e(exposure_s) ** 2 * 2.0 * self.fwhm_px(place)
        return float(signal / np.sqrt(signal + background))

    def optimum(self, objective: Objective, exposure_s: float = 10.0) -> float:
        """Where the objective is best, steps."""
        return self._optimum(objective, exposure_s if objective == "snr" else 0.0)

    def _find_optimum(self, objective: Objective, exposure_s: float) -> float:
        own = self.instrument
        foci = (0.0, own.collimator_offset_steps - own.astigmatism_steps, own.astigmatism_steps)
        # As far as defocus takes to blur the star to the seeing and the slit together, and a little more.
        seeing_px = own.seeing_arcsec / own.plate_scale_arcsec_per_px
        reach = 1.2 * (seeing_px + own.slit_px) / own.blur_radius_px_per_step
        low, high = own.focus_steps + min(foci) - reach, own.focus_steps + max(foci) + reach

        def badness(place: float) -> float:
            if objective == "fwhm":
                return self.fwhm_px(place)
            return -self.nsig(place) if objective == "nsig" else -self.snr(place, exposure_s)

        grid = np.linspace(low, high, GRID)
        best = int(np.argmin([badness(float(place)) for place in grid]))
        around = (float(grid[max(best - 1, 0)]), float(grid[min(best + 1, GRID - 1)]))
        return float(minimize_scalar(badness, bounds=around, method="bounded", options={"xatol": 0.01}).x)
