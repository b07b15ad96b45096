"""What best focus means: the signal-to-noise of the extracted spectrum, the light, or the width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autofocus.curve.hyperbola import Array
from autofocus.curve.series import LIGHT, WIDTH, Series
from autofocus.model import Measurement, Objective

EXTRACTION_WIDTHS = 2.0
WITHIN = 0.02
CONSTRAINT_STEEPNESS = 20


@dataclass(frozen=True)
class Decision:
    """An objective with all that it needs; ``background_e2`` is the background variance of a pixel, e-².

    ``unit`` are px and ADU/s of one scaled unit, as in `Series`.
    """

    objective: Objective
    unit: tuple[float, float] = (1.0, 1.0)
    exposure_s: float = math.nan
    gain_e_per_adu: float = math.nan
    background_e2: float = math.nan
    min_nsig_fraction: float | None = None

    def merit(self, curves: Array) -> Array:
        """What is maximised, (batch, nodes), of scaled curves (batch, nodes, 2).

        ``snr``: S / √(S + B), with S = NSIG × exposure × gain electrons in a column and B the background variance
        of a pixel times an extraction width of 2 FWHM. ``nsig``: the light. ``fwhm``: 1 / FWHM, falling steeply
        where the light is less than ``min_nsig_fraction`` of its peak.
        """
        width, light = curves[..., WIDTH] * self.unit[WIDTH], np.maximum(curves[..., LIGHT], 1e-9) * self.unit[LIGHT]
        if self.objective == "nsig":
            return np.asarray(light)
        if self.objective == "fwhm":
            merit = 1.0 / width
            if self.min_nsig_fraction is not None:
                enough = light / (self.min_nsig_fraction * light.max(axis=-1, keepdims=True))
                merit = merit * np.minimum(1.0, enough) ** CONSTRAINT_STEEPNESS
            return np.asarray(merit)
        signal = light * self.exposure_s * self.gain_e_per_adu
        return np.asarray(signal / np.sqrt(signal + self.background_e2 * EXTRACTION_WIDTHS * width))


def decide_by(
    objective: Objective,
    measurements: Sequence[Measurement],
    series: Series,
    modelled: tuple[bool, bool],
    science_exposure_s: float | None,
    min_nsig_fraction: float | None,
) -> tuple[Decision, tuple[str, ...]]:
    """The objective that the data allow, nearest to the one asked for, and a warning where it is another.

    ``modelled`` says whether the FWHM and the NSIG curve exist.
    """
    warnings: list[str] = []
    if objective != "fwhm" and modelled[WIDTH] and all(measurements[i].mode != "spectrum" for i in series.index):
        why = "the light of stars without a slit, or of a lamp, hardly depends on focus"
        said = f"{why}: decided by the width (fwhm), not {objective}"
        return Decision("fwhm", series.unit), (said,)
    used: Objective = objective
    signal_to_noise = _photons(objective, measurements, series, science_exposure_s)
    if used == "snr" and not (all(modelled) and signal_to_noise):
        used = "nsig"
        lacking = "the camera's gain or the background noise is not known" if all(modelled) else "it needs both curves"
        warnings.append(f"signal-to-noise cannot be predicted ({lacking}): decided by the light (nsig)")
    if used == "nsig" and not modelled[LIGHT]:
        used = "fwhm"
        warnings = [f"no curve of the light could be fitted: decided by the width (fwhm), not {objective}"]
    if used == "fwhm" and not modelled[WIDTH]:
        used = "nsig"
        warnings = ["no curve of the width could be fitted: decided by the light (nsig)"]
    if used == "snr" and signal_to_noise:
        return Decision("snr", series.unit, *signal_to_noise), ()
    fraction = min_nsig_fraction if modelled[LIGHT] else None
    return Decision(used, series.unit, min_nsig_fraction=fraction), tuple(warnings)


def _photons(
    objective: Objective, measurements: Sequence[Measurement], series: Series, science_exposure_s: float | None
) -> tuple[float, float, float] | None:
    """Exposure, gain and background variance (e-² per pixel) for the science exposure; None where unknown.

    The share of sky and of read noise in the measured background noise is not known: all of it is taken to be sky,
    which grows with the exposure, except what exceeds the photon noise of the whole background level: that must be
    read noise, which does not.
    """
    if objective != "snr":
        return None
    variances, gains, exposures = [], [], []
    frames = [measurements[index] for index in series.index]
    times = [frame.exposure_s for frame in frames if frame.exposure_s and 0.0 < frame.exposure_s < math.inf]
    if not times:
        return None
    science = science_exposure_s or float(np.median(times))
    for frame in frames:
        gain, noise = frame.gain_e_per_adu, frame.background_noise_adu
        if frame.exposure_s in times and gain and 0.0 < gain < math.inf and math.isfinite(noise):
            total = (noise * gain) ** 2
            level = frame.background_adu * gain
            sky = min(total, level) if math.isfinite(level) and level > 0 else total
            variances.append(sky * science / frame.exposure_s + total - sky)
            gains.append(gain)
            exposures.append(frame.exposure_s)
    if not variances:
        return None
    return science, float(np.median(gains)), float(np.median(variances))


def within_best(x: Array, merit: Array, place: float) -> tuple[float, float]:
    """The stretch about ``place`` where ``merit`` (nodes,) stays within 2 % of its best; crossings interpolated."""
    threshold = (1.0 - WITHIN) * float(merit.max())
    fine = np.linspace(x[0], x[-1], 2001)
    good = np.interp(fine, x, merit) >= threshold
    at = int(np.argmin(np.abs(fine - place)))
    if not good[at]:
        return place, place
    below, above = np.flatnonzero(~good[:at]), np.flatnonzero(~good[at:])
    low = fine[below[-1] + 1] if below.size else fine[0]
    high = fine[at + above[0] - 1] if above.size else fine[-1]
    return float(min(low, place)), float(max(high, place))


OPTIMA: tuple[tuple[Objective, str], ...] = (
    ("fwhm", "narrowest focus"),
    ("nsig", "most light"),
    ("snr", "best signal-to-noise"),
)


def describe_losses(
    decision: Decision, places: dict[Objective, float], values: dict[Objective, tuple[float, float, float]]
) -> tuple[str, ...]:
    """A sentence for each optimum that was not chosen: what it would cost against the chosen one.

    ``places`` are positions in steps; ``values`` the FWHM, light and signal-to-noise (NaN where unknown) there.
    """
    chosen = values[decision.objective]
    sentences = []
    for objective, name in OPTIMA:
        if objective == decision.objective or objective not in places:
            continue
        width, light, signal_to_noise = (there / here for there, here in zip(values[objective], chosen, strict=True))
        costs = [_cost(1.0 - light, "of the light"), _cost(1.0 - signal_to_noise, "of the signal-to-noise")]
        parts = [cost for cost in costs if cost]
        if parts:
            sentence = f"at the {name} ({places[objective]:.0f}) you would lose {' and '.join(parts)}"
        elif width >= 1.005:
            sentence = f"at the {name} ({places[objective]:.0f}) the trace would be {100 * (width - 1):.0f} % wider"
        else:
            sentence = f"at the {name} ({places[objective]:.0f}) you would lose nothing to speak of"
        sentences.append(sentence)
    return tuple(sentences)


def _cost(part: float, of_what: str) -> str:
    return f"{100 * part:.0f} % {of_what}" if math.isfinite(part) and part >= 0.005 else ""
