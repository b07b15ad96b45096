"""scope.yaml as frozen models: every key, its type, its range and its default.

Reading the file, and naming line and column of a fault, is `autofocus.scopefile`'s work. Each field's
description is the comment that ``autofocus init`` and the JSON Schema show.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _columns(value: Any) -> Any:
    """Accept ``A:B`` as well as ``[A, B]``."""
    if isinstance(value, str):
        first, colon, last = value.partition(":")
        if not (colon and first.strip().isdigit() and last.strip().isdigit()):
            raise ValueError("give columns as A:B, two whole numbers, for example 1500:1600")
        return (int(first), int(last))
    if isinstance(value, list | tuple):
        return tuple(value)  # strict reading wants a tuple once a validator has run
    raise ValueError("give columns as A:B, two whole numbers, for example 1500:1600")


def _address(value: str) -> str:
    """Refuse what is not ``host:port``, without ever repeating a password."""
    host, colon, port = value.rpartition("@")[2].rpartition(":")
    if "://" in value:
        raise ValueError("give host:port without http://")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError("give it as host:port, for example 192.168.1.20:11111")
    if any(not c.isprintable() or c.isspace() or c in "/?#" for c in value) or (":" in host and host[0] != "["):
        raise ValueError("give it as host:port (an IPv6 host in brackets), without spaces or a path")
    return value


Columns = Annotated[tuple[int, int], BeforeValidator(_columns, json_schema_input_type=str | tuple[int, int])]
Address = Annotated[str, AfterValidator(_address)]


class Section(BaseModel):
    """A section of scope.yaml: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class AutoExposure(Section):
    """The range in which the exposure may be chosen."""

    min_s: Positive
    """shortest exposure allowed, seconds"""
    max_s: Positive
    """longest exposure allowed, seconds"""

    @model_validator(mode="after")
    def _ordered(self) -> AutoExposure:
        if self.min_s > self.max_s:
            raise ValueError("min_s must not exceed max_s")
        return self


class CameraSettings(Section):
    """The camera that takes the spectra."""

    address: Address
    """host:port of the Alpaca server (user:password@host:port where it asks for one)"""
    device_number: Annotated[int, Field(ge=0)] = 0
    """the camera's number on that server"""
    exposure_s: Positive = 10.0
    """exposure of each frame, seconds: long enough to average the seeing (5 s or more)"""
    auto_exposure: AutoExposure | None = None
    """choose the exposure between min_s and max_s; null: fixed"""
    gain: int | None = None
    """the driver's gain; null: leave it as it is"""
    offset: int | None = None
    """the driver's offset; null: leave it as it is"""
    binning: Annotated[int, Field(ge=1, le=16)] = 1
    """binning in both directions"""
    readout_mode: str | int | None = None
    """name or number of the readout mode; null: leave it as it is"""
    roi: tuple[int, int, int, int] | Literal["auto"] | None = None
    """[x, y, width, height] in binned pixels; auto: a strip about the trace once it is found; null: the whole sensor"""
    download_timeout_s: Positive = 60.0
    """longest wait for one image to come over the network, seconds"""


class FocuserSettings(Section):
    """The focuser, and how it is to be approached."""

    address: Address
    """host:port of the Alpaca server"""
    device_number: Annotated[int, Field(ge=0)] = 0
    """the focuser's number on that server"""
    approach: Literal["inward", "outward"] = "inward"
    """direction of the last motion before every frame; inward is towards smaller positions"""
    backlash_steps: Annotated[int, Field(ge=0)] = 0
    """how far to overshoot before coming back in the approach direction; a run takes at least 60 where there is room"""
    settle_s: NonNegative = 1.0
    """wait after each move, seconds"""
    microns_per_step: Positive | None = None
    """focuser travel per step; null: ask the driver"""
    move_timeout_s: Positive = 60.0
    """longest time one move may take, seconds"""
    position_tolerance_steps: Annotated[int, Field(ge=0)] = 1
    """how far from its target a move may end"""
    min_position: int | None = None
    """never go below this position; null: the driver's limit"""
    max_position: int | None = None
    """never go above this position; null: the driver's limit"""

    @model_validator(mode="after")
    def _limits(self) -> FocuserSettings:
        if self.min_position is not None and self.max_position is not None and self.min_position >= self.max_position:
            raise ValueError("min_position must be smaller than max_position")
        return self


class GuiderSettings(Section):
    """What keeps the star on the slit while the focuser moves the image."""

    kind: Literal["none", "phd2", "steady"] = "none"
    """none: only settle_s; phd2: wait for PHD2; steady: watch the spectrum itself"""
    address: Address = "127.0.0.1:4400"
    """host:port of PHD2's event server"""
    sees_slit: bool = True
    """true: the guide camera looks at the slit, so it sees the image shift of a move"""
    settle_px: Positive = 1.5
    """settled: the mean guide error is shorter than this, guide-camera pixels"""
    settle_time_s: NonNegative = 5.0
    """settled: for at least this long, seconds"""
    settle_timeout_s: Positive = 60.0
    """longest wait for the guider at one point, seconds"""
    on_failure: Literal["continue", "stop"] = "continue"
    """what to do when it does not settle: continue (the frame's NSIG is not used) or stop"""
    start_if_stopped: bool = False
    """true: have PHD2 connect its equipment and start, or resume, guiding when it does not guide"""
    pause_during_moves: bool = False
    """true: pause PHD2 while the focuser moves, so that it never chases a moving image"""


