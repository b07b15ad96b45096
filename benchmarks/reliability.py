"""A storm of faults: whole sessions on the virtual clock, each with up to three random ways to misbehave.

``python -m benchmarks.reliability`` runs 500 (half an hour on two processors), ``--quick`` 40. What must hold in every
session: it ends in time, in an outcome that is true, with the focuser at best focus, back where it began or where the
message says, and with every file whole. The exit code is 1 where one does not.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autofocus.devices.clock import VirtualClock
from autofocus.errors import DeviceTimeout, DeviceUnreachable, FrameError
from autofocus.frames.saving import write_frame
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.search.plan import focus
from autofocus.session import engine
from autofocus.session.engine import Ending
from autofocus.session.events import FrameTaken, SampleMeasured, SessionEnded
from autofocus.session.journal import FRAMES, RESULT, read_events
from autofocus.session.rig import Rig
from autofocus.settings import Settings
from simulators.bench import Bench
from simulators.devices import SimulatedCamera, SimulatedFocuser
from simulators.faults import Target, lay_faults
from simulators.options import BenchOptions

# What devices/ itself must notice (a count that was reset, a motion without end) is tried over HTTP by tests/system.
BENCH_FAULTS = (
    "stuck", "stuck_once", "short", "runs_to_zero", "play_grows", "moved_by_others", "black", "black_once",
    "saturated", "saturated_once", "cloud", "clouded_out", "star_leaves", "bad_seeing",
)  # fmt: skip
OUR_BUG = "our own bug"
OPERATIONS = ("open", "position", "move", "expose", "fetch", "temperature", "halt", "abort", "close", "write")
ERRORS: dict[str, BaseException] = {
    "unreachable": DeviceUnreachable("nobody answers"),
    "too late": DeviceTimeout("too late"),
    "damaged frame": FrameError("half an image"),
    "disk full": OSError(28, "No space left on device"),
    OUR_BUG: ZeroDivisionError("ours"),
}
TIME_LIMIT_S = 1800.0
GRACE_S = 300.0  # for the way home
FALSE_SIGMAS, FALSE_STEPS = 5.0, 10.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one session; ``faults`` names what was done to it, ``wrong`` what must not be."""

    seed: int
    faults: tuple[str, ...]
    outcome: str
    reason: str
    wrong: tuple[str, ...]
    seconds: float

    @property
    def is_bug(self) -> bool:
        """A fault of ours that nobody put there."""
        return self.reason == "internal" and not any(OUR_BUG in fault for fault in self.faults)


class Interference:
    """Raises an error at some calls of one operation, or stops the clock."""

    def __init__(self, rng: random.Random, clock: VirtualClock) -> None:
        self.operation = rng.choice(OPERATIONS)
        kinds = ("disk full",) if self.operation == "write" else tuple(kind for kind in ERRORS if kind != "disk full")
        self.kind = rng.choice((*kinds, "stop", "stop twice"))
        self.first, self.times = rng.randint(1, 15), rng.choice((1, 1, 2, 5, 10**6))
        self._clock = clock
        self._calls = 0

    def __str__(self) -> str:
        return f"{self.kind} at {self.operation} {self.first}, {self.times} times"

    def __call__(self, operation: str) -> None:
        """Count a call of this operation, and strike."""
        if operation != self.operation:
            return
        self._calls += 1
        if not self.first <= self._calls < self.first + self.times:
            return
        if self.kind in ERRORS:
            raise ERRORS[self.kind]
        if self._calls < self.first + 2:
            for _ in range(1 + self.kind.endswith("twice")):
                self._clock.stop()


class Disturbed:
    """A device before each of whose operations something may happen."""

    def __init__(self, device: Any, disturb: Callable[[str], None]) -> None:
        self._device = device
        self._disturb = disturb

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._device, name)
        if name not in OPERATIONS:
            return member

        def call(*arguments: Any) -> Any:
            self._disturb(name)
            return member(*arguments)

        return call


