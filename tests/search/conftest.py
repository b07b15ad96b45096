"""A small sky of its own: a star through a telescope, a slit and a camera, drawn numerically, to search in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from autofocus.model import Flag, FocusResult, Measurement, Sample, Sweep
from autofocus.search.task import FocusTask, Search
from autofocus.settings import SearchSettings


@cache
def slit_image(defocus_y: float, defocus_x: float, seeing: float, slit: float) -> tuple[float, float]:
    """FWHM along the slit and throughput of a disc of these diameters blurred by a Gaussian of FWHM ``seeing``, px."""
    sigma = seeing / 2.3548
    reach = 0.5 * max(defocus_x, defocus_y) + 4 * sigma
    step = reach / 150
    y, x = np.mgrid[-150:151, -150:151] * step
    radius2 = (2 * x / max(defocus_x, step)) ** 2 + (2 * y / max(defocus_y, step)) ** 2
    disc = ((radius2 <= 1.0) & (radius2 > 0.09)).astype(float)
    image = gaussian_filter(disc if disc.any() else (radius2 == 0).astype(float), sigma / step)
    profile = np.sum(image * np.clip((slit / 2 - np.abs(x)) / step + 0.5, 0, 1), axis=1)
    above = np.flatnonzero(profile >= 0.5 * profile.max())
    first, last = above[0], above[-1]
    left = first - (profile[first] - 0.5 * profile.max()) / (profile[first] - profile[first - 1])
    right = last + (profile[last] - 0.5 * profile.max()) / (profile[last] - profile[last + 1])
    return float((right - left) * step), float(profile.sum() / image.sum())


@dataclass
class Sky:
    """What the search asks comes true here; ``width_focus`` and ``light_focus`` are the two optima, steps."""

    width_focus: float = 9350.0
    light_focus: float = 9365.0
    blur_px_per_step: float = 0.12
    seeing_px: float = 4.0
    slit_px: float = 5.0
    flux: float = 600.0
    seeing_scatter: float = 0.04
    flux_scatter: float = 0.02
    background_adu: float = 3.0
    full_well_adu: float = 65535.0
    seed: int = 1
    cost_s: float = 20.0
    cloud: Callable[[int], float] = lambda _frame: 1.0
    slip: Callable[[int], float] = lambda _frame: 0.0
    most_frames: int = 10_000
    asked: list[Sample] = field(default_factory=list)
    sweeps: list[Sweep] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def observe(self, sweep: Sweep) -> tuple[Measurement, ...]:
        self.sweeps.append(sweep)
        return tuple(self._expose(s) for s in sweep.samples[: max(self.most_frames - len(self.asked), 0)])

    def _expose(self, sample: Sample) -> Measurement:
        frame = len(self.asked)
        self.asked.append(sample)
        position = sample.position + self.slip(frame)
        across, along = abs(position - self.light_focus), abs(position - self.width_focus)
        seeing = self.seeing_px * np.exp(self.rng.normal(0, self.seeing_scatter))
        k = self.blur_px_per_step
        fwhm, passed = slit_image(k * along, k * across, round(float(seeing), 3), self.slit_px)
        light = self.flux * passed * self.cloud(frame) * np.exp(self.rng.normal(0, self.flux_scatter))
        return self._measure(sample, frame, fwhm, light)

    def _measure(self, sample: Sample, frame: int, fwhm: float, light: float) -> Measurement:
        seconds = sample.exposure_s or 10.0
        noise = np.sqrt(light * seconds / 100 + 2 * fwhm * self.background_adu**2 / 100)  # 100 columns averaged
        snr = light * seconds / noise
        common = {
            "position": float(sample.position),
            "exposure_s": seconds,
            "phase": sample.phase,
            "columns_used": 100,
            "elapsed_s": (frame + 1) * self.cost_s,
            "cost_s": self.cost_s,
            "background_noise_adu": self.background_adu,
            "gain_e_per_adu": 1.0,
            "file": f"{frame:04d}.fits",
        }
        if light * seconds / fwhm < 2 * self.background_adu / 10:
            return Measurement(flags=(Flag.NO_TRACE,), **common)
        error = 0.7 * fwhm / snr
        peak = light * seconds / (1.064 * fwhm)  # of a Gaussian profile
        common |= {"background_adu": 0.0, "peak_adu": min(peak, self.full_well_adu)}
        common |= {"saturated_px": 50 if peak >= self.full_well_adu else 0}
        return Measurement(
            fwhm_px=float(fwhm + self.rng.normal(0, error)), fwhm_err_px=float(error), window_fraction=1.0,
            nsig=float(light + self.rng.normal(0, noise / seconds)), nsig_err=float(noise / seconds),
            snr=float(snr / 10), **common,
        )  # fmt: skip

    def run(self, search: Search) -> FocusResult:
        """Lead the search to its end."""
        try:
            sweep = next(search)
            while True:
                sweep = search.send(self.observe(sweep))
        except StopIteration as end:
            return end.value


@pytest.fixture
def make_sky():
    return Sky


@pytest.fixture
def make_task():
    def make(start: int, **changes) -> FocusTask:
        facts = {k: changes.pop(k) for k in list(changes) if k in FocusTask.__dataclass_fields__}
        return FocusTask(settings=SearchSettings(**changes), start_position=start, **facts)

    return make
