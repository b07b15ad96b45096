"""Our stars beside those of sep and photutils: the same half-flux radius, and how long each takes.

Run: python benchmarks/stars.py [--quick]

Frames: the real sweep of a C8 (../shared/data, left out where it is absent) and fields of the bench's camera without a
slit. Every program finds and measures by its own means, in the way its documentation shows; times are milliseconds of
CPU, medians of repeats taken in turns. `sep` and `photutils` come with the extra `peers`; one that is not installed is
left out with a line.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autofocus.devices.clock import VirtualClock
from autofocus.frames.fits import read_frame
from autofocus.measure.stars.field import measure_stars
from autofocus.measure.stars.star import APERTURE
from autofocus.model import Frame, Measurement
from autofocus.session.series import analyze
from autofocus.settings import MeasureSettings, SearchSettings
from simulators.bench import Bench

SWEEP = Path(__file__).parents[2] / "shared" / "data" / "sweeps" / "c8_star"
OFFSETS = (0, 20, 40, 80, 160)
REPEATS, QUICK_REPEATS = 5, 1
BRIGHTEST = 30
SIGMAS = 5.0

Peer = Callable[[Any], float]
"""The half-flux radius of the pixels of a frame, px: of one star, or the median of the brightest."""


def ours(frame: Frame) -> Measurement:
    """What the program does."""
    return measure_stars(frame, MeasureSettings(mode="stars")).measurement


def by_sep(pixels: Any) -> float:
    """Background, extraction, and the radius of half the flux within our aperture."""
    import sep

    data = np.ascontiguousarray(pixels, dtype=np.float32)
    sky = sep.Background(data, bw=128, bh=128)
    data = data - sky
    found = sep.extract(data, SIGMAS, err=sky.globalrms, minarea=9)
    found = np.sort(found[found["flag"] < sep.OBJ_TRUNC], order="flux")[::-1][:BRIGHTEST]
    radius = 4.0 * found["a"]
    for _ in range(4):
        flux, _, _ = sep.sum_circle(data, found["x"], found["y"], radius, subpix=5)
        half, _ = sep.flux_radius(data, found["x"], found["y"], radius, 0.5, normflux=flux, subpix=5)
        radius = np.maximum(APERTURE * half, 4.0)
    return _of_the_brightest(half, flux)


def by_photutils(pixels: Any) -> float:
    """Segmentation above a background, then the curve of growth of the brightest."""
    from photutils.background import Background2D
    from photutils.profiles import CurveOfGrowth
    from photutils.segmentation import SourceCatalog, detect_sources

    data = np.asarray(pixels, dtype=float)
    sky = Background2D(data, 128)
    data = data - sky.background
    catalogue = SourceCatalog(data, detect_sources(data, SIGMAS * sky.background_rms, 9))
    order = np.argsort(-catalogue.segment_flux)[:BRIGHTEST]
    halves, fluxes = [], []
    for x, y, area in zip(
        catalogue.xcentroid[order], catalogue.ycentroid[order], catalogue.area.value[order], strict=True
    ):
        half = math.sqrt(area / math.pi) / 2.0
        for _ in range(4):
            growth = CurveOfGrowth(data, (x, y), np.linspace(0.05, 1.0, 40) * max(APERTURE * half, 4.0))
            light = growth.profile
            half = float(np.interp(0.5 * light[-1], light, growth.radius))
        halves.append(half)
        fluxes.append(float(light[-1]))
    return _of_the_brightest(np.array(halves), np.array(fluxes))


def _of_the_brightest(half: Any, flux: Any) -> float:
    """The median radius of the stars; where one outshines all others, its own."""
    order = np.argsort(-flux)
    alone = order.size == 1 or flux[order[0]] > 20.0 * flux[order[1]]
    return float(half[order[0]] if alone else np.median(half))


PEERS: dict[str, Peer] = {"sep": by_sep, "photutils": by_photutils}


def frames() -> Iterator[tuple[str, Frame]]:
    """The frames to be measured, by a name."""
    if SWEEP.is_dir():
        for path in sorted(SWEEP.glob("*.FIT")):
            frame = read_frame(path)
            yield f"C8 {frame.position:.0f}", frame
    else:
        print(f"the real sweep is not here: {SWEEP}")
    clock = VirtualClock()
    bench = Bench("guidecam", clock=clock)
    best = round(bench.truth("fwhm"))
    for offset in OFFSETS:
        bench.focuser.move(best + offset, bench.now())
        clock.sleep(600.0)
        begun = bench.start_exposure(5.0)
        clock.sleep(5.0)
        own = bench.instrument
        raw = bench.frame(begun)
        yield f"bench {offset:+d}", Frame(raw=raw, exposure_s=5.0, gain_e_per_adu=own.gain_e_per_adu)


def in_turns(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median milliseconds of CPU of each."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            began = time.process_time()
            work()
            spent[name].append(1000.0 * (time.process_time() - began))
    return {name: statistics.median(times) for name, times in spent.items()}


def main() -> None:
    """Print the table, the ratios and, of the real sweep, where each would focus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="each frame once")
    repeats = QUICK_REPEATS if parser.parse_args().quick else REPEATS
    warnings.simplefilter("ignore")
    peers = {name: peer for name, peer in PEERS.items() if importlib.util.find_spec(name)}
    for name in PEERS.keys() - peers.keys():
        print(f"{name} is not installed: left out (pip install -e '.[peers]')")
    names = ["ours", *peers]
    print(
        "frame        " + "".join(f"{name + ' px':>14}" for name in names) + "".join(f"{n + ' ms':>14}" for n in names)
    )
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    series: dict[str, list[Measurement]] = {name: [] for name in names}
    for label, frame in frames():
        measured = ours(frame)
        sizes = {"ours": measured.hfr_px} | {name: peer(frame.pixels) for name, peer in peers.items()}
        works: dict[str, Callable[[], object]] = {"ours": lambda frame=frame: ours(frame)}  # type: ignore[misc]
        works |= {name: (lambda peer=peer, frame=frame: peer(frame.pixels)) for name, peer in peers.items()}  # type: ignore[misc]
        times = in_turns(works, repeats)
        cells = [f"{sizes[name]:14.3f}" for name in names] + [f"{times[name]:14.0f}" for name in names]
        print(f"{label:13s}" + "".join(cells), flush=True)
        for name in peers:
            ratios[name].append((sizes[name] / sizes["ours"], times[name] / times["ours"]))
        if label.startswith("C8"):
            for name in names:
                series[name].append(replace(measured, fwhm_px=2.0 * sizes[name]))
    for name, pairs in ratios.items():
        size, cost = zip(*pairs, strict=True)
        print(
            f"{name}: half-flux radius {statistics.median(size):.3f} of ours ({min(size):.3f} to {max(size):.3f}), "
            f"{statistics.median(cost):.2f} times our time"
        )
    for name, one in series.items():
        if one:
            print(f"C8 by {name}: {analyze(one, SearchSettings(objective='fwhm')).message}")


if __name__ == "__main__":
    main()
