"""Our search and its peers' methods on the same nights: accuracy, cost, and whether the stated error is true.

``python -m benchmarks.accuracy`` prints the table of `docs/accuracy.md` (long); ``--quick`` two nights a row. Frames
are drawn on the middle of the sensor unless ``--full``, and measured by ourselves for every method; peers see the
width, as they would a half-flux radius. ``--numbers`` draws the numbers of a frame from the bench's optics, sky and
photon noise without its pixels, for statistics over many nights.

Every method is judged against the optimum of what it looks for: peers and ``ours, fwhm`` the narrowest trace, ``ours``
the best signal-to-noise, the best frame the most light. Errors are of the drawtube, in steps and in units of the
critical focus zone 4.88 λ N² at 550 nm; the light lost is against the position with most light. ``bound`` is the RMS
error over that of `benchmarks.bound`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import numpy as np

from autofocus.model import Objective
from autofocus.search.plan import focus
from benchmarks.bound import bound_steps
from benchmarks.observing import BenchObserver, Scenario
from benchmarks.peers.ekos import linear_one_pass
from benchmarks.peers.indigo import u_curve
from benchmarks.peers.looking import Looks, Peer
from benchmarks.peers.nina import nine_points, trend_and_hyperbola
from benchmarks.peers.plain import best_frame, parabola
from benchmarks.tally import Night, Tally, tally

SPACING_STEPS = 15.0
CFZ_UM_PER_SQUARED_RATIO = 4.88 * 0.55

SCENARIOS = (
    Scenario("in focus", offset_steps=0),
    Scenario("60 out", offset_steps=60),
    Scenario("150 in", offset_steps=-150),
    Scenario("250 out", offset_steps=250),
    Scenario("good seeing", options={"seeing_arcsec": 1.8}),
    Scenario("bad seeing", options={"seeing_arcsec": 6.0, "seeing_scatter": 0.12}),
    Scenario("faint star", options={"star": 0.08}),
    Scenario("clouds", options={"clouds": True}),
    Scenario("astigmatic", options={"astigmatism_steps": 35.0}),
    Scenario("chromatic", options={"chromatic_steps": 60.0}),
    Scenario("backlash 40", backlash_steps=40),
)

PEERS: dict[str, tuple[Peer, Objective]] = {
    "N.I.N.A. hyperbola": (nine_points, "fwhm"),
    "N.I.N.A. trend+hyp.": (trend_and_hyperbola, "fwhm"),
    "Ekos Linear 1 Pass": (linear_one_pass, "fwhm"),
    "INDIGO U-curve": (u_curve, "fwhm"),
    "parabola": (parabola, "fwhm"),
    "best frame": (best_frame, "nsig"),
}
OURS: dict[str, Objective] = {"ours": "snr", "ours, fwhm": "fwhm"}
METHODS = (*OURS, *PEERS)


def night(method: str, scenario: Scenario, seed: int) -> Night:
    """One night with one method; the same seed is the same sky, optics and star for every method."""
    if method in OURS:
        scenario = dataclasses.replace(scenario, search={**scenario.search, "objective": OURS[method]})
        observer = BenchObserver(scenario, seed)
        result = observer.lead(focus(observer.task()))
        stated = float("nan") if result.best is None else result.best.uncertainty
        return _judged(observer, result.outcome == "focused", stated, OURS[method])
    peer, objective = PEERS[method]
    observer = BenchObserver(scenario, seed)
    answer = peer(Looks(observer), SPACING_STEPS)
    if answer is not None:
        observer.go_to(round(answer))
    return _judged(observer, answer is not None, float("nan"), objective)


def _judged(observer: BenchObserver, focused: bool, stated: float, objective: Objective) -> Night:
    bench = observer.bench
    return Night(
        focused=focused,
        error_steps=observer.tube - observer.truth(objective),
        stated_steps=stated,
        exposures=len(observer.measured),
        minutes=observer.clock.monotonic() / 60.0,
        light_lost=1.0 - bench.nsig(observer.tube) / bench.nsig(observer.truth("nsig")),
        bound_steps=bound_steps(bench, observer.measured),
    )


def line(scenario: str, method: str, sums: Tally, zone_steps: float) -> str:
    """A row of the table."""
    accuracy = f"{sums.rms:.2f} | {sums.p95:.2f} | {sums.rms / zone_steps:.3f} | {100 * sums.light_lost:.2f} %"
    cost = f"{sums.exposures:.1f} | {sums.minutes:.1f} | {sums.failures} / {sums.nights} | {sums.false}"
    pull = "" if np.isnan(sums.pull) else f"{sums.pull:.2f}"
    return f"| {scenario} | {method} | {accuracy} | {cost} | {pull} | {sums.to_bound:.2f} |"


def zone_steps(scenario: Scenario) -> float:
    """The critical focus zone of the scenario's telescope, steps."""
    own = BenchObserver(scenario, 1).bench.instrument
    return CFZ_UM_PER_SQUARED_RATIO * own.f_ratio**2 / own.microns_per_step


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit code 1 where our search claimed a false focus or found none."""
    parser = argparse.ArgumentParser(description="our search and its peers on the same nights")
    parser.add_argument("--quick", action="store_true", help="two nights a row")
    parser.add_argument("--nights", type=int, default=20, help="nights of every row")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--full", action="store_true", help="draw whole frames (slow)")
    parser.add_argument("--numbers", action="store_true", help="draw numbers, not frames (fast; for many nights)")
    parser.add_argument("--only", nargs="*", default=list(METHODS), choices=METHODS, help="methods")
    asked = parser.parse_args(arguments)
    count = 2 if asked.quick else asked.nights
    print("| night | method | RMS | 95 % | in CFZ | light lost | frames | minutes | failures | false | pull | bound |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    collected: dict[str, list[Night]] = {method: [] for method in asked.only}
    with ProcessPoolExecutor(asked.jobs) as pool:
        for row, scenario in enumerate(SCENARIOS, 1):
            drawn = dataclasses.replace(scenario, full_frames=asked.full, drawn_numbers=asked.numbers)
            seeds = [1000 * row + seed for seed in range(count)]
            for method in asked.only:
                nights = list(pool.map(night, repeat(method), repeat(drawn), seeds))
                collected[method] += nights
                print(line(scenario.name, method, tally(nights), zone_steps(scenario)), flush=True)
    for method, nights in collected.items():
        print(line("**all**", method, tally(nights), zone_steps(SCENARIOS[0])))
    ours = [tally(collected[method]) for method in OURS if method in collected]
    return 1 if any(sums.failures or sums.false for sums in ours) else 0


if __name__ == "__main__":
    sys.exit(main())
