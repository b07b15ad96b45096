"""How fast a file becomes numbers: our path and its parts beside the bytes alone, the original helper and peers.

Run: python benchmarks/measure.py [--quick] [--megapixels 1 4 16 60]

All times are milliseconds of CPU, medians of repeats taken in turns, so that a busy spell of the machine meets all
alike. `sep` and `photutils` come with the extra `peers`.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from scipy.optimize import curve_fit

from autofocus.frames.fits import read_frame
from autofocus.measure.spectrum import reduction
from autofocus.settings import MeasureSettings

SIZES = (1.0, 4.0, 16.0, 60.0)
QUICK_SIZES = (1.0, 4.0)
REPEATS = 9
QUICK_REPEATS = 3
ENOUGH_MS = 4000.0
STAGES = {"find": "find_trace", "clean+fit": "fit_strip", "light": "window_light"}

Work = Callable[[], object]


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
    with fits.open(path) as parts:
        data, exposure = parts[0].data, parts[0].header["EXPTIME"]
    middle = data.shape[1] // 2
    profile = data[:, middle - 50 : middle + 50].mean(axis=1)
    top = int(np.argmax(profile))
    profile = profile - np.concatenate([profile[: top - 30], profile[top + 30 :]]).mean()
    rows = np.arange(profile.size)

    def gaussian(x: Any, height: float, center: float, sigma: float) -> Any:
        return height * np.exp(-0.5 * ((x - center) / sigma) ** 2)

    fitted, _ = curve_fit(gaussian, rows, profile, p0=(profile[top], top, 3.0))
    return 2 * float(fitted[2]), float(profile[top - 30 : top + 30].sum()) / exposure


def by_sep(path: Path) -> object:
    """What sep does with the frame: its background, and the pixels above it in one piece."""
    import sep

    sep.set_extract_pixstack(10_000_000)
    data = fits.getdata(path).astype(np.float32)
    background = sep.Background(data)
    return sep.extract(data - background.back(), 5.0, err=background.globalrms)


def by_photutils(path: Path) -> object:
    """What photutils does with the frame: its background, and the pixels above it in one piece."""
    from photutils.background import Background2D
    from photutils.segmentation import detect_sources

    data = fits.getdata(path).astype(np.float32)
    background = Background2D(data, 64)
    return detect_sources(data - background.background, 5.0 * background.background_rms_median, 25)


PEERS: dict[str, Callable[[Path], object]] = {"sep": by_sep, "photutils": by_photutils}


@contextmanager
def stages(spent: dict[str, float]) -> Iterator[None]:
    """Add what each stage of a measurement takes to ``spent``."""
    kept = {name: getattr(reduction, name) for name in STAGES.values()}

    def timed(stage: str, work: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **more: object) -> object:
            start = time.process_time()
            try:
                return work(*args, **more)
            finally:
                spent[stage] += time.process_time() - start

        return run

    for stage, name in STAGES.items():
        setattr(reduction, name, timed(stage, kept[name]))
    try:
        yield
    finally:
        for name, work in kept.items():
            setattr(reduction, name, work)


def staged(path: Path) -> dict[str, float]:
    """One file to numbers: what each part takes, and all of it, seconds."""
    spent = dict.fromkeys(("read", *STAGES, "all"), 0.0)
    with stages(spent):
        start = time.process_time()
        frame = read_frame(path)
        spent["read"] = time.process_time() - start
        reduction.measure_spectrum(frame, MeasureSettings())
        spent["all"] = time.process_time() - start
    return spent


def measured(path: Path, others: dict[str, Work], repeats: int) -> dict[str, float]:
    """Median times of all, ms; what takes long is repeated less."""
    times: dict[str, list[float]] = {name: [] for name in others}
    ours: list[dict[str, float]] = []
    staged(path)
    for turn in range(repeats):
        ours.append(staged(path))
        for name, work in others.items():
            if turn == 0 and name not in PEERS:
                work()
            if sum(times[name]) < ENOUGH_MS:
                start = time.process_time()
                work()
                times[name].append(1e3 * (time.process_time() - start))
    parts = {stage: 1e3 * statistics.median(one[stage] for one in ours) for stage in ours[0]}
    return parts | {name: statistics.median(some) for name, some in times.items()}


def help_is_light() -> str:
    """Whether `autofocus --help` leaves numpy alone."""
    script = (
        "import sys, contextlib, io\n"
        "from autofocus.cli import main\n"
        "sys.argv = ['autofocus', '--help']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main()\n"
        "print(','.join(name for name in ('numpy', 'scipy', 'astropy') if name in sys.modules))"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = done.stdout.strip()
    if heavy:
        sys.exit(f"autofocus --help loads {heavy}")
    return f"autofocus --help loads no numpy, scipy or astropy ({1e3 * (time.perf_counter() - start):.0f} ms in all)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, nargs="+")
    parser.add_argument("--quick", action="store_true", help="1 and 4 Mpx, few repeats")
    options = parser.parse_args()
    sizes = options.megapixels or (QUICK_SIZES if options.quick else SIZES)
    there = [name for name in PEERS if importlib.util.find_spec(name)]
    for name in PEERS:
        if name not in there:
            print(f"{name} is not installed (pip install autofocus[peers])")
    names = ["bytes", "original", *there]
    heads = ["Mpx", "read", *STAGES, "all", *names, "all/bytes", *(f"{name}/all" for name in names[1:])]
    print("  ".join(f"{head:>13}" for head in heads) + "   (ms of CPU)")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder) / "spectrum-9430.fits"
            path.unlink(missing_ok=True)
            write_spectrum(path, size)
            others: dict[str, Work] = {
                "bytes": lambda: np.fromfile(path, np.uint8),  # noqa: B023
                "original": lambda: original(path),  # noqa: B023
            } | {name: (lambda name=name: PEERS[name](path)) for name in there}  # noqa: B023
            found = measured(path, others, QUICK_REPEATS if options.quick else REPEATS)
            row = [size, *(found[name] for name in ("read", *STAGES, "all", *names))]
            row += [found["all"] / found["bytes"], *(found[name] / found["all"] for name in names[1:])]
            print("  ".join(f"{value:13.2f}" for value in row), flush=True)
    print(help_is_light())


if __name__ == "__main__":
    main()
