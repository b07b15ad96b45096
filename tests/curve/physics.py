"""A spectrograph's focus curves by brute force, sharing nothing with autofocus.curve.

An image of the star on a fine grid: an evenly lit annulus, squeezed to the ellipse that defocus and astigmatism
make of it, convolved with Moffat seeing by FFT. The slit keeps some columns of it; the rows, blurred by the
spectrograph, are the profile, whose width is read off at half maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter1d

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
    beta: float = 3.5


CELL_PX = 0.25


CHORDS = 256


def filled(semi_x: float, semi_y: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """An evenly lit ellipse on the grid (rows y, columns x): chords of exact length, shared between two columns."""
    t = (np.arange(CHORDS) + 0.5) / CHORDS * 2 - 1
    half = np.maximum(semi_y * np.sqrt(1 - t**2), 1e-6)
    top = np.minimum(y[:, None] + CELL_PX / 2, half)
    bottom = np.maximum(y[:, None] - CELL_PX / 2, -half)
    chords = np.clip(top - bottom, 0.0, None) / (2 * half) * np.sqrt(1 - t**2)
    columns = np.clip(1 - np.abs(semi_x * t[:, None] - x) / CELL_PX, 0.0, None)
    image = chords @ columns
    return image / image.sum()


def disc(obstruction: float, semi_x: float, semi_y: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The lit annulus, its light summing to one."""
    image = filled(semi_x, semi_y, x, y)
    if obstruction > 0:
        image = image - obstruction**2 * filled(obstruction * semi_x, obstruction * semi_y, x, y)
    return image / image.sum()


def moffat(fwhm: float, beta: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    kernel = (1 + (x[None] ** 2 + y[:, None] ** 2) / alpha**2) ** -beta
    return kernel / kernel.sum()


def observe(star: Star, position: float, seeing_factor: float = 1.0, shift_px: float = 0.0) -> tuple[float, float]:
    """FWHM (px) and NSIG of one frame without measuring noise."""
    semi_x = abs(star.blur_per_step * (position - star.light_focus))
    semi_y = abs(star.blur_per_step * (position - star.width_focus))
    seeing = star.seeing_fwhm * seeing_factor
    sizes = [next_fast_len(2 * int((semi + 3.0 * seeing) / CELL_PX) + 1) for semi in (semi_y, semi_x)]
    y, x = (CELL_PX * (np.arange(size) - size // 2) for size in sizes)
    kernel = np.fft.ifftshift(moffat(seeing, star.beta, x, y))
    image = irfft2(rfft2(disc(star.obstruction, semi_x, semi_y, x, y)) * rfft2(kernel), s=sizes)
    edges = np.clip((star.slit_px / 2 - np.abs(x - star.offset_px - shift_px)) / CELL_PX + 0.5, 0.0, 1.0)
    profile = gaussian_filter1d(image @ edges, star.own_fwhm / 2.3548 / CELL_PX, mode="wrap")
    above = np.flatnonzero(profile >= 0.5 * profile.max())[-1]
    inner = (profile[above] - 0.5 * profile.max()) / (profile[above] - profile[above + 1])
    return 2.0 * float(y[above] + inner * CELL_PX), star.brightness * float(profile.sum())


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
