"""The ridges that could be traces: light all along the frame, more than the ripples of an uneven slit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.spectrum.finding.ridge import Ridge, Sums, find_dips, find_ridges, sum_votes
from autofocus.measure.spectrum.finding.sampling import Doubles
from autofocus.measure.spectrum.finding.trace import Trace, survey
from autofocus.measure.spectrum.finding.votes import Votes, middle, steps_noise

SURE = 20.0
ONE_IMAGE = 0.2
CLEAR_OF_PATTERN = 5.0
LIT = 0.2
EVEN = 0.3
LONGEST_IMAGE = 4
SEEN = 5.0
BLANK = 10.0
SHORTEST_SPECTRUM = 8  # parts: a quarter of the length
ROUND = 4.0
COMPARABLE = 0.1
MANY_BROKEN = 4  # one or two are stars, or bad rows
FEW_WIDTHS = 4.0
CLEAR_OF_RIPPLES = 2.0
CLEAR_WHERE_WEAK = 3.0
CLEAR_OF_MANY = 1.5
MANY_HOLES = 4  # of so many the deepest tells how deep they get
MOST_GAIN = 5.0  # e-/ADU
VARIANCE_SIGMAS = 5.0  # three, of a variance from the lower four fifths of differences: 1.65 times sqrt(1 / n)
CONTRAST = 0.02  # lamps and flats are uneven by as much, and more over a good part of the frame
PEDESTAL = 0.3  # no bias is level to better than this part of a pixel's noise
QUIET_PEDESTAL = 0.05  # nor to better than this where nothing else shows, no light and no dip
LAMP_SIGMAS = 5.0
WIDE_PX = 40.0
GAP_WIDTHS = 3.0
EXPLAINED = 2.5
LESS_SURE = 0.5
WIDEST = 0.45
WIDEST_AT_EDGE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one orientation shows.

    ``candidates`` are the ridges along which light is continuous, brightest first, with a straight survey of each;
    ``wider`` those whose light narrower ones on them explain. ``comparable`` ridges have at least a tenth of the
    brightest one's light. ``rippled`` counts ridges that an uneven slit or a fixed pattern explains, ``broken`` those
    without light all along.
    """

    votes: Votes
    candidates: tuple[tuple[Trace, Ridge], ...]
    wider: tuple[tuple[Trace, Ridge], ...]
    comparable: int
    rippled: int
    broken: tuple[Trace, ...]

    @property
    def is_long(self) -> bool:
        """Whether the dispersion would run along the longer side."""
        return self.votes.length >= self.votes.across

    @property
    def is_blank(self) -> bool:
        """Whether hardly anything stands out at all."""
        traces = (*(trace for trace, _ in (*self.candidates, *self.wider)), *self.broken)
        return not self.rippled and all(trace.significance < BLANK for trace in traces)

    @property
    def is_faint(self) -> bool:
        """Whether no ridge rises above what fixed patterns do."""
        noise = float(np.median(self.votes.noise))
        ridges = (*(trace for trace, _ in self.candidates), *self.broken)
        return all(float(trace.flux.max()) < CLEAR_OF_PATTERN * noise * trace.width_px for trace in ridges)


def look_along(votes: Votes) -> Look:
    """Find the candidates of one orientation."""
    sums = sum_votes(votes)
    running: list[tuple[Trace, Ridge]] = []
    broken: list[tuple[Trace, Ridge]] = []
    for ridge in find_ridges(sums):
        trace = survey(votes, ridge)
        if ridge.significance > SURE and trace.brightness < 0.0:
            trace = survey(votes, ridge, near=True)
        (running if is_continuous(trace) else broken).append((trace, ridge))
    lamp, noise = most_lamp_light(votes), float(np.median(votes.noise))
    holes = _holes(votes, sums) if _could_be_ripples(running, lamp, noise) else []
    quiet = not broken and not holes and lamp < LAMP_SIGMAS * noise
    own = []
    ripples = []
    for trace, ridge in running:
        if _is_part_of(trace, ridge, broken):
            continue
        if height(trace) <= least_height(votes, trace.width_px, lamp, quiet=quiet) or _is_ripple(
            trace, ridge, running, holes, lamp
        ):
            ripples.append(trace)
        else:
            own.append((trace, ridge))
    candidates = _without_wider_views(own)
    wider = sorted((pair for pair in own if pair not in candidates), key=lambda pair: -pair[0].brightness)
    if candidates and _is_outshone(candidates[0][0], broken):
        candidates = []
    brightest = candidates[0][0].brightness if candidates else 0.0
    comparable = sum(trace.brightness > COMPARABLE * brightest for trace, _ in candidates)
    if votes.length < votes.across:  # lines across the dispersion may stand so close that they ripple
        comparable += sum(trace.brightness > COMPARABLE * brightest for trace in ripples)
    return Look(votes, tuple(candidates), tuple(wider), comparable, len(ripples), tuple(one for one, _ in broken))


