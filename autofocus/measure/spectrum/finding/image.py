"""What made a ridge: a star, the two rims of one out of focus, or a lamp through the slit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.candidates import SURE, quantiles
from autofocus.measure.spectrum.finding.sampling import ABSURD, BLOCKS, along
from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.measure.spectrum.finding.votes import Votes, neighbour_noise
from autofocus.model import Frame

Doubles = NDArray[np.float64]

FARTHEST_RIMS = 2.8
FAINTER_RIM = 0.35
SAME_SPECTRUM = 0.25
NARROWEST_RIM_PX = 5.0
NARROWEST_BAND_PX = 20.0
HALF_WAY_DOWN = 0.7
STAR_WIDTHS = 2.0
STEP = 2.0
PEAKED = 20.0
JUMP = 1.3
BRIGHT = 10.0  # sigma of a typical part: no corner of a step is as bright
FAR_JUMP = 5.0  # a star may be fainter than the sky whose edge is near
RIM = 0.8  # of a doughnut, the rims stand higher than the middle


def join_rims(traces: list[Trace]) -> list[Trace]:
    """The traces with the two rims of a doughnut made one image; brightest first.

    The ring of a star out of focus, cut by the slit, is two ridges of like width and light, with a gap of about their
    width between them and the same spectrum on both. Two stars so close and so alike are one image to a focuser.
    """
    for at, first in enumerate(traces):
        for other in traces[at + 1 :]:
            if _are_rims(first, other):
                rest = [trace for trace in traces if trace is not first and trace is not other]
                return sorted([_joined(first, other), *rest], key=lambda trace: -trace.brightness)
    return traces


def without_crossing(traces: list[Trace]) -> list[Trace]:
    """Brightest first, without lines that cross a brighter one: spectra of one slit never do; lines on a ring may."""
    kept: list[Trace] = []
    for trace in traces:
        x = np.linspace(0.0, trace.length - 1.0, BLOCKS)
        if not any(np.ptp(np.sign(trace.center(x) - other.center(x))) > 0 for other in kept):
            kept.append(trace)
    return kept


def is_peaked(trace: Trace) -> bool:
    """Whether one place along a trace is far brighter than the rest."""
    return float(trace.flux.max()) > PEAKED * trace.brightness


def cross(one: Trace, other: Trace) -> bool:
    """Whether two ridges, one along each axis, are brightest where they meet: an emission line has no such partner."""
    if not (is_peaked(one) and is_peaked(other)):
        return False
    meet = []
    for trace, across in ((one, other), (other, one)):
        brightest = (int(np.argmax(trace.flux)) + 0.5) * trace.length / BLOCKS
        at = across.place
        meet.append(abs(at - brightest) < 1.5 * trace.length / BLOCKS)
    return all(meet)


def _are_rims(first: Trace, other: Trace) -> bool:
    middle = (first.length - 1) / 2
    apart = abs(float(first.center(middle)) - float(other.center(middle)))
    narrow, wide = sorted((first.width_px, other.width_px))
    if narrow < NARROWEST_RIM_PX or narrow < 0.5 * wide or apart > FARTHEST_RIMS * 0.5 * (narrow + wide):
        return False
    ratio = other.brightness / max(first.brightness, 1e-9)
    if not FAINTER_RIM < ratio < 1.0 / FAINTER_RIM:
        return False
    expected = ratio * first.flux
    noise = np.hypot(other.flux_err, ratio * first.flux_err)
    differ = np.abs(other.flux - expected)
    return bool(np.median(differ - 2.0 * noise) < SAME_SPECTRUM * np.median(expected))


def _joined(first: Trace, other: Trace) -> Trace:
    size = max(len(first.coefficients), len(other.coefficients))
    one, two = (np.pad(trace.coefficients, (0, size - len(trace.coefficients))) for trace in (first, other))
    middle = (first.length - 1) / 2
    apart = abs(float(first.center(middle)) - float(other.center(middle)))
    return replace(
        first,
        coefficients=tuple(float(c) for c in 0.5 * (one + two)),
        width_px=apart + 0.5 * (first.width_px + other.width_px),
        flux=first.flux + other.flux,
        flux_err=np.hypot(first.flux_err, other.flux_err),
    )


def edge_contrast(votes: Votes, trace: Trace, upon: Sequence[Trace] = ()) -> float:
    """How many times wider the top of a ridge is than its edges, without the stars ``upon`` it; 0 without even top.

    What was followed over a wide even top may slant by chance where the slit's ends do not: the sharper view counts.
    """
    if trace.width_px < NARROWEST_BAND_PX:
        return 0.0
    level = replace(trace, coefficients=trace.coefficients[:1])
    return max(_edge_contrast(votes, view, upon) for view in (trace, level))


def _edge_contrast(votes: Votes, trace: Trace, upon: Sequence[Trace]) -> float:
    width = trace.width_px
    profile, distance = _straightened(votes, trace, 1.5 * width + 10.0, np.argsort(trace.flux)[-BLOCKS // 4 :])
    for star in upon:
        place = star.place - trace.place
        hidden = np.abs(distance - place) < STAR_WIDTHS * star.width_px
        if not hidden.all():
            profile[hidden] = np.interp(distance[hidden], distance[~hidden], profile[~hidden])
    inner = np.abs(distance) < 0.25 * width
    sides = [side * distance > 0.8 * width for side in (-1, 1)]
    if min(part.sum() for part in (inner, *sides)) < 4:
        return 0.0
    top, base = float(np.median(profile[inner])), max(float(np.median(profile[side])) for side in sides)
    if quantiles(profile[inner], 0.1)[0] - base < 0.6 * (profile.max() - base):
        return 0.0
    scaled = (profile - base) / max(top - base, 1e-9)
    above = np.flatnonzero(scaled > 0.5)
    if above.size < 8:
        return 0.0
    first, last = int(above[0]), int(above[-1])
    edges = [_edge_px(scaled[max(first - 40, 0) : first + 40]), _edge_px(scaled[max(last - 40, 0) : last + 40][::-1])]
    return (last - first) / max(*edges, 0.8)


def louder_on(votes: Votes, trace: Trace) -> Doubles:
    """How many times a pixel of each part is noisier on a wide ridge than on the dark frame, shape (BLOCKS,)."""
    reach = max(int(0.4 * trace.width_px), 4)
    rows = np.rint(trace.center(votes.x)).astype(np.intp)[:, None] + np.arange(-reach, reach + 1)
    values = np.take_along_axis(votes.residuals, np.clip(rows, 0, votes.across - 1), axis=1)
    return np.asarray(np.maximum(neighbour_noise(values) / votes.noise, 1.0), np.float64)


def continuum(frame: Frame, trace: Trace) -> float:
    """The part of the light along a wide ridge that is no lines: the lower quartile of each part against its mean."""
    reach = int(1.5 * trace.width_px)
    ends = trace.center(np.array([0.0, (trace.length - 1) / 2, trace.length - 1.0]))
    low, high = max(int(ends.min()) - reach, 0), min(int(ends.max()) + reach + 1, trace.across)
    pixels = along(frame, trace.axis, slice(low, high), slice(None))
    distance = np.abs(np.arange(low, high)[:, None] - trace.center(np.arange(trace.length)))
    core, aside = distance < 0.4 * trace.width_px, distance > 0.8 * trace.width_px
    pixels[~(np.abs(pixels) < ABSURD)] = 0.0
    light = (pixels * core).sum(axis=0) / np.maximum(core.sum(axis=0), 1)
    light -= (pixels * aside).sum(axis=0) / np.maximum(aside.sum(axis=0), 1)
    parts = light[: light.size // BLOCKS * BLOCKS].reshape(BLOCKS, -1)
    quarter = parts.shape[1] // 4
    steady = np.partition(parts, quarter, axis=1)[:, quarter]
    return float(np.maximum(steady, 0.0).sum() / max(float(parts.sum()) / parts.shape[1], 1e-9))


def is_slope(votes: Votes, trace: Trace) -> bool:
    """Whether the light of a ridge at the frame's edge still rises towards it: glow or a border, no star."""
    profile, distance = _straightened(votes, trace, 3.0 * trace.width_px + 10.0)
    if min(-distance[0], distance[-1]) > 1.5 * trace.width_px:
        return False
    if -distance[0] > distance[-1]:
        profile, distance = profile[::-1], -distance[::-1]
    core = np.abs(distance) <= max(0.25 * trace.width_px, 1.0)
    outer = distance < -0.5 * trace.width_px
    base = float(np.median(profile[distance > 1.5 * trace.width_px]))
    top = float(np.median(profile[core])) - base
    return bool(not outer.any() or float(np.median(profile[outer][:3])) - base > HALF_WAY_DOWN * top)


