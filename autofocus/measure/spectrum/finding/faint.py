"""The faintest traces: sought in all pixels of a frame that shows nothing else, with the best filter there is.

The look of `ridge` must stand steps, slopes and patterns, and pays for it. Here the light of each part is the mean of
all its columns, the lines are matched by pairs of bins against long sides, and the limit follows from how many lines
are tried. In return the frame must be even: what stands on a slope, beside a step, or among dips as deep, is no trace.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from autofocus.measure.spectrum.finding.candidates import height, least_height, most_lamp_light
from autofocus.measure.spectrum.finding.image import is_step
from autofocus.measure.spectrum.finding.ridge import MAX_SLANT, Ridge, compress, sum_along
from autofocus.measure.spectrum.finding.sampling import BLOCKS, Floats, clipped_mean
from autofocus.measure.spectrum.finding.trace import Trace, survey
from autofocus.measure.spectrum.finding.votes import Votes, middle, neighbour_noise, rows_together
from autofocus.model import Frame

FALSE_ALARMS = 1e-3  # of all lines tried on a frame, how many of noise may pass
CLIP = 3.0
SIDE = 8
MARGINS = 2 * SIDE + 3  # two sides, and the bins between them and the pair, but one
LEVEL = 3.0
NEARLY = 1.0
MOST_MATCHED = 4
WIDTHS = np.array([0.6, 0.85, 1.2, 1.7])
OFFSETS = np.linspace(-1.0, 1.0, 9)
FAINT = 2.5  # limits: the look before would have found it, were it a trace
SEEN = 4.0
ABOVE = 1.5
HILL = 0.05
BRIGHTEST_OF_NOISE = 7.4  # sigmas: the sum of the largest five of 32 numbers of a Gaussian
DETREND = 2


def faint_trace(frame: Frame, sampled: Votes) -> Trace | None:
    """The straight trace along which all columns show light that noise hardly ever does, and no uneven lamp.

    Parameters
    ----------
    frame : Frame
        One on which nothing stands out.
    sampled : Votes
        The typical columns of all parts of it.

    Returns
    -------
    Trace or None
        As faint as it must be to be found here only.
    """
    votes = all_columns(frame, sampled)
    cast = compress(votes.residuals / votes.noise[:, None])
    least = limit(votes) * _patterned(cast)
    matched = [_matched(votes, cast, ridge) for ridge in _sought(cast, votes.length, least)]
    best = max((one for one in matched if one is not None), key=lambda one: one.significance, default=None)
    if best is None or not least < best.significance < FAINT * limit(votes) or not is_throughout(best):
        return None
    lowest = least_height(sampled, best.width_px, most_lamp_light(sampled), quiet=True)
    return best if height(best) > lowest and not is_step(sampled, best) and _is_above(sampled, best) else None


def _is_above(sampled: Votes, trace: Trace) -> bool:
    """Whether wide light is above the higher of its sides as they are: of a step, a curve taken off makes a hill."""
    if trace.width_px < HILL * trace.across:
        return True
    center = float(trace.center(0.5 * (trace.length - 1)))
    seen = survey(sampled, Ridge(center, trace.slant_px, trace.width_px, trace.significance))
    return bool(seen.flux.sum() > ABOVE * np.sqrt(np.square(seen.flux_err).sum()))


def all_columns(frame: Frame, sampled: Votes) -> Votes:
    """The votes of all pixels, each part's slope and bow across the dispersion taken off."""
    typical = sampled.residuals + sampled.level[:, None]
    reach = np.float32(CLIP * np.sqrt(sampled.averaged)) * sampled.noise
    columns = clipped_mean(frame, sampled.axis, typical, reach)
    residuals = _evened(columns - sampled.level[:, None])
    noise = neighbour_noise(residuals)
    noise = np.maximum(noise, 0.5 * middle(noise))
    period = sampled.length // BLOCKS
    x = (sampled.length - period * BLOCKS) // 2 + 0.5 * (period - 1) + period * np.arange(BLOCKS, dtype=np.float64)
    return Votes(sampled.axis, residuals, sampled.level, noise, x, sampled.length, 1, float(period))