def _is_outshone(first: Trace, broken: list[tuple[Trace, Ridge]]) -> bool:
    """Whether several ridges that are no traces have as much light as the brightest that may be one, or half of it.

    In a field of stars, or among the lines of an echelle's lamp, some will lie so that they seem to make a trace.
    """
    total = float(first.flux.sum())
    like = [one for one, _ in broken if one.width_px < FEW_WIDTHS * first.width_px]
    return sum(float(one.flux.sum()) > 0.5 * total for one in like) >= MANY_BROKEN


def _is_part_of(trace: Trace, ridge: Ridge, broken: list[tuple[Trace, Ridge]]) -> bool:
    """Whether a weak ridge lies beside something far stronger that is no trace: a star, a lamp's edge."""
    stronger = (other for other, one in broken if one.significance >= ridge.significance)
    beside = any(abs(other.place - trace.place) > 0.5 * trace.width_px for other in stronger)
    return beside and ridge.significance <= SURE


def _could_be_ripples(running: list[tuple[Trace, Ridge]], lamp: float, noise: float) -> bool:
    """Whether the ridges are low enough for an uneven slit or a fixed pattern to make them."""
    return any(height(trace) < lamp + CLEAR_OF_PATTERN * noise for trace, _ in running)


def _holes(votes: Votes, sums: list[Sums]) -> list[Trace]:
    """The dips along which light is missing."""
    return [hole for hole in (survey(votes, dip, hole=True) for dip in find_dips(sums)) if _is_hole(hole)]


