"""The clear case, settled by one cheap look: a single bright trace that every part of the frame shows.

Nothing here is a verdict on a doubtful frame: where any check fails, the frame is looked at in full.
"""

from __future__ import annotations

import numpy as np

from autofocus.measure.spectrum.finding.candidates import CONTRAST, darkest, height
from autofocus.measure.spectrum.finding.ridge import CLIP, DETECTION, MAX_SLANT, Ridge, stand_out
from autofocus.measure.spectrum.finding.sampling import BLOCKS, Floats
from autofocus.measure.spectrum.finding.trace import Trace, follow
from autofocus.measure.spectrum.finding.votes import Votes, middle, rows_together

MOST_ASTRAY = BLOCKS // 8
THIRD = BLOCKS // 3
MOST_BEND = 0.01
NEAR_PX = 48
WIDEST_PX = 24.0
SEEN = 5.0
FAINTEST_PART = 0.05
BESIDE_WIDTHS = 3.0
TO_EDGE_WIDTHS = 6.0
FAR_ABOVE = 5.0
NEGLIGIBLE = 0.01


def clear_trace(votes: Votes) -> Trace | None:
    """The trace, where nothing else on the frame could be meant; None where there is any doubt."""
    ridge = _brightest_line(votes)
    if ridge is None:
        return None
    trace = follow(votes, ridge, straight=1)
    return trace if _is_sound(votes, trace) and _is_alone(votes, trace) else None


def _bin_rows(votes: Votes) -> int:
    return 4 if votes.across > 1024 else 2


def _brightest_line(votes: Votes) -> Ridge | None:
    """The straight line along which nearly all parts have their brightest rows, and the width of the light about it."""
    size = _bin_rows(votes)
    rows = (np.argmax(votes.binned(size), axis=1) + 0.5) * size - 0.5
    slant = float(middle(rows[-THIRD:]) - middle(rows[:THIRD])) * BLOCKS / (BLOCKS - THIRD)
    line = slant * ((np.arange(BLOCKS) + 0.5) / BLOCKS - 0.5)
    center = float(middle(rows - line))
    astray = np.abs(rows - center - line) > 2.5 * size + MOST_BEND * votes.length
    if np.count_nonzero(astray) > MOST_ASTRAY or abs(slant) > MAX_SLANT * votes.length:
        return None
    near = np.rint(center + line).astype(np.intp)[:, None] + np.arange(-NEAR_PX, NEAR_PX + 1)
    profile = votes.residuals.ravel().take(near.clip(0, votes.across - 1) + votes.across * np.arange(BLOCKS)[:, None])
    profile = profile.mean(axis=0) - middle(profile.mean(axis=0))
    width = int(np.count_nonzero(profile > 0.5 * profile.max()))
    return Ridge(center, slant, float(width), np.inf) if width <= WIDEST_PX else None


def _is_sound(votes: Votes, trace: Trace) -> bool:
    """Whether the light of a star is there along the frame, well away from its edges, and no lamp's."""
    center = trace.center(votes.x)
    margin = TO_EDGE_WIDTHS * trace.width_px
    if center.min() < margin or center.max() > votes.across - 1.0 - margin or trace.width_px > WIDEST_PX:
        return False
    seen = np.count_nonzero(trace.flux > SEEN * trace.flux_err)
    lit = np.count_nonzero(trace.flux > FAINTEST_PART * trace.flux.max())
    if min(seen, lit) < BLOCKS - MOST_ASTRAY:
        return False
    return height(trace) > FAR_ABOVE * darkest(votes) * (CONTRAST + trace.width_px / votes.across)


def _is_alone(votes: Votes, trace: Trace) -> bool:
    """Whether no other ridge, and no dip that an uneven slit could make, runs beside the trace."""
    size = _bin_rows(votes)
    anchor = trace.place
    shift = np.rint((trace.center(votes.x) - anchor) / size).astype(np.intp)
    straight = _straightened(votes.binned(size), shift)
    votes_cast = straight / (votes.noise / np.float32(np.sqrt(size)))[:, None]
    clipped = np.minimum(np.maximum(votes_cast, -CLIP), CLIP).mean(axis=0, keepdims=True) * np.float32(np.sqrt(BLOCKS))
    light = straight.mean(axis=0, keepdims=True)
    together = 1
    while together <= 16 and light.shape[1] >= 8 * together:
        span = size * together
        place = np.arange(1, light.shape[1] // together) * span - 0.5
        aside = np.abs(place - anchor) > BESIDE_WIDTHS * trace.width_px + 2.0 * span
        coarse = rows_together(clipped, together)
        strong = aside & (stand_out(np.concatenate((coarse, -coarse))) > DETECTION * np.sqrt(0.75 / together))
        if strong.any():
            coarse = rows_together(light, together)
            high = stand_out(np.concatenate((coarse, -coarse)))
            if np.any(strong & (high > [[NEGLIGIBLE * trace.brightness / span], [height(trace) / FAR_ABOVE]])):
                return False
        together *= 4
    return True


def _straightened(rows: Floats, shift: np.ndarray) -> Floats:
    """The parts, each shifted."""
    blocks, across = rows.shape
    places = np.minimum(np.maximum(np.arange(across) + shift[:, None], 0), across - 1)
    places += across * np.arange(blocks)[:, None]
    return np.asarray(rows.ravel().take(places))
