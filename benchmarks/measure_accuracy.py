"""How true the two numbers are: bias and pull over seeded analytic frames, as the table of docs/measuring.md.

Run: python -m benchmarks.measure_accuracy [--quick] [--seeds N] (about ten minutes; --quick less than one)
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Flag, Frame
from autofocus.settings import MeasureSettings

Doubles = NDArray[np.float64]
OVERSAMPLING = 40


@dataclass(frozen=True)
class Truth:
    """A profile sampled 40 times a pixel, integrated over pixels, of unit light."""

    distance: Doubles
    density: Doubles
    fwhm_px: float

    def at(self, distance: Doubles) -> Doubles:
        """The density at any distance."""
        return np.interp(distance, self.distance, self.density, left=0.0, right=0.0)


def profile(kind: str, width_px: float) -> Truth:
    """Profiles whose width before the pixel is ``width_px``: gauss, moffat (beta 3), disc and doughnut (30 % blur)."""
    reach = int(max(60.0, 14.0 * width_px))
    x = np.arange(-reach * OVERSAMPLING, reach * OVERSAMPLING + 1) / OVERSAMPLING
    if kind == "gauss":
        y = np.exp(-4 * np.log(2) * (x / width_px) ** 2)
    elif kind == "moffat":
        y = (1 + (2 ** (1 / 3) - 1) * (2 * x / width_px) ** 2) ** -3
    else:
        disc = (np.abs(x) < width_px / 2).astype(float)
        if kind == "doughnut":
            disc[np.abs(x) < 0.35 * width_px / 2] = 0.0
        blur = max(0.12 * width_px, 2.0)
        kernel = np.exp(-4 * np.log(2) * (np.arange(-4 * blur, 4 * blur + 1e-9, 1 / OVERSAMPLING) / blur) ** 2)
        y = np.convolve(disc, kernel / kernel.sum(), mode="same")
    box = np.ones(OVERSAMPLING + 1)
    box[[0, -1]] = 0.5
    y = np.convolve(y, box / OVERSAMPLING, mode="same")
    y /= y.sum() / OVERSAMPLING
    rims = np.flatnonzero((y[1:-1] >= y[:-2]) & (y[1:-1] > y[2:]) & (y[1:-1] > 0.5 * y.max())) + 1
    rims = rims if rims.size else np.array([int(np.argmax(y))])
    left, right = rims[0], rims[-1]
    i = np.flatnonzero(y[:left] < 0.5 * y[left])[-1]
    j = right + np.flatnonzero(y[right:] < 0.5 * y[right])[0]
    low = x[i] + (0.5 * y[left] - y[i]) / (y[i + 1] - y[i]) / OVERSAMPLING
    high = x[j - 1] + (y[j - 1] - 0.5 * y[right]) / (y[j - 1] - y[j]) / OVERSAMPLING
    return Truth(x, y, float(high - low))


def render(
    truth: Truth, snr: float, rng: np.random.Generator, slant_px: float = 0.0, shape: tuple[int, int] = (0, 1000)
) -> tuple[Frame, float]:
    """A frame whose averaged central columns show the profile at ``snr``, and its light in ADU per column."""
    rows = shape[0] or int(max(200, 9 * truth.fwhm_px))
    columns, used = shape[1], 100
    gain, read, sky = 1.5, 4.0, 60.0
    x = np.arange(columns)
    center = rows / 2 + rng.uniform(-0.5, 0.5) + slant_px * (x / (columns - 1) - 0.5)
    density = truth.at(np.arange(rows)[:, None] - center[None, :])
    noise = read**2 + sky / gain
    middle = density[:, columns // 2]
    light = snr * np.sqrt(noise / used / np.sum(middle**2))
    for _ in range(30):
        light = snr / np.sqrt(used * np.sum(middle**2 / (noise + light * middle / gain)))
    spectrum = 1.0 + 0.25 * np.sin(x / 37.0) - 0.4 * np.exp(-0.5 * ((x - 0.52 * columns) / 6.0) ** 2)
    spectrum /= spectrum[columns // 2 - used // 2 : columns // 2 + used // 2].mean()
    electrons = rng.poisson(gain * (sky + light * spectrum * density))
    raw = np.rint(electrons / gain + rng.normal(0.0, read, electrons.shape) + 300.0)
    return Frame(raw=raw.astype(np.uint16), exposure_s=10.0), float(light)


def measure_case(kind: str, width_px: float, snr: float, slant_px: float, seeds: int, columns: int) -> str:
    """One line of the table."""
    truth = profile(kind, width_px)
    settings = MeasureSettings(half_window_px=30)
    widths, errors, lights, light_errors, lost, low = [], [], [], [], 0, 0
    for seed in range(seeds):
        frame, light = render(truth, snr, np.random.default_rng([seed, int(100 * width_px)]), slant_px, (0, columns))
        found = measure_spectrum(frame, settings).measurement
        if Flag.NO_TRACE in found.flags:
            lost += 1
            continue
        low += Flag.LOW_SNR in found.flags
        widths.append(found.fwhm_px)
        errors.append(found.fwhm_err_px)
        lights.append(found.nsig * 10.0 / found.window_fraction / light)
        relative = np.hypot(found.nsig_err / found.nsig, found.window_fraction_err / found.window_fraction)
        light_errors.append(relative * lights[-1])
    head = f"{kind:9s} {truth.fwhm_px:7.2f} {snr:5.0f} {slant_px:6.1f} {lost:4d} {low:4d}"
    if len(widths) < 3:
        return head
    w, e, n, ne = map(np.array, (widths, errors, lights, light_errors))
    pull, npull = (w - truth.fwhm_px) / e, (n - 1.0) / ne
    return (
        f"{head} {100 * (np.mean(w) / truth.fwhm_px - 1):8.2f} {100 * np.std(w) / truth.fwhm_px:7.2f}"
        f" {np.mean(pull):7.2f} {np.std(pull, ddof=1):6.2f} {100 * np.mean(n - 1):8.2f} {100 * np.std(n):7.2f}"
        f" {np.mean(npull):7.2f} {np.std(npull, ddof=1):6.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and seeds")
    parser.add_argument("--seeds", type=int, default=None)
    arguments = parser.parse_args()
    seeds = arguments.seeds or (12 if arguments.quick else 60)
    widths = (1.6, 4.0, 15.0) if arguments.quick else (1.6, 2.5, 5.0, 10.0, 25.0, 60.0)
    print("profile   FWHM px   SNR  slant lost  low  bias %  rms %    pull    std | light %  rms %    pull    std")
    for kind in ("gauss", "moffat", "disc", "doughnut"):
        for width in widths:
            if kind in ("disc", "doughnut") and width < 10.0:
                continue
            for snr in (10.0, 30.0, 300.0):
                print(measure_case(kind, width, snr, 0.0, seeds, 600), flush=True)
    for kind, width in (("gauss", 4.0), ("moffat", 15.0)):
        print(measure_case(kind, width, 3.0, 0.0, seeds, 600), flush=True)
    for slant in (8.0, 30.0):
        print(measure_case("moffat", 2.5, 100.0, slant, seeds, 600), flush=True)


if __name__ == "__main__":
    main()