def is_continuous(trace: Trace) -> bool:
    """Whether light is there along the frame: not the image of a star, nor of a few, nor a chance alignment.

    Without the sixth of the parts that shows most, the rest must still show it; or a quarter of the length does so
    without a gap. One place far above all others is the image of a star, though its smear runs along the frame;
    several are the lines of a nebula or a nova.
    """
    if not trace.inside(np.array([0.0, (trace.length - 1) / 2, trace.length - 1.0])):
        return False
    middle = trace.place
    to_edge = min(middle, trace.across - 1.0 - middle)
    if trace.width_px > (WIDEST if to_edge > 1.5 * trace.width_px else WIDEST_AT_EDGE) * trace.across:
        return False
    sigmas = trace.flux / trace.flux_err
    ordered = np.sort(sigmas)
    rest = ordered[: -(sigmas.size // 6)]
    throughout = float(rest.sum()) > SEEN * np.sqrt(rest.size) and float(ordered[sigmas.size // 2]) > 0.5
    return (throughout or _longest_run(sigmas > SEEN) >= SHORTEST_SPECTRUM) and not _is_image(trace)


def _longest_run(lit: NDArray[np.bool_]) -> int:
    """The longest piece without a gap."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], lit, [False]))))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def _is_image(trace: Trace) -> bool:
    """Whether nearly all light is in one place.

    Either in up to four parts, and the rest as even as a smear; or four fifths of it in a piece of less than a quarter
    of the length and not much longer than it is wide: a round image, and what lies about it.
    """
    bright = np.flatnonzero(trace.flux > ONE_IMAGE * trace.flux.max())
    if np.ptp(bright) < LONGEST_IMAGE:
        faint = np.ones(trace.flux.size, dtype=bool)
        faint[max(bright[0] - 1, 0) : bright[-1] + 2] = False
        if unevenness(trace.flux[faint], trace.flux_err[faint]) < EVEN:
            return True
    total = np.concatenate(([0.0], np.cumsum(np.maximum(trace.flux, 0.0))))
    ends = np.searchsorted(total, total + 0.8 * total[-1])
    pieces = (ends - np.arange(total.size))[ends < total.size]
    shortest = float(np.min(pieces, initial=trace.flux.size)) * trace.length / trace.flux.size
    return shortest < min(ROUND * trace.width_px, trace.length / 4)


def unevenness(light: Doubles, error: Doubles) -> float:
    """How much the light changes along a ridge: the range of its middle four fifths over its median, noise off.

    A line of a lamp along the slit is even as far as the slit reaches; the spectrum of a star hardly ever is.
    """
    top = float(quantiles(light, 0.8)[0])
    lit = np.flatnonzero(light > LIT * top)
    inner = light[lit[0] : lit[-1] + 1][1:-1] if lit.size else light[:0]
    if inner.size < 4:
        return np.inf
    low, typical, high = quantiles(inner, 0.1, 0.5, 0.9)
    noise = 2.56 * float(quantiles(error, 0.5)[0])
    return float(np.sqrt(max((high - low) ** 2 - noise**2, 0.0)) / max(float(typical), 1e-9))


def quantiles(values: NDArray[np.floating[Any]], *fractions: float) -> Doubles:
    """The values below which these fractions lie, by straight lines between the sorted values."""
    ordered = np.sort(values, axis=None)
    return np.asarray(np.interp(np.array(fractions) * (ordered.size - 1), np.arange(ordered.size), ordered))


def height(trace: Trace) -> float:
    """Typical light per pixel, ADU, above what lies on both sides."""
    return trace.brightness / max(trace.width_px, 1.0)


def least_height(votes: Votes, width: float, lamp: float, *, quiet: bool) -> float:
    """How high a ridge must stand, ADU, for neither an uneven lamp nor an uneven bias to make it."""
    uneven = lamp * (CONTRAST + width / votes.across)
    pedestal = (QUIET_PEDESTAL if quiet else PEDESTAL) * votes.pixel_noise
    return max(uneven, pedestal) if width > WIDE_PX else uneven


def most_lamp_light(votes: Votes) -> float:
    """The most light, ADU per pixel, that can lie evenly over the frame: a lamp, or a bright sky.

    Two bounds, and the lesser counts. The darkest parts (overscan, beyond the ends of the slit, one end of the
    spectrum) lie below the middle by less than it. And light brings noise: between the darker half of the pixels and
    the brighter one it is at most 5 e-/ADU times what the variance of a pixel grows by, known to 3 sigma; a step
    between amplifiers or a slope of the bias has none.
    """
    every = max(1, votes.across // 256)
    upper = votes.residuals[:, 1::every] + votes.level[:, None]
    lower = votes.residuals[:, :-1:every][:, : upper.shape[1]] + votes.level[:, None]
    is_dark = upper + lower < 2.0 * middle(upper.ravel())
    if not 0 < np.count_nonzero(is_dark) < is_dark.size:
        return 0.0
    steps = np.abs(upper - lower)
    least, most = (steps_noise(steps[part]) ** 2 for part in (is_dark, ~is_dark))
    photons = MOST_GAIN * votes.averaged * (max(most - least, 0.0) + VARIANCE_SIGMAS * most / np.sqrt(steps.size / 2))
    return float(min(photons, darkest(votes)))


def darkest(votes: Votes) -> float:
    """How far the darkest pixels lie below the middle, more than noise makes, ADU."""
    every = max(1, votes.across // 96)
    dark, typical = quantiles(votes.residuals[:, ::every] + votes.level[:, None], 0.02, 0.5)
    return max(float(typical - dark - 2.5 * middle(votes.noise)), 0.0)


def _is_hole(hole: Trace) -> bool:
    """Whether light is missing all along, with frame on both sides of it."""
    ends = hole.center(np.array([0.0, hole.length - 1.0]))
    if not (ends.min() > 2.0 * hole.width_px and ends.max() < hole.across - 1.0 - 2.0 * hole.width_px):
        return False
    sigmas = hole.flux / hole.flux_err
    return float(np.median(sigmas)) > 0.5 and float(sigmas.sum() / np.sqrt(sigmas.size)) > 5.0


def _is_ripple(trace: Trace, ridge: Ridge, running: list[tuple[Trace, Ridge]], holes: list[Trace], lamp: float) -> bool:
    """Whether dips of like depth stand beside the ridge: an uneven slit and a fixed pattern go both ways.

    One ridge far above all the others, and above what light there is to be uneven, need not be as far above the
    dips. The gap between two stars, or the hole of a doughnut, is a dip as well, but lies between the two highest
    ridges.
    """
    own = height(trace)
    clear = CLEAR_OF_RIPPLES if ridge.significance > SURE else CLEAR_WHERE_WEAK
    highest = sorted((height(other) for other, _ in running), reverse=True)[:2]
    if own > lamp and len(holes) >= MANY_HOLES and own > CLEAR_OF_MANY * max(highest[1:], default=0.0):
        clear = CLEAR_OF_MANY
    pair = [other.place for other, _ in running if height(other) >= highest[-1]]
    for hole in holes:
        place, reach = hole.place, GAP_WIDTHS * hole.width_px
        between = place - reach < min(pair) < place < max(pair) < place + reach
        if own < clear * height(hole) and not between and not any(_is_hole_of(hole, other) for other, _ in running):
            return True
    return False


def _is_hole_of(hole: Trace, image: Trace) -> bool:
    """Whether a dip is the hole of a doughnut: inside it, and about as deep as it is high. A flat has shallow ones."""
    inside = abs(hole.place - image.place) < 0.5 * image.width_px
    return inside and hole.width_px < 0.5 * image.width_px and height(hole) > 0.5 * height(image)


def _without_wider_views(own: list[tuple[Trace, Ridge]]) -> list[tuple[Trace, Ridge]]:
    """Leave out wide ridges whose light the narrower ones on them explain; brightest first."""
    kept: list[tuple[Trace, Ridge]] = []
    for trace, ridge in sorted(own, key=lambda pair: (pair[0].width_px, -pair[0].brightness)):
        inside = [pair for pair in kept if abs(pair[0].place - trace.place) <= trace.width_px]
        surest = max((other.significance for _, other in inside), default=0.0)
        explained = sum(other.brightness for other, _ in inside)
        if trace.brightness > EXPLAINED * explained and ridge.significance > LESS_SURE * surest:
            kept.append((trace, ridge))
    return sorted(kept, key=lambda pair: -pair[0].brightness)