def is_throughout(trace: Trace) -> bool:
    """Whether the light goes on where it is not brightest, as far as can be told."""
    sigmas = np.sort(trace.flux / trace.flux_err)
    rest = sigmas[: -(BLOCKS // 6)]
    return bool(float(rest.sum()) + BRIGHTEST_OF_NOISE > SEEN * np.sqrt(rest.size))


def limit(votes: Votes) -> float:
    """How far a line must stand out, in sigma, for noise to do so on one frame in a thousand.

    Tried are the slants times the places across, a third of it more for all wider bins, so many widths of each, and
    both axes. That neighbours of these share their noise makes it rarer.
    """
    lines = 4 / 3 * (MAX_SLANT * votes.length + 1) * votes.across * WIDTHS.size
    return -NormalDist().inv_cdf(FALSE_ALARMS / (2.0 * lines))


def _evened(residuals: Floats) -> Floats:
    """Each part without its own slope and bow across the dispersion."""
    size = max(1, residuals.shape[1] // 64)
    coarse = rows_together(residuals, size)
    u = np.linspace(-1.0, 1.0, coarse.shape[1] * size)
    powers = np.polynomial.legendre.legvander(rows_together(u[None].astype(np.float32), size)[0], DETREND)
    fitted = np.linalg.lstsq(powers, coarse.T, rcond=None)[0]
    every = np.polynomial.legendre.legvander(np.linspace(-1.0, 1.0, residuals.shape[1]), DETREND)
    return np.asarray(residuals - (every @ fitted).T, np.float32)


def _sought(cast: Floats, length: int, least: float) -> list[Ridge]:
    """The lines that nearly stand out far enough; none where a dip does, as patterns go both ways."""
    size, found = 1, []
    while cast.shape[1] > MARGINS:
        reach = int(np.ceil(MAX_SLANT * length / size / 2))
        slants = np.arange(-reach, reach + 1) * 2
        score = _score(sum_along(cast, slants) / _white(cast))
        if float(score.min()) < -least:
            return []
        best = score.max(axis=0)
        for pair in np.argsort(best)[-MOST_MATCHED:]:
            if best[pair] > least - NEARLY:
                slant = float(slants[int(np.argmax(score[:, pair]))] * size)
                found.append(Ridge((pair + SIDE + 2) * size - 0.5, slant, 2.0 * size, float(best[pair])))
        size *= 2
        cast = rows_together(cast, 2)
    return sorted(found, key=lambda ridge: -ridge.significance)[:MOST_MATCHED]


def _white(cast: Floats) -> np.float32:
    """Noise of the mean of a row over the parts."""
    return np.float32(1.4826 * float(middle(np.abs(np.diff(cast, axis=1)).ravel())) / np.sqrt(2 * BLOCKS) + 1e-9)


def _patterned(cast: Floats) -> float:
    """How many times more the rows differ than their noise alone would have them do: a pattern all along the frame.

    The deviation of so many rows is known to 0.8 / sqrt(rows) from the median; less than twice that is no pattern.
    """
    profile = cast.mean(axis=0)
    steps = 1.4826 * float(middle(np.abs(np.diff(profile)))) / np.sqrt(2.0)
    spread = 1.4826 * float(middle(np.abs(profile - middle(profile))))
    times = float(max(steps, spread) / _white(cast))
    return times if times > 1.0 + 1.6 / np.sqrt(profile.size) else 1.0


def _matched(votes: Votes, cast: Floats, ridge: Ridge) -> Trace | None:
    """The Gaussian on an even ground that fits the light about a line best, and what each part shows of it."""
    width, size = ridge.width_px, 0.5 * ridge.width_px
    ends = 0.5 * abs(ridge.slant_px) + 2.0 * size
    half = int(min(5.0 * width, ridge.center_px - ends, votes.across - 1.0 - ridge.center_px - ends))
    if half < 2.0 * width:
        return None
    anchor, place = round(ridge.center_px), (np.arange(BLOCKS) + 0.5) / BLOCKS - 0.5
    distance = np.arange(-half, half + 1)
    slants = ridge.slant_px + size * np.arange(-2, 3)
    shifts = np.rint(slants[:, None] * place).astype(np.intp)
    rows = anchor + shifts[:, :, None] + distance
    parts = np.arange(BLOCKS)[:, None]
    profiles = cast[parts, rows].mean(axis=1) / _white(cast)
    widths = np.repeat(width * WIDTHS, OFFSETS.size)
    centers = ridge.center_px - anchor + size * np.tile(OFFSETS, WIDTHS.size)
    bells = np.exp(-4.0 * np.log(2.0) * np.square((distance - centers[:, None]) / widths[:, None]))
    level = bells - bells.mean(axis=1)[:, None]
    norms = np.sqrt(np.einsum("ij,ij->i", level, level))
    scores = level / norms[:, None] @ profiles.T
    shape, slant = np.unravel_index(int(np.argmax(scores)), scores.shape)
    light = bells[shape].sum() / norms[shape] ** 2
    flux = votes.residuals[parts, rows[slant]] @ level[shape] * light
    error = votes.noise * light * norms[shape]
    line = (float(anchor + centers[shape]), 0.5 * float(slants[slant]), 0.0, 0.0)
    significance = float(scores[shape, slant])
    return Trace(
        votes.axis, votes.length, votes.across, line, float(widths[shape]), significance, flux, error, faint=True
    )


def _score(stack: Floats) -> Floats:
    """How far each pair of bins stands out of the mean of its sides, in sigma, shape (slants, rows - MARGINS).

    The first pair is the one that has a whole side before it. Where the sides are not level it is 0.
    """
    count = stack.shape[1] - MARGINS
    total = np.zeros((stack.shape[0], stack.shape[1] + 1), dtype=np.float32)
    np.cumsum(stack, axis=1, out=total[:, 1:])

    def mean(first: int, bins: int) -> Floats:
        bounds = (total[:, first + bins : first + bins + count], total[:, first : first + count])
        return np.asarray((bounds[0] - bounds[1]) * np.float32(1.0 / bins))

    left, right, score = mean(0, SIDE), mean(SIDE + 4, SIDE), mean(SIDE + 1, 2)
    left -= right
    right += np.float32(0.5) * left
    score -= right
    score *= np.float32(1.0 / np.sqrt(0.5 + 0.5 / SIDE))
    score[np.abs(left) > LEVEL * np.sqrt(2.0 / SIDE)] = 0.0
    return score
