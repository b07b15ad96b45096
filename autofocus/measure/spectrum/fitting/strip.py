"""A strip cleaned with its own model, in turns: what is cleaned fits better, what fits better cleans better."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from autofocus.measure.spectrum.fitting.background import median, straight_span
from autofocus.measure.spectrum.fitting.belief import Doubt
from autofocus.measure.spectrum.fitting.bow import Bow, bow
from autofocus.measure.spectrum.fitting.cleaning import REJECT_SIGMAS, clean, uncleaned
from autofocus.measure.spectrum.fitting.half_maximum import missed_width
from autofocus.measure.spectrum.fitting.ladder import is_faint
from autofocus.measure.spectrum.fitting.model_fit import ProfileFit, fit_roughly, with_ripples
from autofocus.measure.spectrum.fitting.neighbours import (
    ROW_SIGMAS,
    STAR_SIGMAS,
    bad_rows,
    peak_beside,
    unexplained,
)
from autofocus.measure.spectrum.fitting.profile import CleanStrip, Samples, Strip, at_phases, average
from autofocus.measure.spectrum.fitting.slit_end import slit_ends
from autofocus.measure.spectrum.fitting.star_model import StarModel
from autofocus.measure.spectrum.fitting.width import fit_profile, standing_of_stars

MOST_UNKNOWN = 3  # stars, or sets of bad rows, told by what one fit after the other leaves
MOST_PASSES = 4
SETTLED = 0.2  # ln of the width
ALIKE = 0.1  # of the light: half of what cleaning tolerates
MOST_REJECTED = 0.2  # of a row: rays hit far less
UNMOVED = 0.05  # of an error
SAMPLES_PER_WIDTH = 15
WIDTH_WITHOUT_PHASE = 8.0
BRIGHT = 0.2  # of our star's peak
FAR_WIDTHS = 2.0
ASIDE_WIDTHS = 1.5
EVERY = 3  # of so many pixels one: enough to tell their noise
INNER_WIDTHS, INNER_PX = 3.0, 3.0  # about the trace: there the star is too bright to tell of its background


@dataclass(frozen=True, slots=True, eq=False)
class FittedStrip:
    """A strip cleaned with its own model, the model, and the offsets between which the background is straight.

    ``doubt`` is what else its width may be, ``bow`` what was taken off a background that curves.
    """

    cleaned: CleanStrip
    fit: ProfileFit
    span: tuple[int, int]
    doubt: Doubt
    bow: Bow


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A fit, the same before ripples came on top, and the doubt about its width."""

    fit: ProfileFit
    plain: ProfileFit
    doubt: Doubt


def fit_strip(strip: Strip, width_px: float, neighbours: tuple[float, ...]) -> FittedStrip | None:
    """Clean with a rough fit as the star, average and fit; clean and fit again where the model that came is another.

    Once more where the width was far from the one that the strip was cleaned with.
    """
    first, scatter, steep = _prepared(strip, width_px)
    strip = first.strip
    seen = strip.offsets[np.isfinite(first.profile)]
    neighbours = tuple(place for place in neighbours if seen.size and seen[0] <= place <= seen[-1])
    second = () if neighbours else peak_beside(strip.offsets, first.profile, _median_noise(first, scatter), width_px)
    neighbours = neighbours or second
    cleaned, used = _first_cleaned(first, width_px, neighbours)
    width_px = width_px if used is None else used.rough_width
    span = _span(cleaned, width_px)
    curved = _bow(cleaned, span, width_px, neighbours)
    if curved.curvature != 0.0:
        strip = _without(strip, curved)
        cleaned, used = _first_cleaned(uncleaned(strip, width_px), width_px, neighbours)
        span = _span(cleaned, width_px)
    curved = replace(curved, curvature=steep.curvature + curved.curvature)
    found = _fit_cleaned(cleaned, span, width_px, neighbours, None, used)
    if second:  # it may be the other rim
        found = _likelier(found, _fit_cleaned(cleaned, span, width_px, (), None))
    if found is None:
        return None
    if used is not None and _is_settled(cleaned, used, found.fit):
        return FittedStrip(cleaned, found.fit, span, found.doubt, curved)
    for _ in range(MOST_PASSES - 1):
        before, width_px = found, found.plain.rough_width
        cleaned = _clean_with(strip, found.fit, width_px)
        span = _span(cleaned, width_px)
        found = _fit_cleaned(cleaned, span, width_px, found.fit.places, found)
        if found is None:
            return None
        if found.plain.model.kind == before.plain.model.kind:
            found = replace(found, doubt=replace(before.doubt, missed_px=found.doubt.missed_px))
        if abs(np.log(found.plain.rough_width / width_px)) < SETTLED:
            break
    return FittedStrip(cleaned, found.fit, span, found.doubt, curved)


