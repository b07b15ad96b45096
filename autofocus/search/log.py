"""The observing log: what was asked, what came back, and what the budgets still allow."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

from autofocus.model import Confirmation, Flag, FocusCurves, Measurement, Phase, Sample, Sweep
from autofocus.search.task import Estimate, FocusTask

Ask = Generator[Sweep, tuple[Measurement, ...], tuple[Measurement, ...]]
Budget = Literal["time_limit", "exposure_limit"]


def has_trace(measurement: Measurement) -> bool:
    """Did the frame show a spectrum whose width could be measured, at a known position?"""
    return Flag.NO_TRACE not in measurement.flags and measurement.position is not None and measurement.fwhm_px > 0.0


@dataclass(slots=True)
class Attempt:
    """What one attempt goes by: where it thinks the focus is, and what it has tried already."""

    estimate: Estimate
    widenings: int = 0
    passes: int = 0
    retaken: set[int] = field(default_factory=set)
    looked_back: bool = False


class ObservingLog:
    """Every measurement of a search in order, with the reasons for which some are not used.

    ``begin_attempt`` starts a new attempt: the fits then see its frames alone. ``exposure_s`` is the exposure of the
    frames to come, ``run_up_steps`` how far away they are arrived at from, ``run_ups`` the same of those taken.
    ``ended`` names the budget that ran out, None while there is some left. ``cloudy`` is set once the light was seen to
    change by itself; ``clouded`` are the frames (indices) whose light is not used for it.
    """

    def __init__(self, task: FocusTask) -> None:
        self.task = task
        self.exposure_s = task.exposure_s
        self.measurements: list[Measurement] = []
        self.left_out: dict[int, str] = {}
        self.warnings: list[str] = []
        self.ended: Budget | None = None
        self.confirmation: Confirmation | None = None
        self.cloudy = False
        self.clouded: set[int] = set()
        self.run_up_steps = task.backlash_steps
        self.run_ups: list[int] = []
        self._attempt = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the session began, as the last measurement says."""
        return self.measurements[-1].elapsed_s if self.measurements else 0.0

    @property
    def cost_s(self) -> float:
        """What one sample takes: the median so far, or the exposure before there is any."""
        costs = [m.cost_s for m in self.measurements if m.cost_s > 0.0]
        return median(costs) if costs else self.exposure_s

    def begin_attempt(self, why: str) -> None:
        """Leave every frame so far out of the fits to come."""
        for index in range(len(self.measurements)):
            self.left_out.setdefault(index, why)
        self._attempt = len(self.measurements)

    def warn_once(self, warning: str) -> None:
        """Add a warning that is not there yet."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def indices(self) -> list[int]:
        """The frames of this attempt, by their index in ``measurements``, that nothing speaks against."""
        return [i for i in range(self._attempt, len(self.measurements)) if i not in self.left_out]

    def frames(self) -> list[Measurement]:
        """The frames of `indices`, as `at` gives them."""
        return [self.at(i) for i in self.indices()]

    def at(self, index: int) -> Measurement:
        """A frame, flagged where a cloud took its light."""
        frame = self.measurements[index]
        return replace(frame, flags=(*frame.flags, Flag.CLOUDED)) if index in self.clouded else frame

    def allowance(self, *, keep: int = 0) -> int:
        """How many exposures the budgets still allow, ``keep`` more being set aside."""
        return max(min(self._left()) - keep, 0)

    def ask(
        self, positions: Sequence[int], phase: Phase, why: str, *, curves: FocusCurves | None = None, follow: int = 0
    ) -> Ask:
        """Have frames taken at ``positions``, as far as the budgets allow with one exposure kept for confirming.

        ``follow`` is an estimate of the exposures that come after these. Returns what was measured, perhaps nothing.
        """
        keep = 1 if self.task.settings.confirm and phase != "confirm" else 0
        repeats = self.task.settings.exposures_per_sample if phase in ("sweep", "refine") else 1
        wanted = [position for position in positions for _ in range(repeats)]
        granted = _thinned(wanted, self.allowance(keep=keep))
        if len(granted) < len(wanted):
            self._end()
        if not granted:
            return ()
        samples = tuple(Sample(position, phase, self.exposure_s, self.run_up_steps) for position in granted)
        got = yield Sweep(samples, why, curves, follow)
        self.measurements.extend(got)
        self.run_ups.extend([self.run_up_steps] * len(got))
        if len(got) < len(samples):
            self._end()
        return got

    def _left(self) -> tuple[int, int]:
        """Exposures left by their number and by the time."""
        settings = self.task.settings
        seconds = settings.time_limit_s - self.elapsed_s
        return settings.max_exposures - len(self.measurements), int(seconds / max(self.cost_s, 1e-3))

    def _end(self) -> None:
        by_number, by_time = self._left()
        self.ended = self.ended or ("exposure_limit" if by_number <= by_time else "time_limit")


def _thinned(wanted: list[int], count: int) -> list[int]:
    """At most ``count`` of the positions, spread evenly over them, in their order."""
    if count >= len(wanted):
        return wanted
    if count <= 0:
        return []
    if count == 1:
        return [wanted[len(wanted) // 2]]
    return [wanted[round(i * (len(wanted) - 1) / (count - 1))] for i in range(count)]
