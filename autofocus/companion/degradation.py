"""Refocus now: whether a long sequence still shows the width and the light that it began with.

The focuser stands still, the numbers scatter with the seeing. What the first frames showed is learned, in logarithms:
the mean m and the variance s² = (ν₀ σ₀² + Σ (y - m)²) / (ν₀ + n - 1), a usual scatter σ₀ weighing as much as ν₀ frames
so that a few frames which happen to agree do not make us nervous. The mean of the last k frames then has Student's

    t = (mean_k - m) / (s √(1/k + 1/n)),   ν₀ + n - 1 degrees of freedom.

Light alone that fades while the width stays is a cloud or the guiding, not the focus.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from autofocus.companion.trend import tells
from autofocus.companion.watch import Setup
from autofocus.model import Measurement, Metric

LEARNED, AVERAGED = 8, 3
USUAL_SCATTER, USUAL_WEIGHT = 0.05, 4
CHANCE = 1e-4  # that three frames in focus look so bad
RECOVERED = 0.4  # of the change at which an alarm is raised
CLEARLY_ELSEWHERE = 0.5  # of it, by which a width says that fading light is a matter of focus
MOST_SETUPS = 64
LEAST_WARMING_C = 0.1

Kind = Literal["degraded", "faded", "recovered"]


@dataclass(frozen=True, slots=True)
class Change:
    """A sequence is no longer what it was: ``degraded`` (refocus), ``faded`` (light alone), or ``recovered``."""

    kind: Kind
    message: str


@dataclass(slots=True)
class _Sequence:
    """Frames of one setup with the focuser at one position."""

    first: list[Measurement] = field(default_factory=list)
    last: deque[Measurement] = field(default_factory=lambda: deque(maxlen=AVERAGED))
    state: Kind = "recovered"


@dataclass(slots=True)
class Steadiness:
    """Watches over sequences; each star, exposure, gain and position has its own beginning."""

    learned: int = LEARNED
    _sequences: dict[tuple[object, ...], _Sequence] = field(default_factory=dict)

    def feed(self, measurement: Measurement, setup: Setup) -> Change | None:
        """Take one more frame into account; what has changed with it, or None."""
        if not (tells(measurement) and measurement.fwhm_px > 0 and measurement.nsig > 0):
            return None
        exposure = None if setup.exposure_s is None else f"{setup.exposure_s:.3g}"
        key = (setup.star.casefold(), exposure, setup.gain, measurement.position)
        if key not in self._sequences:
            while len(self._sequences) >= MOST_SETUPS:
                del self._sequences[next(iter(self._sequences))]
            self._sequences[key] = _Sequence()
        sequence = self._sequences[key]
        if len(sequence.first) < self.learned:
            sequence.first.append(measurement)
            return None
        sequence.last.append(measurement)
        return _judge(sequence) if len(sequence.last) == AVERAGED else None

    def forget(self) -> None:
        """Learn anew: somebody has focused."""
        self._sequences.clear()


def _judge(sequence: _Sequence) -> Change | None:
    """What the last frames say against the first ones, if it is news."""
    from scipy.special import stdtrit

    limit = -float(stdtrit(USUAL_WEIGHT + len(sequence.first) - 1, CHANCE))
    wider, brighter = _student(sequence, "fwhm"), _student(sequence, "nsig")
    state: Kind = sequence.state
    if wider > limit or (brighter < -limit and abs(wider) > CLEARLY_ELSEWHERE * limit):
        state = "degraded"
    elif brighter < -limit:
        state = "faded" if state == "recovered" else state
    elif max(abs(wider), -brighter) < RECOVERED * limit:
        state = "recovered"
    if state == sequence.state:
        return None
    sequence.state = state
    return Change(state, _sentence(state, sequence))


def _student(sequence: _Sequence, metric: Metric) -> float:
    """By how many of its errors the mean of the last frames differs from that of the first ones."""
    first, last = _logarithms(sequence.first, metric), _logarithms(sequence.last, metric)
    mean = sum(first) / len(first)
    error = _scatter(first) * math.sqrt(1 / len(last) + 1 / len(first))
    return (sum(last) / len(last) - mean) / error


def _scatter(values: list[float]) -> float:
    """The scatter of a single frame, as far as the first ones and what is usual tell it."""
    mean = sum(values) / len(values)
    squares = USUAL_WEIGHT * USUAL_SCATTER**2 + sum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (USUAL_WEIGHT + len(values) - 1))


def _logarithms(frames: list[Measurement] | deque[Measurement], metric: Metric) -> list[float]:
    return [math.log(one.fwhm_px if metric == "fwhm" else one.nsig) for one in frames]


def _sentence(state: Kind, sequence: _Sequence) -> str:
    """The change in numbers; nothing in it comes from outside but numbers."""
    width, light = (_changed(sequence, metric) for metric in ("fwhm", "nsig"))
    if state == "recovered":
        return f"as it was at the start again: {width}, {light}"
    if state == "faded":
        return f"the light has faded while the width stayed, rather clouds or guiding than focus: {light}, {width}"
    return f"refocus now: {width}, {light}{_warmed(sequence)}"


def _changed(sequence: _Sequence, metric: Metric) -> str:
    first, last = _logarithms(sequence.first, metric), _logarithms(sequence.last, metric)
    before, now = (math.exp(sum(values) / len(values)) for values in (first, last))
    digits = 2 if metric == "fwhm" else 1
    scatter = f" (±{100 * _scatter(first):.0f} % from frame to frame)"
    return f"{metric.upper()} {before:.{digits}f} -> {now:.{digits}f}, {100 * (now / before - 1):+.0f} %{scatter}"


def _warmed(sequence: _Sequence) -> str:
    """How the temperature has changed, where the headers tell."""
    before = next((one.temperature_c for one in sequence.first if one.temperature_c is not None), None)
    now = next((one.temperature_c for one in reversed(sequence.last) if one.temperature_c is not None), None)
    if before is None or now is None or abs(now - before) < LEAST_WARMING_C:
        return ""
    return f"; it is {abs(now - before):.1f} degrees {'colder' if now < before else 'warmer'} than at the start"