def _prepared(strip: Strip, width_px: float) -> tuple[CleanStrip, float, Bow]:
    """The lit rows about the trace, for a first look, the noise of their pixels, ADU, and the steep bow taken off."""
    first = uncleaned(strip, width_px)
    scatter = _pixel_scatter(first)
    offsets = strip.offsets
    low, high = slit_ends(offsets, first.profile, _median_noise(first, scatter), width_px)
    if (low, high) != (offsets[0], offsets[-1]):
        lit = (offsets >= low) & (offsets <= high)
        strip = replace(strip, values=np.where(lit[:, None], strip.values, np.float32(np.nan)))
        first = uncleaned(strip, width_px)
        scatter = _pixel_scatter(first)
    steep = _steep_bow(first, width_px, scatter)
    if steep.curvature != 0.0:
        first = uncleaned(_without(strip, steep), width_px)
        scatter = _pixel_scatter(first)
    return first, scatter, steep


def _likelier(found: _Found | None, other: _Found | None) -> _Found | None:
    """The one of two that what is seen speaks for; the first where they do not tell of the same samples."""
    if found is None or other is None:
        return found or other
    same = found.plain.fitted.value.size == other.plain.fitted.value.size
    return other if same and standing_of_stars(other.plain) > standing_of_stars(found.plain) else found


def _without(strip: Strip, curved: Bow) -> Strip:
    return replace(strip, values=strip.values - curved.at(strip.offsets).astype(np.float32)[:, None])


def _steep_bow(first: CleanStrip, width_px: float, scatter: float) -> Bow:
    """A bow of the medians so steep that at the ends of the strip cleaning would take the rows for impossible ones."""
    known = np.isfinite(first.profile)
    offsets, least = first.strip.offsets[known], REJECT_SIGMAS * scatter
    outer = first.profile[known][np.abs(offsets) > INNER_WIDTHS * width_px + INNER_PX]
    if outer.size == 0 or np.ptp(outer) < 0.5 * least:  # the most of a parabola lies in its outer half
        return Bow()
    steep = _bow(first, _span(first, width_px), width_px)
    return steep if abs(steep.curvature) * float(np.square(offsets).max()) > least else Bow()


def _pixel_scatter(first: CleanStrip) -> float:
    """Noise of a pixel, ADU. Medians of whole numbers are whole ones, most of them the same: pixels tell theirs."""
    away = np.abs(first.values - first.profile[:, None].astype(np.float32)).ravel()[::EVERY]
    return 1.4826 * median(away[np.isfinite(away)])


def _median_noise(first: CleanStrip, scatter: float) -> float:
    """Noise of the median of a row, ADU."""
    return 1.25 * scatter / float(np.sqrt(first.strip.columns.size))


def _first_cleaned(
    first: CleanStrip, width_px: float, neighbours: tuple[float, ...]
) -> tuple[CleanStrip, ProfileFit | None]:
    """The strip cleaned with a rough fit, or with its median column where none explains it: rows of it would go."""
    strip = first.strip
    rough = _rough_fit(first, width_px, neighbours)
    if rough is not None:
        cleaned = _clean_with(strip, rough, rough.rough_width)
        if cleaned.rejected.mean(axis=1).max() < MOST_REJECTED:
            return cleaned, rough
    return clean(strip, width_px), None


def _rough_fit(first: CleanStrip, width_px: float, neighbours: tuple[float, ...]) -> ProfileFit | None:
    """A Moffat through the medians of the columns; None where these are too faint to say what the star is."""
    samples = average(first, _groups(first, width_px), 2.5 * width_px + 2.0, medians=True)
    if samples.value.size < 8 or not first.noise.read_variance > 0:
        return None
    start = np.array([0.0, np.log(width_px), 0.1, *neighbours])
    rough = fit_roughly(StarModel("moffat", len(neighbours)), start, samples, first.noise)
    return rough if rough.parameters[2] > 0 and not is_faint(rough, samples, first.noise) else None


def _is_settled(cleaned: CleanStrip, used: ProfileFit, found: ProfileFit) -> bool:
    """Whether the model found would have cleaned as the one used did.

    It must not differ by what cleaning would notice, nor by so much that what stands for the missing pixels would
    change: the samples by chi-squared c, and with them no parameter by more than root c of its errors.
    """
    if found.model.kind != used.model.kind:
        return False
    distance = cleaned.strip.offsets.astype(np.float64)
    light, now = (fit.star(distance) + fit.neighbours(distance) for fit in (used, found))
    variance = cleaned.noise.variance(light)
    if np.any(np.abs(now - light) > ALIKE * light + np.sqrt(variance)):
        return False
    replaced = 1.0 - (np.isfinite(cleaned.strip.values) & ~cleaned.rejected).mean(axis=1)
    replaced[np.isnan(cleaned.profile)] = 0.0
    gradient = found.parameters[1] - used.parameters[1]
    change = replaced * (now - light + gradient * distance)
    return float(np.sum(np.square(change) / variance)) * cleaned.strip.columns.size < UNMOVED**2