def is_step(votes: Votes, trace: Trace) -> bool:
    """Whether a ridge is low against a jump beside it, or against how far its sides differ: the corner of a step.

    The edges of a star are as high as itself.
    """
    profile, distance = _straightened(votes, trace, 3.0 * trace.width_px + 4.0)
    sides = [side * distance > 1.2 * trace.width_px for side in (-1, 1)]
    if min(np.count_nonzero(side) for side in sides) < 4:
        return False
    left, right = (float(np.median(profile[side])) for side in sides)
    top = float(quantiles(profile[np.abs(distance) <= max(0.5 * trace.width_px, 1.0)], RIM)[0])
    height = top - max(left, right)
    size = max(2, int(trace.width_px / 4))
    total = np.concatenate(([0.0], np.cumsum(profile)))
    means = (total[size:] - total[:-size]) / size
    noise = 1.05 * float(np.median(np.abs(np.diff(profile)))) * np.sqrt(2.0 / size)
    jump = float(np.max(np.abs(means[size:] - means[:-size]), initial=0.0)) - 4.0 * noise
    bright = trace.width_px < NARROWEST_BAND_PX and float(np.median(trace.flux / trace.flux_err)) > BRIGHT
    times = FAR_JUMP if bright or trace.significance > SURE else JUMP
    return bool(max(abs(left - right) / STEP, jump / JUMP) > times / JUMP * height)


def _straightened(
    votes: Votes, trace: Trace, reach: float, parts: NDArray[np.intp] | None = None
) -> tuple[Doubles, Doubles]:
    """The profile about the trace, its median over the parts or its mean over some, and the distances of its pixels."""
    distance = np.arange(-int(reach), int(reach) + 1)
    rows = np.rint(trace.center(votes.x)).astype(np.intp)[:, None] + distance
    inside = (rows >= 0) & (rows < votes.across)
    values = np.take_along_axis(votes.residuals, np.clip(rows, 0, votes.across - 1), axis=1)
    there = inside.mean(axis=0) > 0.5
    profile = np.median(values[:, there], axis=0) if parts is None else values[parts][:, there].mean(axis=0)
    return np.asarray(profile, np.float64), distance[there].astype(np.float64)


def _edge_px(rising: Doubles) -> float:
    """Rows from a fifth to four fifths of the height where a profile first rises through its half, as a 10-90 width.

    Infinite where it begins or ends in between.
    """
    half = int(np.argmax(rising > 0.5))
    below, above = rising[: half + 1][::-1] < 0.2, rising[half:] > 0.8
    if not (below.any() and above.any()):
        return np.inf
    return 1.52 * (float(np.argmax(below)) + float(np.argmax(above)) - 1.0)
