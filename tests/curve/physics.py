"""A spectrograph's focus curves by brute force, sharing nothing with autofocus.curve.

The pupil (an annulus) is sampled by rays; defocus sends each ray to a place on the slit plane; seeing blurs it; the
slit keeps what falls inside; what passes is binned along the slit and its width read off at half maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from autofocus.model import Measurement


@dataclass(frozen=True)
class Star:
    """Lengths in px along the slit; positions in steps."""

    width_focus: float = 0.0
    light_focus: float = 0.0
    seeing_fwhm: float = 3.2
    own_fwhm: float = 1.5
    blur_per_step: float = 0.075
    slit_px: float = 4.0
    offset_px: float = 0.0
    obstruction: float = 0.0
    brightness: float = 500.0


def rays(obstruction: float) -> tuple[np.ndarray, np.ndarray]:
    radii = np.sqrt(np.linspace(obstruction**2, 1.0, 17)[:-1] + (1 - obstruction**2) / 32)
    angles = 2 * np.pi * (np.arange(32) + 0.5) / 32
    r, a = np.meshgrid(radii, angles)
    return (r * np.cos(a)).ravel(), (r * np.sin(a)).ravel()


def observe(star: Star, position: float, seeing_factor: float = 1.0, shift_px: float = 0.0) -> tuple[float, float]:
    """FWHM (px) and NSIG of one frame without measuring noise."""
    across, along = rays(star.obstruction)
    seeing = star.seeing_fwhm * seeing_factor / 2.3548
    sigma = np.hypot(seeing, star.own_fwhm / 2.3548)
    x = star.blur_per_step * (position - star.light_focus) * across - star.offset_px - shift_px
    y = star.blur_per_step * (position - star.width_focus) * along
    half = star.slit_px / 2
    share = 0.5 * (erf((half - x) / (np.sqrt(2) * seeing)) + erf((half + x) / (np.sqrt(2) * seeing))) / x.size
    grid = np.linspace(0.0, 1.4 * np.abs(y).max() + 3 * sigma, 160)
    profile = np.sum(share[:, None] * np.exp(-0.5 * ((grid[None] - y[:, None]) / sigma) ** 2), axis=0)
    above = np.flatnonzero(profile >= 0.5 * profile.max())[-1]
    inner = (profile[above] - 0.5 * profile.max()) / (profile[above] - profile[above + 1])
    return 2.0 * float(grid[above] + inner * (grid[1] - grid[0])), star.brightness * float(share.sum())


def take(
    star: Star,
    positions: np.ndarray,
    rng: np.random.Generator,
    *,
    seeing: float = 0.08,
    transparency: float = 0.02,
    guiding_px: float = 0.1,
    exposure_s: float = 10.0,
    gain: float = 0.5,
    noise_adu: float = 8.0,
    known_errors: bool = True,
) -> list[Measurement]:
    """Frames of a night: every frame its own seeing, transparency, place on the slit and photon noise."""
    frames = []
    for position in positions:
        factor = float(np.exp(rng.normal(0.0, seeing)))
        width, light = observe(star, float(position), factor, float(rng.normal(0.0, guiding_px)))
        light *= float(np.exp(rng.normal(0.0, transparency)))
        columns = 100
        electrons = light * exposure_s * gain
        background = (noise_adu * gain) ** 2 * 60
        snr = electrons / np.sqrt(electrons + background)
        width_err = 1.0 * width / (snr * np.sqrt(columns))
        light_err = light / (snr * np.sqrt(columns))
        frames.append(
            Measurement(
                position=float(position),
                fwhm_px=width + rng.normal(0.0, width_err),
                fwhm_err_px=width_err if known_errors else float("nan"),
                nsig=light + rng.normal(0.0, light_err),
                nsig_err=light_err if known_errors else float("nan"),
                window_fraction=1.0,
                exposure_s=exposure_s,
                background_noise_adu=noise_adu,
                gain_e_per_adu=gain,
                columns_used=columns,
            )
        )
    return frames


def truths(star: Star, *, exposure_s: float = 10.0, gain: float = 0.5, noise_adu: float = 8.0) -> dict[str, float]:
    """Where each objective is best for the mean seeing, by brute force."""
    reach = star.seeing_fwhm / star.blur_per_step
    foci = (star.width_focus, star.light_focus)
    grid = np.arange(min(foci) - reach, max(foci) + reach, 2.0)
    table = np.array([observe(star, p) for p in grid])
    signal = table[:, 1] * exposure_s * gain
    merits = {
        "fwhm": -table[:, 0],
        "nsig": table[:, 1],
        "snr": signal / np.sqrt(signal + (noise_adu * gain) ** 2 * 2 * table[:, 0]),
    }
    return {name: _vertex(grid, merit) for name, merit in merits.items()}


def _vertex(grid: np.ndarray, merit: np.ndarray) -> float:
    top = int(np.argmax(merit))
    near = slice(max(top - 4, 0), top + 5)
    bend = np.polyfit(grid[near] - grid[top], merit[near], 2)
    return float(grid[top] - bend[1] / (2 * bend[0]))