def _row_noise(cleaned: CleanStrip) -> float:
    """Noise of a dark row of the averaged profile, ADU."""
    return float(np.sqrt(cleaned.noise.read_variance / cleaned.strip.columns.size))


def _span(cleaned: CleanStrip, width_px: float) -> tuple[int, int]:
    """Between which offsets no step interrupts the background of the averaged profile."""
    inner_px = INNER_WIDTHS * width_px + INNER_PX
    return straight_span(cleaned.strip.offsets, cleaned.profile, _row_noise(cleaned), inner_px)


def _bow(cleaned: CleanStrip, span: tuple[int, int], width_px: float, neighbours: tuple[float, ...] = ()) -> Bow:
    """How the background of the averaged profile curves, away from the star and its known neighbours."""
    inner_px = INNER_WIDTHS * width_px + INNER_PX
    offsets, profile = cleaned.strip.offsets, cleaned.profile.copy()
    for place in neighbours:
        profile[np.abs(offsets - place) < inner_px] = np.nan
    return bow(offsets, profile, _row_noise(cleaned), span, width_px, inner_px)


def _samples(cleaned: CleanStrip, span: tuple[int, int], width_px: float) -> Samples:
    rows = max(1, int(width_px / SAMPLES_PER_WIDTH))
    samples = average(cleaned, _groups(cleaned, width_px), 2.5 * width_px + 2.0, rows)
    samples = samples.only((samples.distance > span[0] - 1) & (samples.distance < span[1] + 1))
    above = (samples.value - median(samples.value)) / cleaned.noise.of(samples, 0.0)
    aside = np.abs(samples.distance) > ASIDE_WIDTHS * width_px
    if not np.any(np.abs(above[aside]) > ROW_SIGMAS):
        return samples
    return samples.only(~(aside & bad_rows(samples.distance, above, width_px)))


def _fit_cleaned(
    cleaned: CleanStrip,
    span: tuple[int, int],
    width_px: float,
    neighbours: tuple[float, ...],
    before: _Found | None,
    rough: ProfileFit | None = None,
) -> _Found | None:
    """Fit, and fit again for every star and bad row that the fit before has left; then with ripples on top."""
    samples = _samples(cleaned, span, width_px)
    found = fit_profile(samples, cleaned.noise, width_px, neighbours, None if before is None else before.plain, rough)
    if before is None and found is not None and _has_left(found[0], width_px):
        neighbours = (*neighbours, found[0].center)
        found = fit_profile(samples, cleaned.noise, width_px, neighbours)
    for left in reversed(range(MOST_UNKNOWN + 1)):
        if found is None:
            return None
        fit, doubt = found
        # Ripples could take a bright star for their own; without them a star's wings could be taken for a faint one.
        place, bad = unexplained(samples, fit, cleaned.noise, BRIGHT)
        if left == 0 or (place is None and not bad.any()):
            rich = with_ripples(fit, samples, cleaned.noise)
            if np.isnan(rich.rough_width):  # nothing would be left of the star
                rich = fit
            place, bad = unexplained(samples, rich, cleaned.noise)
            if left == 0 or (place is None and not bad.any()):
                return _Found(rich, fit, replace(doubt, missed_px=missed_width(rich, samples, cleaned.noise)))
        samples = samples.only(~bad)
        neighbours = neighbours if place is None else (*neighbours, place)
        found = fit_profile(samples, cleaned.noise, width_px, neighbours)
    return None


def _has_left(fit: ProfileFit, width_px: float) -> bool:
    """Whether a fit has gone to another star, whose light was no part of the noise while it was not known of."""
    narrow = fit.radius == 0.0 and fit.rough_width < FAR_WIDTHS * width_px
    sure = fit.parameters[2] > STAR_SIGMAS * np.sqrt(fit.covariance[2, 2])
    alone = all(abs(place - fit.center) > width_px for place in fit.places)
    return bool(narrow and sure and alone) and abs(fit.center) > FAR_WIDTHS * width_px


def _groups(cleaned: CleanStrip, width_px: float) -> int:
    """How many groups of like phase: where a slant samples a sharp profile finer than its pixels do, more than one."""
    if width_px > WIDTH_WITHOUT_PHASE:
        return 1
    spread = float(np.ptp(cleaned.strip.phase))
    return max(1, min(int(np.ceil(spread / 0.25)), cleaned.strip.columns.size // 12))


def _clean_with(strip: Strip, fit: ProfileFit, width_px: float) -> CleanStrip:
    """Clean with the fitted model, which knows where in the pixel each column's trace lies."""
    star = np.maximum(at_phases(strip, fit.star, fit.blur_width), 0.0)
    rest = (fit.sky(strip.offsets.astype(np.float64)) - fit.background)[:, None].astype(np.float32)
    if fit.places:
        rest = rest + at_phases(strip, fit.neighbours, fit.blur_width)
    return clean(strip, width_px, star, rest)
