"""The ridges that could be traces: light all along the frame, more than the ripples of an uneven slit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autofocus.measure.spectrum.ridge import Ridge, Sums, Votes, find_dips, find_ridges, sum_votes
from autofocus.measure.spectrum.sampling import Doubles
from autofocus.measure.spectrum.trace import Trace, survey

SURE = 20.0
ONE_IMAGE = 0.2
CLEAR_OF_PATTERN = 5.0
LIT = 0.2
EVEN = 0.3
LONGEST_IMAGE = 4
COMPARABLE = 0.1
CLEAR_OF_RIPPLES = 2.0
CLEAR_WHERE_WEAK = 3.0
MOST_GAIN = 5.0  # e-/ADU
CONTRAST = 0.02  # lamps and flats are uneven by as much, and more over a good part of the frame
GAP_WIDTHS = 3.0
EXPLAINED = 2.5
LESS_SURE = 0.5
WIDEST = 0.45
WIDEST_AT_EDGE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one orientation shows.

    ``candidates`` are the ridges along which light is continuous, brightest first, with a straight survey of each;
    ``comparable`` ridges have at least a tenth of the brightest one's light. ``rippled`` counts ridges that an uneven
    slit or a fixed pattern explains, ``broken`` those without light all along.
    """

    votes: Votes
    candidates: tuple[tuple[Trace, Ridge], ...]
    comparable: int
    rippled: int
    broken: int

    @property
    def is_long(self) -> bool:
        """Whether the dispersion would run along the longer side."""
        return self.votes.length >= self.votes.across

    @property
    def is_faint(self) -> bool:
        """Whether no ridge rises above what fixed patterns do."""
        noise = float(np.median(self.votes.noise))
        return all(height(trace) < CLEAR_OF_PATTERN * noise for trace, _ in self.candidates)


def look_along(votes: Votes) -> Look:
    """Find the candidates of one orientation."""
    sums = sum_votes(votes)
    seen = [(survey(votes, ridge), ridge) for ridge in find_ridges(sums)]
    running = [(trace, ridge) for trace, ridge in seen if is_continuous(trace)]
    broken = [(trace, ridge) for trace, ridge in seen if not is_continuous(trace)]
    lamp = most_lamp_light(votes)
    holes = _holes(votes, sums) if _could_be_ripples(running, lamp, float(np.median(votes.noise))) else []
    own = []
    ripples = []
    for trace, ridge in running:
        if _is_part_of(trace, ridge, broken):
            continue
        least = lamp * (CONTRAST + trace.width_px / votes.across)
        if height(trace) <= least or _is_ripple(trace, ridge, running, holes):
            ripples.append(trace)
        else:
            own.append((trace, ridge))
    candidates = _without_wider_views(own)
    brightest = candidates[0][0].brightness if candidates else 0.0
    comparable = sum(trace.brightness > COMPARABLE * brightest for trace, _ in candidates)
    if votes.length < votes.across:  # lines across the dispersion may stand so close that they ripple
        comparable += sum(trace.brightness > COMPARABLE * brightest for trace in ripples)
    return Look(votes, tuple(candidates), comparable, len(ripples), len(broken))


def _is_part_of(trace: Trace, ridge: Ridge, broken: list[tuple[Trace, Ridge]]) -> bool:
    """Whether a weak ridge lies beside something far stronger that is no trace: a star, a lamp's edge."""
    stronger = (other for other, one in broken if one.significance >= ridge.significance)
    beside = any(abs(_place(other) - _place(trace)) > 0.5 * trace.width_px for other in stronger)
    return beside and ridge.significance <= SURE


def _could_be_ripples(running: list[tuple[Trace, Ridge]], lamp: float, noise: float) -> bool:
    """Whether the ridges are low enough for an uneven slit or a fixed pattern to make them."""
    return any(height(trace) < lamp + CLEAR_OF_PATTERN * noise for trace, _ in running)


def _holes(votes: Votes, sums: list[Sums]) -> list[Trace]:
    """The dips along which light is missing."""
    return [hole for hole in (survey(votes, dip, hole=True) for dip in find_dips(sums)) if _is_hole(hole)]


def is_continuous(trace: Trace) -> bool:
    """Whether light is there along the frame: not the image of a star, nor of a few, nor a chance alignment.

    Without the sixth of the parts that shows most, the rest must still show it. One place far above all others is the
    image of a star, though its smear runs along the frame; several are the lines of a nebula or a nova.
    """
    if not trace.inside(np.array([0.0, (trace.length - 1) / 2, trace.length - 1.0])):
        return False
    middle = _place(trace)
    to_edge = min(middle, trace.across - 1.0 - middle)
    if trace.width_px > (WIDEST if to_edge > 1.5 * trace.width_px else WIDEST_AT_EDGE) * trace.across:
        return False
    sigmas = np.sort(trace.flux / trace.flux_err)
    most = sigmas.size // 6
    rest = float(sigmas[:-most].sum() / np.sqrt(sigmas.size - most))
    return rest > 5.0 and float(np.median(sigmas)) > 0.5 and not _is_image(trace)