def session(seed: int) -> Verdict:
    """One session in the storm, in a folder of its own."""
    rng = random.Random(seed)  # noqa: S311  no secret: a seeded storm
    clock = VirtualClock()
    options = BenchOptions(sensor_px=(600, 240), start_offset_steps=rng.choice((-150, -60, 0, 60, 150)))
    bench = Bench("starex", seed, clock=clock, options=options)
    laid = tuple(rng.sample(BENCH_FAULTS, rng.choice((0, 1, 1, 2))))
    lay_faults(laid, Target(bench))
    disturbances = [Interference(rng, clock) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        start = bench.focuser.position(0.0)
        ending = _run(bench, clock, disturbances, Path(folder))
        wrong = tuple(_judge(bench, ending, start))
    result = ending.result
    faults = (*laid, *map(str, disturbances))
    return Verdict(seed, faults, result["outcome"], result["reason"] or "", wrong, time.monotonic() - began)


def _run(bench: Bench, clock: VirtualClock, disturbances: Sequence[Interference], folder: Path) -> Ending:
    def disturb(operation: str) -> None:
        for one in disturbances:
            one(operation)

    def write(frame: Any, headers: Any, path: Path) -> None:
        disturb("write")
        write_frame(frame, headers, path)

    settings = Settings.model_validate(
        {
            "camera": {"address": "bench:1", "exposure_s": 10.0},
            "focuser": {"address": "bench:1", "backlash_steps": 60},
            "search": {"time_limit_s": TIME_LIMIT_S},
            "session": {"directory": str(folder / "sessions")},
        }
    )
    camera: Any = Disturbed(SimulatedCamera(bench, clock, settings.camera), disturb)
    focuser: Any = Disturbed(SimulatedFocuser(bench, clock, settings.focuser), disturb)
    rig = Rig(camera, focuser, clock, overlapped=False, focuser_key="storm")
    return engine.run(
        settings, rig, begin=focus, measure=measure_spectrum, write_frame=write, lock_directory=folder / "locks"
    )


def _judge(bench: Bench, ending: Ending, start: int) -> list[str]:
    """Everything that must not be."""
    result, now = ending.result, bench.now()
    stands = bench.focuser.position(now)
    wrong = []
    if now > TIME_LIMIT_S + GRACE_S:
        wrong.append("late")
    if result["outcome"] == "focused":
        missed = abs(bench.focuser.tube(now) - bench.truth("snr"))
        if missed > max(FALSE_STEPS, FALSE_SIGMAS * result["best"]["uncertainty"]):
            wrong.append("false success")
    elif stands != start and "could not be brought back" not in result["message"]:
        wrong.append("misplaced")
    if result["position"] not in (stands, None):
        wrong.append("misplaced")
    return wrong + _lost(ending)


def _lost(ending: Ending) -> list[str]:
    """What is missing in the session folder."""
    folder = ending.folder
    if folder is None:  # a run that was refused before it began leaves none
        return [] if ending.result["exposures"] == ending.result["moves"] == 0 else ["lost"]
    events = list(read_events(folder))
    taken = [event.file for event in events if isinstance(event, FrameTaken) and event.file]
    measured = sum(isinstance(event, SampleMeasured) for event in events)
    whole = (
        all((folder / FRAMES / name).is_file() for name in taken)
        and isinstance(events[-1], SessionEnded)
        and measured == len(ending.result["samples"])
        and json.loads((folder / RESULT).read_text(encoding="utf-8")) == ending.result
    )
    return [] if whole else ["lost"]


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """The table, and a line for each session in which something was wrong."""
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    wrong = Counter(what for verdict in verdicts for what in set(verdict.wrong))
    bugs = [verdict for verdict in verdicts if verdict.is_bug]
    clean = len(verdicts) - outcomes["focused"] - len(bugs)
    sums = (len(verdicts), len(verdicts) - wrong["late"], outcomes["focused"], clean, len(bugs),
            wrong["false success"], wrong["misplaced"], wrong["lost"])  # fmt: skip
    return [
        "| sessions | ended in time | focused | clean failures | our bugs | false successes | misplaced | files lost |",
        "|---|---|---|---|---|---|---|---|",
        f"| {' | '.join(map(str, sums))} |",
        *(
            f"seed {one.seed}: {', '.join(one.wrong) or 'a bug'}: {one.outcome}; {'; '.join(one.faults)}"
            for one in verdicts
            if one.wrong or one.is_bug
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="a storm of faults on the virtual clock")
    parser.add_argument("--quick", action="store_true", help="40 sessions in place of 500")
    parser.add_argument("--sessions", type=int, help="how many")
    parser.add_argument("--first", type=int, default=1, help="seed of the first")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    asked = parser.parse_args(arguments)
    count = asked.sessions or (40 if asked.quick else 500)
    with ProcessPoolExecutor(asked.jobs) as pool:
        verdicts = list(pool.map(session, range(asked.first, asked.first + count)))
    lines = table(verdicts)
    print("\n".join(lines))
    return 1 if len(lines) > 3 else 0


if __name__ == "__main__":
    sys.exit(main())
