"""Is this a stellar spectrum at all? The trace, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autofocus.measure.spectrum.finding.candidates import (
    EVEN,
    LAMP_SIGMAS,
    Look,
    look_along,
    most_lamp_light,
    unevenness,
)
from autofocus.measure.spectrum.finding.clear import clear_trace
from autofocus.measure.spectrum.finding.crowd import is_among_stars, lines_across, orders
from autofocus.measure.spectrum.finding.faint import faint_trace
from autofocus.measure.spectrum.finding.image import (
    continuum,
    cross,
    edge_contrast,
    is_peaked,
    is_step,
    join_rims,
    without_crossing,
)
from autofocus.measure.spectrum.finding.nested import (
    MOST_FOLLOWED,
    SEEINGS_ACROSS_LINES,
    apart,
    is_sound,
    stars_upon,
    without_nested,
)
from autofocus.measure.spectrum.finding.ridge import Ridge
from autofocus.measure.spectrum.finding.sampling import ABSURD, FEW, SEVERAL
from autofocus.measure.spectrum.finding.trace import Trace, follow
from autofocus.measure.spectrum.finding.votes import Votes, collect_votes
from autofocus.model import Axis, Frame

MANY_LINES = 4
MOST_TRACES = 6
ALIKE = 0.9
ACROSS_THE_LONGER = 3.0
ALL_EVEN = 4.0
OUTSHINES = 10.0  # times: then a line as even as a lamp's is a star, and what lies across it a line of the sky
SEEINGS_ACROSS_A_STAR = 28.0
STEADY_LIGHT = 0.3
IN_PLACES = "light in places but no continuous trace: a star field, an arc lamp, a bias or dark with glow or pattern"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The trace to measure and the other traces beside it, or the reason why there is none."""

    trace: Trace | None
    others: tuple[Trace, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One orientation: what it shows, the traces followed, whether all are even as a lamp's lines.

    ``bands`` are evenly lit pieces of slit, ``lamps`` pieces whose light is lines; ``count`` of ridges weighs.
    """

    look: Look
    traces: tuple[Trace, ...] = ()
    even: bool = False
    bands: int = 0
    lamps: int = 0
    count: int = 0

    @property
    def brightness(self) -> float:
        """That of the brightest trace, 0 without one."""
        return self.traces[0].brightness if self.traces else 0.0

    def cost(self, others: Sequence[_Seen] = ()) -> float:
        """What speaks against this orientation; infinite for none.

        Many traces (a star may have one beside it), along the shorter side, all even; but one that far outshines what
        the ``others`` show is hardly a line across it.
        """
        if not self.traces or self.count > MOST_TRACES:
            return np.inf
        votes = self.look.votes
        across_longer = votes.length < ALIKE * votes.across
        most = max((other.brightness for other in others if other.traces and other is not self), default=np.inf)
        even = self.even and not (self.count == 1 and self.brightness > OUTSHINES * most)
        count = max(1, self.count - 1)
        return count * (ACROSS_THE_LONGER if across_longer else 1.0) * (ALL_EVEN if even else 1.0)


def find_trace(frame: Frame, dispersion_axis: str) -> Verdict:
    """Find the brightest stellar trace of the frame, in either orientation.

    Parameters
    ----------
    frame : Frame
        Any image.
    dispersion_axis : str
        "x", "y", or "auto" for either.

    Returns
    -------
    Verdict
        A trace, or a reason in words.
    """
    rows, columns = frame.shape
    longer: tuple[Axis, ...] = ("x", "y") if columns >= rows else ("y", "x")
    axes = longer if dispersion_axis == "auto" else tuple(axis for axis in longer if axis == dispersion_axis)
    constant = _constant(frame)
    if constant:
        return Verdict(None, reason=constant)
    clear = _glance(frame, axes)
    return Verdict(clear) if clear is not None else _judge(frame, axes)


def _glance(frame: Frame, axes: tuple[Axis, ...]) -> Trace | None:
    """The clear trace; one as even as the lines of a lamp only where it outshines whatever shows across it."""
    votes = collect_votes(frame, axes[0], FEW)
    trace = clear_trace(votes) if votes is not None else None
    if trace is None or unevenness(trace.flux, trace.flux_err) >= EVEN:
        return trace
    across = _look(frame, axes[1:], SEVERAL)
    is_line = any(one.cost() < ALL_EVEN and trace.brightness < OUTSHINES * one.brightness for one in across)
    return None if is_line else trace


def _judge(frame: Frame, axes: tuple[Axis, ...]) -> Verdict:
    """Look in full, at several columns of each part and, where these show nothing, at all."""
    seen: list[_Seen] = []
    for sampled in (SEVERAL, None):
        dark = [axis for axis in axes if not any(one.look.votes.axis == axis and one.traces for one in seen)]
        lit = [one for one in seen if one.look.votes.axis not in dark]
        seen = sorted(lit + _look(frame, tuple(dark), sampled), key=lambda one: axes.index(one.look.votes.axis))
        if len(seen) == 2 and any(cross(one, other) for one in seen[0].traces for other in seen[1].traces):
            return Verdict(None, reason="ridges that cross on a bright star: the spikes of its image")
        most = np.inf if len(axes) == 1 else ACROSS_THE_LONGER * ALL_EVEN
        cheapest = sorted(seen, key=lambda one: (one.cost(seen), -one.brightness))
        verdicts = [_unless_of_many(one) for one in cheapest if one.cost(seen) < most]
        if verdicts:
            return next((verdict for verdict in verdicts if verdict.trace is not None), verdicts[0])
    faint = _faintest(frame, seen)
    return Verdict(faint) if faint is not None else Verdict(None, reason=_reason(seen))


def _unless_of_many(seen: _Seen) -> Verdict:
    """The brightest trace and the others, unless stars of a field made it, or it is one order of an echelle."""
    if is_among_stars(seen.look.votes, seen.traces[0]):
        return Verdict(None, reason=IN_PLACES)
    lines = lines_across(seen.look.votes, seen.traces[0].width_px)
    if lines > MOST_TRACES:
        return Verdict(None, reason=_many(lines, seen.look))
    return Verdict(seen.traces[0], seen.traces[1:])


def _faintest(frame: Frame, seen: list[_Seen]) -> Trace | None:
    """The surest of the traces that only all pixels of the frame together show, where else it shows nothing."""
    if not all(one.look.is_blank for one in seen):
        return None
    found = ((one.look.votes, faint_trace(frame, one.look.votes)) for one in seen)
    alone = [trace for votes, trace in found if trace is not None and not is_among_stars(votes, trace)]
    return max(alone, key=lambda trace: trace.significance, default=None)


def _look(frame: Frame, axes: tuple[Axis, ...], sampled: int | None) -> list[_Seen]:
    """Look along each axis, the longer side first; the other only where it could still win."""
    seen: list[_Seen] = []
    for axis in axes:
        votes = collect_votes(frame, axis, sampled)
        if votes is None:
            continue
        seen.append(_followed(frame, look_along(votes)))
        is_square = min(frame.shape) >= ALIKE * max(frame.shape)
        if seen[0].cost() <= 1.0 and not is_square and not is_peaked(seen[0].traces[0]):
            break
    return seen


def _followed(frame: Frame, look: Look) -> _Seen:
    """Follow the brightest candidates, join the rims of a doughnut, and set lit pieces of slit aside."""
    if not look.candidates or look.comparable > 2 * MOST_TRACES:
        return _Seen(look)
    votes = look.votes
    sound = _follow_all(votes, look.candidates)
    if not sound:  # what looked like ridges was on a wider one
        sound = _follow_all(votes, look.wider)
    sound += stars_upon(votes, sound)
    images = join_rims(apart(sound))
    while images and is_step(votes, images[0]):
        images = images[1:]
    traces = without_nested(votes, without_crossing(apart(images)))
    contrasts = [edge_contrast(votes, trace) for trace in traces]
    lamps = [
        trace
        for trace, contrast in zip(traces, contrasts, strict=True)
        if contrast > SEEINGS_ACROSS_LINES and continuum(frame, trace) < STEADY_LIGHT
    ]
    stars = tuple(
        trace
        for trace, contrast in zip(traces, contrasts, strict=True)
        if contrast <= SEEINGS_ACROSS_A_STAR and trace not in lamps
    )
    even = all(unevenness(trace.flux, trace.flux_err) < EVEN for trace in stars)
    set_aside = min(len(look.candidates), MOST_FOLLOWED) - len(stars)
    count = max(len(stars), look.comparable - set_aside)
    return _Seen(look, stars, even, len(traces) - len(stars) - len(lamps), len(lamps), count)


def _follow_all(votes: Votes, candidates: Sequence[tuple[Trace, Ridge]]) -> list[Trace]:
    """The traces that stand when followed."""
    followed = [follow(votes, ridge) for _, ridge in candidates[:MOST_FOLLOWED]]
    return [trace for trace in followed if is_sound(votes, trace)]


def _constant(frame: Frame) -> str:
    rows, columns = frame.shape
    part = frame.section(slice(None, None, max(1, rows // 64)), slice(None, None, max(1, columns // 64)))
    finite = part[np.abs(part) < ABSURD]
    if finite.size == 0:
        return "no valid pixels"
    low, high = float(finite.min()), float(finite.max())
    if low < high:
        return ""
    ceiling = np.iinfo(frame.raw.dtype).max if frame.raw.dtype.kind in "ui" else np.inf
    known = np.inf if frame.saturation_adu is None else frame.saturation_adu
    if low >= known or float(part.flat[0]) >= 0.999 * ceiling:
        return "all pixels are saturated"
    return f"all pixels have the same value, {low:g}" + (": black" if low <= 0 else "")


def _many(lines: int, look: Look) -> str:
    what = "an echelle or an arc lamp" if look.is_long else "an arc lamp, an echelle or the sky alone"
    return f"{lines} or more parallel lines and no single trace: {what}"


def _reason(seen: list[_Seen]) -> str:
    """What the frame is, where it holds no trace."""
    if any(one.bands for one in seen):
        return "an evenly lit piece of slit with sharp ends and no star on it: a flat, a twilight or the sky alone"
    if any(one.lamps for one in seen):
        return "lines along a short piece of slit and no continuous light: an arc lamp or the sky alone"
    most = max((one.look for one in seen), key=lambda look: look.comparable, default=None)
    if most is not None and most.comparable >= MANY_LINES:
        if most.is_faint:
            return f"{most.comparable} faint ridges: the fixed pattern of a bias or a dark"
        return _many(most.comparable, most)
    bent, along = max(((orders(one.look.votes), one.look) for one in seen), key=lambda pair: pair[0], default=(0, None))
    if along is not None and bent > MOST_TRACES:
        return _many(bent, along)
    if any(one.traces for one in seen):
        return "even lines across the dispersion and no trace along it: an arc lamp, a slit image or bad columns"
    lit = min((most_lamp_light(one.look.votes) / float(np.median(one.look.votes.noise)) for one in seen), default=0.0)
    if lit > LAMP_SIGMAS:
        return "light over much of the frame and no trace above its unevenness: a flat, a twilight or the sky alone"
    if sum(one.look.rippled for one in seen) > sum(len(one.look.broken) for one in seen):
        return "ripples both ways and no trace above them: a flat, or the fixed pattern of a bias or a dark"
    if any(one.look.broken for one in seen):
        return IN_PLACES
    return "no trace above the noise: a bias, a dark, a flat, or the star is not on the slit"
