"""How fast the file-to-numbers path is, against reading the bytes alone and against the original helper's algorithm.

Run: python benchmarks/measure.py [--megapixels 1 4 16 60]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from scipy.optimize import curve_fit

from autofocus.frames.fits import read_frame
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.measure.spectrum.verdict import find_trace
from autofocus.settings import MeasureSettings


def write_spectrum(path: Path, megapixels: float) -> None:
    """A 16-bit frame of a star, 3:2, as a camera saves it."""
    rows = int(np.sqrt(megapixels * 1e6 / 1.5))
    columns = int(1.5 * rows)
    rng = np.random.default_rng(1)
    center = 0.52 * rows + 0.004 * np.arange(columns)
    tile = rng.normal(500.0, 8.0, (rows, 256)).astype(np.float32)
    pixels = np.tile(tile, (1, columns // 256 + 1))[:, :columns]
    low = int(center.min()) - 30
    near = np.arange(low, int(center.max()) + 30)
    light = 800.0 * np.exp(-1.5 * (np.arange(columns) / columns - 0.6) ** 2 * 4.0)
    pixels[near] += light * np.exp(-2.77 * ((near[:, None] - center) / 4.5) ** 2)
    fits.writeto(path, pixels.astype(np.uint16), fits.Header({"EXPTIME": 10.0}))


def original(path: Path) -> tuple[float, float]:
    """The original helper's algorithm: fixed columns, argmax row, mean background, a Gaussian over the whole height."""
    data = fits.getdata(path)
    exposure = fits.getheader(path)["EXPTIME"]
    middle = data.shape[1] // 2
    profile = data[:, middle - 50 : middle + 50].mean(axis=1)
    top = int(np.argmax(profile))
    profile = profile - np.concatenate([profile[: top - 30], profile[top + 30 :]]).mean()
    rows = np.arange(profile.size)

    def gaussian(x: Any, height: float, center: float, sigma: float) -> Any:
        return height * np.exp(-0.5 * ((x - center) / sigma) ** 2)

    fitted, _ = curve_fit(gaussian, rows, profile, p0=(profile[top], top, 2.0))
    return 2 * float(fitted[2]), float(profile[top - 30 : top + 30].sum()) / exposure


def best(work: Callable[[], object], repeats: int = 5) -> float:
    """Least CPU time of a few calls, ms."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1.0, 4.0, 16.0, 60.0])
    settings = MeasureSettings()
    print("Mpx   bytes alone   read   find trace   measure   file to numbers   original   (ms of CPU)")
    for size in parser.parse_args().megapixels:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "spectrum-9430.fits"
            write_spectrum(path, size)
            frame = read_frame(path)
            times = (
                best(lambda: np.fromfile(path, np.uint8)),  # noqa: B023
                best(lambda: read_frame(path)),  # noqa: B023
                best(lambda: find_trace(frame, "auto")),  # noqa: B023
                best(lambda: measure_spectrum(frame, settings)),  # noqa: B023
                best(lambda: measure_spectrum(read_frame(path), settings)),  # noqa: B023
                best(lambda: original(path)),  # noqa: B023
            )
        print("{:4.0f} {:12.1f} {:8.1f} {:10.1f} {:10.1f} {:14.1f} {:13.1f}".format(size, *times))


if __name__ == "__main__":
    main()
