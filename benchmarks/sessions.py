"""Seeded sessions on the virtual clock: how far from the truth, how often, and is the stated error true?

``python -m benchmarks.sessions`` runs 200 (some minutes), ``--quick`` 20. Every session is another night: other optima,
seeing, brightness and centring. The table fails (exit code 1) where a session claims a focus that is further than five
times its stated error from the truth, or finds none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from autofocus.search.plan import focus
from benchmarks.observing import BenchObserver, Scenario
from benchmarks.tally import Night, Tally, tally

SCENARIOS = (
    Scenario("in focus", offset_steps=0),
    Scenario("60 out", offset_steps=60),
    Scenario("60 in", offset_steps=-60),
    Scenario("150 out", offset_steps=150),
    Scenario("150 in, outward", offset_steps=-150, approach="outward"),
    Scenario("250 out", offset_steps=250),
    Scenario("250 in", offset_steps=-250),
    Scenario("backlash 40", offset_steps=-150, backlash_steps=40),
    Scenario("narrowest", offset_steps=60, search={"objective": "fwhm"}),
    Scenario("most light, auto", offset_steps=150, search={"objective": "nsig", "spacing_steps": "auto"}),
)


def session(scenario: Scenario, seed: int) -> Night:
    """One search, from cold start to where it leaves the tube."""
    observer = BenchObserver(scenario, seed)
    result = observer.lead(focus(observer.task()))
    light = observer.bench.nsig(observer.tube) / observer.bench.nsig(observer.truth("nsig"))
    return Night(
        focused=result.outcome == "focused",
        error_steps=observer.tube - observer.truth(),
        stated_steps=float("nan") if result.best is None else result.best.uncertainty,
        exposures=len(observer.measured),
        minutes=observer.clock.monotonic() / 60.0,
        light_lost=1.0 - light,
        reason=result.reason or "",
    )


def run(scenarios: Sequence[Scenario], each: int, jobs: int) -> list[list[Night]]:
    """``each`` seeds of every scenario; no seed is used twice."""
    work = [(scenario, 1000 * row + seed) for row, scenario in enumerate(scenarios, 1) for seed in range(each)]
    with ProcessPoolExecutor(jobs) as pool:
        nights = list(pool.map(session, *zip(*work, strict=True)))
    return [nights[row * each : (row + 1) * each] for row in range(len(scenarios))]


def line(name: str, sums: Tally) -> str:
    """A row of the table."""
    accuracy = f"{sums.rms:>5.2f} | {sums.p95:>5.2f} | {sums.pull:>5.2f}"
    cost = f"{sums.exposures:>9.1f} | {sums.minutes:>7.1f} | {100 * sums.light_lost:>5.2f} %"
    return f"| {name:<18} | {sums.nights:>6} | {accuracy} | {cost} | {sums.failures:>8} | {sums.false:>5} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="seeded sessions on the virtual clock")
    parser.add_argument("--quick", action="store_true", help="20 sessions in place of 200")
    parser.add_argument("--each", type=int, help="sessions of every row")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    asked = parser.parse_args(arguments)
    each = asked.each or (2 if asked.quick else 20)
    print("| start, driving     | nights |   RMS |   95% |  pull | exposures | minutes |   light | failures | false |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    rows = run(SCENARIOS, each, asked.jobs)
    for scenario, nights in zip(SCENARIOS, rows, strict=True):
        print(line(scenario.name, tally(nights)))
    total = tally([night for nights in rows for night in nights])
    print(line("all", total))
    return 1 if total.failures or total.false else 0


if __name__ == "__main__":
    sys.exit(main())
