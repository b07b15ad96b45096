"""The values that flow through the house: Frame -> Measurement -> CurveFit -> FocusResult.

All are frozen. Positions are focuser steps, widths pixels, brightness ADU/s per column, times seconds;
every error is 1 σ. A number that could not be measured is NaN here and ``null`` in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from autofocus.arcfield import FieldCell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAN = float("nan")

Axis = Literal["x", "y"]
Metric = Literal["fwhm", "nsig"]
Objective = Literal["snr", "nsig", "fwhm"]
Mode = Literal["spectrum", "stars", "lines"]
SOUGHT: Mapping[Mode, str] = {"spectrum": "a spectrum", "stars": "stars", "lines": "the lines of a lamp"}
Phase = Literal["locate", "sweep", "refine", "confirm", "recorded"]
Outcome = Literal["focused", "no_focus", "failed", "aborted"]


class Flag(StrEnum):
    """What is special about a measured frame."""

    NO_TRACE = "no_trace"
    SATURATED = "saturated"
    LOW_SNR = "low_snr"
    TRUNCATED_WINDOW = "truncated_window"
    BLENDED = "blended"
    NO_EXPOSURE = "no_exposure"
    GUIDING_UNSETTLED = "guiding_unsettled"
    GUIDING_LOST = "guiding_lost"
    CLOUDED = "clouded"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image and what is known of how it was taken.

    ``raw`` is as stored, shape (rows, columns), any numeric dtype, perhaps memory-mapped; a pixel's value in
    ADU is ``raw * bscale + bzero``. Use `pixels` for the whole image and `section` for a part: a
    large file is then read only where it is looked at.
    """

    raw: NDArray[Any]
    name: str = ""
    exposure_s: float | None = None
    position: float | None = None
    started_utc: str | None = None
    bzero: float = 0.0
    bscale: float = 1.0
    gain_e_per_adu: float | None = None
    saturation_adu: float | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.raw.shape
        return int(rows), int(columns)

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The whole image in ADU, shape (rows, columns)."""
        return self.section(slice(None), slice(None))

    def section(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """A part of the image in ADU; only this part is read and converted."""
        part: NDArray[np.float32] = self.raw[rows, columns].astype("f4")
        if self.bscale != 1.0:
            part *= self.bscale
        if self.bzero != 0.0:
            part += self.bzero
        return part


@dataclass(frozen=True, slots=True)
class StarImage:
    """One star of a frame that counted: its place (px), half-flux radius with error (px), flux (ADU/s)."""

    x: float
    y: float
    hfr_px: float
    hfr_err_px: float
    flux: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """The numbers of one frame, as CONTRACT names them, and what the curves need beside them.

    ``nsig`` is uncorrected (the original's definition); ``window_fraction`` is the part of the star's light
    that the window holds, and ``window_fraction_err`` what it adds, in quadrature, to the relative error of
    nsig / window_fraction. ``background_noise_adu`` is the RMS of one background pixel and ``columns_used``
    the number of columns averaged. ``phase``, ``elapsed_s``, ``cost_s`` and ``exposing_s`` (how long the camera took)
    are set by the session: time reaches the search through them alone. ``guide_hfd_px`` and ``guide_mass`` are the
    medians of the guide star during the exposure, as the guider gives them. ``mode`` says what was measured on the
    frame. ``field`` holds the widths of an arc's lines over the field, ``field_px`` its length along and across the
    dispersion. Of stars ``hfr_px`` is the half-flux radius, ``fwhm_px`` twice that, ``half_max_px`` the full width at
    half maximum, ``nsig`` the flux of those that count, ADU/s.
    """

    file: str = ""
    position: float | None = None
    fwhm_px: float = NAN
    fwhm_err_px: float = NAN
    fwhm_arcsec: float = NAN
    nsig: float = NAN
    nsig_err: float = NAN
    window_fraction: float = NAN
    window_fraction_err: float = NAN
    snr: float = NAN
    center_px: float = NAN
    slant_px: float = NAN
    background_adu: float = NAN
    peak_adu: float = NAN
    saturated_px: int = 0
    exposure_s: float | None = None
    dispersion_axis: Axis = "x"
    flags: tuple[Flag, ...] = ()
    started_utc: str | None = None
    background_noise_adu: float = NAN
    columns_used: int = 0
    gain_e_per_adu: float | None = None
    verdict: str = ""
    phase: Phase = "recorded"
    elapsed_s: float = 0.0
    cost_s: float = 0.0
    exposing_s: float = NAN
    temperature_c: float | None = None
    used: bool = True
    why: str = ""
    notes: tuple[str, ...] = ()
    guide_hfd_px: float = NAN
    guide_mass: float = NAN
    mode: Mode = "spectrum"
    shows: Mode | None = None
    hfr_px: float = NAN
    hfr_err_px: float = NAN
    half_max_px: float = NAN
    half_max_err_px: float = NAN
    stars: tuple[StarImage, ...] = ()
    field: tuple[FieldCell, ...] = ()
    field_px: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Sample:
    """One exposure the search asks for: where, why, and from how far away it is arrived at at the least."""

    position: int
    phase: Phase
    exposure_s: float | None = None
    run_up_steps: int = 0


@dataclass(frozen=True, slots=True)
class CurveFit:
    """A fitted focus curve of one metric: its optimum, the error of it, and the line to draw.

    ``uncertainty`` includes the spread between the models that the data cannot tell apart. ``line`` holds
    (position, value) pairs over the sampled range, so that every view draws the same curve.
    ``band`` holds, at the same positions, (position, 1 σ of the curve, 1 σ of a single frame about it from seeing and
    transparency). ``bracketed``: at least two sampled positions lie on either side of the optimum.
    """

    metric: Metric
    model: str
    position: float
    uncertainty: float
    value: float
    points: int
    r_squared: float | None
    parameters: Mapping[str, float] = field(default_factory=dict)
    line: tuple[tuple[float, float], ...] = ()
    band: tuple[tuple[float, float, float], ...] = ()
    bracketed: bool = True


@dataclass(frozen=True, slots=True)
class BestFocus:
    """Where the objective is best: its 1 σ error, and the range in which it stays within 2 % of its best."""

    objective: Objective
    position: float
    uncertainty: float
    low: float
    high: float
    bracketed: bool = True


@dataclass(frozen=True, slots=True)
class FocusCurves:
    """Both curves of one series, the decision taken from them, and which samples were left out and why.

    ``left_out`` maps the index of a measurement in the series to the reason.
    ``losses`` says what each optimum costs, a sentence each.
    """

    fwhm: CurveFit | None = None
    nsig: CurveFit | None = None
    best: BestFocus | None = None
    left_out: Mapping[int, str] = field(default_factory=dict)
    losses: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sweep:
    """An ordered set of samples, monotone in the approach direction so that backlash costs nothing.

    ``curves`` is what the search knew when it asked (None before there is anything to fit); ``why`` is one
    sentence for a person; ``exposures_left`` is the search's estimate of what still follows this sweep.
    """

    samples: tuple[Sample, ...]
    why: str = ""
    curves: FocusCurves | None = None
    exposures_left: int | None = None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The last frame, and whether it agrees with what the curves predicted."""

    measurement: Measurement
    agrees: bool
    fwhm_sigmas: float = NAN
    nsig_sigmas: float = NAN


@dataclass(frozen=True, slots=True)
class FocusResult:
    """How a search ended. With ``focused`` the focuser is at ``best``, or has to arrive there by ``run_up_steps``."""

    outcome: Outcome
    reason: str | None
    message: str
    objective: Objective
    curves: FocusCurves = field(default_factory=FocusCurves)
    confirmed: Confirmation | None = None
    measurements: tuple[Measurement, ...] = ()
    warnings: tuple[str, ...] = ()
    run_up_steps: int = 0

    @property
    def best(self) -> BestFocus | None:
        """Where focus is, or None."""
        return self.curves.best