class TelescopeSettings(Section):
    """Optional facts of the optics; they let the search choose its spacing before the first frame."""

    focal_length_mm: Positive | None = None
    """focal length, mm"""
    f_ratio: Positive | None = None
    """focal ratio at the slit"""
    slit_um: Positive | None = None
    """slit width, microns"""


class MeasureSettings(Section):
    """How the two numbers are measured."""

    mode: Literal["spectrum", "stars", "lines", "auto"] = "spectrum"
    """what the frames show: spectrum, of a star through the slit; stars, a field; lines, an arc lamp; auto: decide"""
    columns: Columns | None = None
    """A:B along the dispersion, 0-based, half-open; null: the central 10 %, at least 100"""
    half_window_px: Annotated[int, Field(ge=2)] | Literal["auto"] = 30
    """NSIG is summed over this many pixels on each side of the trace; auto: from the widest frame of the series"""
    plate_scale_arcsec_per_px: Positive | None = None
    """arcseconds per pixel across the dispersion; null: widths in pixels only"""
    dispersion_axis: Literal["auto", "x", "y"] = "auto"
    """along which axis the spectrum runs"""

    @model_validator(mode="after")
    def _ordered_columns(self) -> MeasureSettings:
        if self.columns is not None and not 0 <= self.columns[0] < self.columns[1]:
            raise ValueError("columns A:B need 0 <= A < B")
        return self


class SearchSettings(Section):
    """What best focus means, and how it is looked for."""

    objective: Literal["snr", "nsig", "fwhm"] = "snr"
    """snr: best signal-to-noise of the extracted spectrum; nsig: most light; fwhm: narrowest"""
    science_exposure_s: Positive | None = None
    """exposure for which snr is maximised; null: the focus exposure"""
    spacing_steps: Annotated[int, Field(ge=1)] | Literal["auto"] = 15
    """steps between samples of the sweep; auto: from the first frames"""
    samples_each_side: Annotated[int, Field(ge=2, le=50)] = 4
    """how far the sweep reaches to each side of the estimate, in spacings; fewer frames are taken there at first"""
    exposures_per_sample: Annotated[int, Field(ge=1, le=20)] = 1
    """frames at each position"""
    tolerance_steps: Positive = 3.0
    """stop refining once the 1 sigma error of the position is this small"""
    min_nsig_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """with objective fwhm: only where NSIG keeps this fraction of its peak"""
    max_exposures: Annotated[int, Field(ge=5, le=1000)] = 40
    """never take more frames than this"""
    time_limit_s: Positive = 1800.0
    """never search longer than this, seconds"""
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    """how often a failed search begins again, centred on what it learned"""
    confirm: bool = True
    """take a last frame at the answer and compare it with the prediction"""


class SessionSettings(Section):
    """Where a run leaves its files."""

    directory: str = "sessions"
    """folder of the session folders"""
    save_frames: bool = True
    """keep every frame as FITS"""
    nina_report: str | None = None
    """folder in which to leave a N.I.N.A. autofocus report too; null: none"""


class WebSettings(Section):
    """The page."""

    enabled: bool = False
    """serve the page during a run"""
    host: str = "127.0.0.1"
    """address to bind; any other than loopback needs a token"""
    port: Annotated[int, Field(ge=0, le=65535)] = 8330
    """port to bind"""


class SimulatorSettings(Section):
    """The simulated bench in place of real devices."""

    instrument: str = "starex"
    """starex, uvex, alpy600, lhires, longslit, or guidecam, a camera without a slit"""
    seed: Annotated[int, Field(ge=0)] = 1
    """another seed is another night: other optima, other seeing"""
    speed: Positive = 1.0
    """exposures, moves and settling take 1/speed of their time"""
    start_offset_steps: int = 60
    """where the focuser starts, counted from the objective's optimum"""


class Settings(Section):
    """The whole of scope.yaml."""

    camera: CameraSettings
    focuser: FocuserSettings
    guider: GuiderSettings = GuiderSettings()
    telescope: TelescopeSettings = TelescopeSettings()
    measure: MeasureSettings = MeasureSettings()
    search: SearchSettings = SearchSettings()
    session: SessionSettings = SessionSettings()
    web: WebSettings = WebSettings()
    simulator: SimulatorSettings | None = None

    @model_validator(mode="after")
    def _default_objective(self) -> Settings:
        """Without a slit the light hardly depends on focus: stars and lines are focused by width, unless asked."""
        if self.measure.mode in ("stars", "lines") and "objective" not in self.search.model_fields_set:
            by_width = self.search.model_copy(update={"objective": "fwhm"})
            object.__setattr__(self, "search", by_width)  # the model is frozen for everyone else
        return self