def _is_image(trace: Trace) -> bool:
    """Whether nearly all light is in one place, of up to four parts, and the rest as even as a smear."""
    bright = np.flatnonzero(trace.flux > ONE_IMAGE * trace.flux.max())
    if np.ptp(bright) >= LONGEST_IMAGE:
        return False
    faint = np.ones(trace.flux.size, dtype=bool)
    faint[max(bright[0] - 1, 0) : bright[-1] + 2] = False
    return unevenness(trace.flux[faint], trace.flux_err[faint]) < EVEN


def unevenness(light: Doubles, error: Doubles) -> float:
    """How much the light changes along a ridge: the range of its middle four fifths over its median, noise off.

    A line of a lamp along the slit is even as far as the slit reaches; the spectrum of a star hardly ever is.
    """
    top = float(np.percentile(light, 80.0))
    lit = np.flatnonzero(light > LIT * top)
    inner = light[lit[0] : lit[-1] + 1][1:-1] if lit.size else light[:0]
    if inner.size < 4:
        return np.inf
    low, middle, high = np.percentile(inner, [10.0, 50.0, 90.0])
    noise = 2.56 * float(np.median(error))
    return float(np.sqrt(max((high - low) ** 2 - noise**2, 0.0)) / max(float(middle), 1e-9))


def height(trace: Trace) -> float:
    """Typical light per pixel, ADU, above what lies on both sides."""
    return trace.brightness / max(trace.width_px, 1.0)


def most_lamp_light(votes: Votes) -> float:
    """The most light, ADU per pixel, that can lie evenly over the frame: a lamp, or a bright sky.

    Two bounds, and the lesser counts: photons are at most 5 e-/ADU times the variance of a pixel, and the darkest parts
    (overscan, beyond the ends of the slit, one end of the spectrum) lie below the middle by less than it.
    """
    noise = float(np.median(votes.noise))
    every = max(1, votes.across // 256)
    pixels = votes.residuals[:, ::every] + votes.level[:, None]
    dark, middle = np.percentile(pixels, [2.0, 50.0])
    return float(max(min(MOST_GAIN * noise**2, float(middle - dark) - 2.5 * noise), 0.0))


def _is_hole(hole: Trace) -> bool:
    """Whether light is missing all along, with frame on both sides of it."""
    ends = hole.center(np.array([0.0, hole.length - 1.0]))
    if not (ends.min() > 2.0 * hole.width_px and ends.max() < hole.across - 1.0 - 2.0 * hole.width_px):
        return False
    sigmas = hole.flux / hole.flux_err
    return float(np.median(sigmas)) > 0.5 and float(sigmas.sum() / np.sqrt(sigmas.size)) > 5.0


def _is_ripple(trace: Trace, ridge: Ridge, running: list[tuple[Trace, Ridge]], holes: list[Trace]) -> bool:
    """Whether dips of like depth stand beside the ridge: an uneven slit and a fixed pattern go both ways.

    The gap between two stars, or the hole of a doughnut, is a dip as well, but lies between the two highest ridges.
    """
    own = height(trace)
    clear = CLEAR_OF_RIPPLES if ridge.significance > SURE else CLEAR_WHERE_WEAK
    highest = sorted((height(other) for other, _ in running), reverse=True)[:2]
    pair = [_place(other) for other, _ in running if height(other) >= highest[-1]]
    for hole in holes:
        place, reach = _place(hole), GAP_WIDTHS * hole.width_px
        between = place - reach < min(pair) < place < max(pair) < place + reach
        if own < clear * height(hole) and not between and not any(_is_hole_of(hole, other) for other, _ in running):
            return True
    return False


def _is_hole_of(hole: Trace, image: Trace) -> bool:
    """Whether a dip is the hole of a doughnut: inside it, and about as deep as it is high. A flat has shallow ones."""
    inside = abs(_place(hole) - _place(image)) < 0.5 * image.width_px
    return inside and hole.width_px < 0.5 * image.width_px and height(hole) > 0.5 * height(image)


def _place(trace: Trace) -> float:
    return float(trace.center((trace.length - 1) / 2))


def _without_wider_views(own: list[tuple[Trace, Ridge]]) -> list[tuple[Trace, Ridge]]:
    """Leave out wide ridges whose light the narrower ones on them explain; brightest first."""
    kept: list[tuple[Trace, Ridge]] = []
    for trace, ridge in sorted(own, key=lambda pair: (pair[0].width_px, -pair[0].brightness)):
        inside = [pair for pair in kept if abs(_place(pair[0]) - _place(trace)) <= trace.width_px]
        surest = max((other.significance for _, other in inside), default=0.0)
        explained = sum(other.brightness for other, _ in inside)
        if trace.brightness > EXPLAINED * explained and ridge.significance > LESS_SURE * surest:
            kept.append((trace, ridge))
    return sorted(kept, key=lambda pair: -pair[0].brightness)
