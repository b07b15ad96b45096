"""The companion of a manual session: fed with measurements one by one, it says where focus is.

It knows no files, no terminal and no clock: what it says are lines, for whoever shows them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from autofocus.companion.rough import rough_optimum
from autofocus.companion.trend import downhill, guessed, narrowest_at_an_end, tells, trend
from autofocus.model import BestFocus, Flag, FocusCurves, Measurement, Metric, Objective
from autofocus.session.advice import NextFrame, advise, optima, usual_spacing

GAP_S = 1200.0
SAME_EXPOSURE = 0.01
MOST_CANDIDATES = 60
MOST_FITTED = 60  # the last frames of a series: a fit stays a matter of half a second through a long night
RESTING = 3  # frames in a row at one position; from then on nobody is turning the knob, and advice would be chatter

Fit = Callable[[Sequence[Measurement], Objective], FocusCurves]
Design = Callable[[Sequence[Measurement], Sequence[float], Objective], NextFrame | None]


def fit(placed: Sequence[Measurement], objective: Objective) -> FocusCurves:
    """The focus curves of a series."""
    from autofocus.curve.fit import fit_focus

    return fit_focus(placed, objective=objective)


def most_telling(placed: Sequence[Measurement], candidates: Sequence[float], objective: Objective) -> NextFrame | None:
    """The candidate position where one more frame shrinks the error of best focus most."""
    from autofocus.curve.design import next_positions

    design = next_positions(placed, candidates, objective=objective)
    return None if design is None else NextFrame(design.positions[0], design.uncertainty_after)


@dataclass(frozen=True, slots=True)
class Setup:
    """What must stay the same within a series; an empty star and None are unknown and contradict nothing."""

    star: str = ""
    exposure_s: float | None = None
    gain: float | None = None

    def change_to(self, other: Setup) -> str:
        """Why a frame with another setup begins a new series, or ""."""
        if self.star and other.star and self.star.casefold() != other.star.casefold():
            return f"another star: {other.star}"
        if _differ(self.exposure_s, other.exposure_s):
            return f"another exposure: {other.exposure_s:g} s"
        if _differ(self.gain, other.gain):
            return f"another gain: {other.gain:g}"
        return ""


@dataclass(frozen=True, slots=True)
class Counsel:
    """What the companion has to say after a frame.

    ``began`` is why this frame begins a new series ("" when it does not); ``curves`` the fit so far, None
    before there is one; ``lines`` are sentences for a person, the state first, then the advice.
    """

    began: str = ""
    curves: FocusCurves | None = None
    lines: tuple[str, ...] = ()


@dataclass(slots=True)
class Companion:
    """Follows a manual session, series by series."""

    objective: Objective = "snr"
    tolerance_steps: float = 3.0
    gap_s: float = GAP_S
    fit: Fit = fit
    design: Design | None = most_telling
    series: list[Measurement] = field(default_factory=list)
    _setup: Setup = field(default_factory=Setup)
    _last_s: float | None = None

    def feed(self, measurement: Measurement, setup: Setup | None = None, received_s: float | None = None) -> Counsel:
        """Take one more frame into account and say what it means."""
        return self.counsel(self.take(measurement, setup, received_s))

    def take(self, measurement: Measurement, setup: Setup | None = None, received_s: float | None = None) -> str:
        """Take one more frame into account; why it begins a new series, or "".

        ``received_s`` is when it came (seconds from any zero), for the gaps where frames do not say when they began.
        """
        setup = setup or Setup(exposure_s=measurement.exposure_s)
        began = self._break_before(measurement, setup, received_s)
        if began and Flag.NO_TRACE in measurement.flags:
            return ""  # a lamp, a flat or a bias between two frames of the star ends no series
        if began:
            self.new_series()
        self.series.append(measurement)
        self._setup = _known(self._setup, setup)
        self._last_s = received_s
        return began

    def new_series(self) -> None:
        """Begin afresh: what comes next has nothing to do with what was."""
        self.series.clear()
        self._setup, self._last_s = Setup(), None

    def withdraw(self, files: Collection[str]) -> None:
        """Forget the positions of these frames: the numbers in their names turned out to merely count up."""
        self.series = [replace(one, position=None) if one.file in files else one for one in self.series]

    @property
    def star(self) -> str:
        """The star of the series, "" where no frame says it."""
        return self._setup.star

    def counsel(self, began: str = "") -> Counsel:
        """What there is to say of the series as it stands."""
        return self.judge(self.series, began)

    def judge(self, series: Sequence[Measurement], began: str = "") -> Counsel:
        """What there is to say of frames that belong together; may be asked from another thread."""
        placed = _of_use(series)
        positions = [one.position for one in placed if one.position is not None]
        if not positions:
            return Counsel(began, None, trend(series))
        last = series[-1]
        if not tells(last):
            return Counsel(began, None, (f"{last.verdict or 'no spectrum found'}: this frame tells nothing of focus",))
        if len(set(positions)) < 3:
            left = 3 - len(set(positions))
            return Counsel(began, None, (f"{left} more position{'s' if left > 1 else ''} until the first estimate",))
        curves = self.fit(placed, self.objective)
        if curves.best is not None and not curves.best.bracketed and narrowest_at_an_end(placed, positions):
            return Counsel(began, curves, (downhill(placed, positions),))
        if curves.best is not None:
            telling = self._most_telling(placed, positions, curves.best)
            said = advise(curves, positions, self.tolerance_steps, telling)
            return Counsel(began, curves, (optima(curves), *said))
        return Counsel(began, curves, self._roughly(placed, positions))

    def _break_before(self, measurement: Measurement, setup: Setup, received_s: float | None) -> str:
        """Why this frame does not belong to the series, or ""."""
        if not self.series:
            return ""
        changed = self._setup.change_to(setup)
        if changed:
            return changed
        before = self.series[-1]
        times = (_epoch(before.started_utc), _epoch(measurement.started_utc))
        if times[0] is None or times[1] is None:
            times = (self._last_s, received_s)
        if times[0] is None or times[1] is None:
            return ""
        pause_s = abs(times[1] - times[0]) - (before.exposure_s or 0.0)
        return f"{pause_s / 60:.0f} minutes later" if pause_s > self.gap_s else ""

    def _most_telling(
        self, placed: Sequence[Measurement], positions: Sequence[float], best: BestFocus
    ) -> NextFrame | None:
        """Where one more frame tells most, up to two spacings beyond those taken; None where it is not asked for."""
        if self.design is None or not best.bracketed or best.uncertainty <= self.tolerance_steps:
            return None
        spacing = usual_spacing(positions)
        low, high = min(positions) - 2 * spacing, max(positions) + 2 * spacing
        count = min(round(2 * (high - low) / spacing), MOST_CANDIDATES)
        return self.design(placed, [low + (high - low) * k / count for k in range(count + 1)], best.objective)

    def _roughly(self, placed: Sequence[Measurement], positions: Sequence[float]) -> tuple[str, ...]:
        """The first estimate, or where to look when the frames show no turning point."""
        metrics: tuple[Metric, ...] = ("nsig", "fwhm") if self.objective == "nsig" else ("fwhm", "nsig")
        guesses = [guess for metric in metrics if (guess := rough_optimum(placed, metric)) and guess.bracketed]
        if not any(guess.metric == "fwhm" for guess in guesses) and narrowest_at_an_end(placed, positions):
            guesses = []  # a cloud makes a peak of light anywhere; widths that still fall say where focus is
        if not guesses:
            return (downhill(placed, positions),)
        first = guesses[0]
        said = " | ".join(guessed(guess) for guess in guesses)
        best = BestFocus(first.metric, first.position, first.uncertainty, first.position, first.position)
        return (said, *advise(FocusCurves(best=best), positions, self.tolerance_steps))


def resting(series: Sequence[Measurement]) -> bool:
    """Whether nobody has turned the knob for some frames: advice would be chatter."""
    last = [one.position for one in series[-RESTING - 1 :]]
    return len(last) > RESTING and last[0] is not None and len(set(last)) == 1


def _of_use(series: Sequence[Measurement]) -> list[Measurement]:
    """The frames that a fit takes: with a position, the last ones; of a long rest at one position the first few."""
    kept: list[Measurement] = []
    for one in series:
        if tells(one) and one.position is not None and not resting([*kept[-RESTING:], one]):
            kept.append(one)
    return kept[-MOST_FITTED:]


def _differ(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and not math.isclose(one, other, rel_tol=SAME_EXPOSURE, abs_tol=1e-9)


def _known(before: Setup, now: Setup) -> Setup:
    """The setup of a series: what a frame does not say stays as the frames before said."""
    return Setup(
        now.star or before.star,
        before.exposure_s if now.exposure_s is None else now.exposure_s,
        before.gain if now.gain is None else now.gain,
    )


def _epoch(started_utc: str | None) -> float | None:
    """Seconds since 1970, or None where the text is no moment."""
    try:
        moment = datetime.fromisoformat(started_utc or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
