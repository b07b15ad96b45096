"""One shape fitted to many pieces of lines at once: each has its own light, place and background.

Damped least squares (Levenberg 1944, Marquardt 1963); what a piece has for itself is eliminated before the shared
shape is solved for (Schur's complement), so that a fit costs as much as its pieces, however many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autofocus.measure.lines.pieces import Noise
from autofocus.measure.lines.slitimage import HIGH, LOW, PRIOR_MEAN, PRIOR_SPREAD, SIZE, SlitImage

Doubles = NDArray[np.float64]

OWN = 4  # light, place, background, its gradient
SHARES = (0.2, 0.85)
MOST_STEPS = 40
ENOUGH = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Averaged pieces: ``values`` and ``rows`` (pieces, pixels), ``centers`` (pieces,) about where the lines are.

    ``box`` is a pixel's width with what the lean of a line adds to it.
    """

    values: Doubles
    rows: Doubles
    centers: Doubles
    box: float

    def only(self, keep: NDArray[np.bool_]) -> Profiles:
        """Some of them."""
        return Profiles(self.values[keep], self.rows[keep], self.centers[keep], self.box)


@dataclass(frozen=True, slots=True, eq=False)
class SharedFit:
    """The shape, its covariance (SIZE, SIZE), and each piece's own parameters (pieces, OWN).

    ``chi2`` is per degree of freedom; ``wider`` and ``wider_err`` (pieces,) are by what part each piece is wider than
    the shape.
    """

    shape: SlitImage
    covariance: Doubles
    own: Doubles
    chi2: float
    wider: Doubles
    wider_err: Doubles

    @property
    def width(self) -> tuple[float, float]:
        """Full width at half maximum of the pixel-integrated line, px, and its error.

        Where more than noise is left the error grows by the root of the excess.
        """
        gradient = self.shape.width_gradient()
        variance = float(gradient @ self.covariance @ gradient) * max(self.chi2, 1.0)
        return self.shape.width_px(), float(np.sqrt(max(variance, 0.0)))


def fit_shared(profiles: Profiles, noise: Noise, width_px: float, like: SlitImage | None = None) -> SharedFit | None:
    """Fit; None where the numbers admit no fit.

    Parameters
    ----------
    profiles : Profiles
        At least one piece.
    noise : Noise
        Of one pixel.
    width_px : float
        A rough full width at half maximum.
    like : SlitImage, optional
        The shape in a place nearby, where the fit then starts.
    """
    pixels = np.arange(profiles.values.shape[1], dtype=np.float64)
    offsets = pixels - profiles.centers[:, None]
    error = _errors(profiles, noise, profiles.values)
    starts = _starts(width_px) if like is None else [like.form]
    states = [_least_squares(profiles, offsets, form, _first_guess(profiles), error, 1.0) for form in starts]
    found = min((state for state in states if state is not None), key=lambda state: state.cost, default=None)
    if found is None:
        return None
    # Once more with the noise of the fitted light, so that chance does not weigh itself.
    error = _errors(profiles, noise, found.model)
    last = _least_squares(profiles, offsets, found.form, found.own, error, ENOUGH)
    return None if last is None else _finished(profiles, offsets, last, error)


def _starts(width_px: float) -> list[Doubles]:
    """A soft line and a slit's hard image: between them lie local minima."""
    deviation = np.sqrt(max(width_px**2 / 5.545 - 1.0 / 12.0, 0.04))
    return [np.array([np.log(deviation), share, *PRIOR_MEAN[2:]]) for share in SHARES]


def _errors(profiles: Profiles, noise: Noise, light: Doubles) -> Doubles:
    above = light - light.min(axis=1, keepdims=True)
    return np.asarray(np.sqrt(noise.variance(above) / profiles.rows))


def _first_guess(profiles: Profiles) -> Doubles:
    values = profiles.values
    level = np.median(np.concatenate([values[:, :2], values[:, -2:]], axis=1), axis=1)
    light = np.maximum((values - level[:, None]).sum(axis=1), 1.0)
    zero = np.zeros_like(level)
    return np.stack([light, zero, level, zero], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    form: Doubles
    own: Doubles
    model: Doubles
    cost: float


def _evaluate(offsets: Doubles, form: Doubles, own: Doubles, box: float) -> tuple[Doubles, Doubles, Doubles]:
    """The model (pieces, pixels), and its derivatives by own (…, OWN) and by shared parameters (…, SIZE)."""
    value, by_distance, *by_form = SlitImage(form).gradient(offsets - own[:, 1:2], box)
    light = own[:, 0:1]
    model = light * value + own[:, 2:3] + own[:, 3:4] * offsets
    alone = np.stack([value, -light * by_distance, np.ones_like(value), offsets], axis=-1)
    shared = np.stack([light * part for part in by_form], axis=-1)
    return model, alone, shared


def _normal(
    alone: Doubles, shared: Doubles, residual: Doubles, error: Doubles, form: Doubles, damping: float
) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Schur's complement of the shared parameters, its right side, and what gives the own ones back."""
    a, s, r = alone / error[..., None], shared / error[..., None], residual / error
    own = np.einsum("bni,bnj->bij", a, a)
    scale = np.sqrt(np.einsum("bii->bi", own)) + 1e-30
    own = own / (scale[:, :, None] * scale[:, None, :]) + (damping + 1e-12) * np.eye(OWN)
    a = a / scale[:, None, :]
    cross, right = np.einsum("bni,bnj->bij", a, s), np.einsum("bni,bn->bi", a, r)
    solved = np.linalg.solve(own, np.concatenate([cross, right[..., None]], axis=-1))
    matrix = np.einsum("bni,bnj->ij", s, s)
    matrix[np.diag_indices(SIZE)] *= 1.0 + damping
    matrix += np.diag(1.0 / PRIOR_SPREAD**2)
    vector = np.einsum("bni,bn->i", s, r) + (PRIOR_MEAN - form) / PRIOR_SPREAD**2
    matrix -= np.einsum("bij,bik->jk", cross, solved[..., :-1])
    vector -= np.einsum("bij,bi->j", cross, solved[..., -1])
    return matrix, vector, solved, scale


def _least_squares(
    profiles: Profiles, offsets: Doubles, form: Doubles, own: Doubles, error: Doubles, enough: float
) -> _State | None:
    def cost_of(model: Doubles, at: Doubles) -> float:
        return float(
            np.sum(np.square((profiles.values - model) / error)) + np.sum(((at - PRIOR_MEAN) / PRIOR_SPREAD) ** 2)
        )

    model, alone, shared = _evaluate(offsets, form, own, profiles.box)
    cost, damping = cost_of(model, form), 1e-2
    if not np.isfinite(cost):
        return None
    for _ in range(MOST_STEPS):
        matrix, vector, solved, scale = _normal(alone, shared, profiles.values - model, error, form, damping)
        trial_form = np.clip(form + _step(matrix, vector, form), LOW, HIGH)
        trial_own = own + (solved[..., -1] - solved[..., :-1] @ (trial_form - form)) / scale
        trial = _evaluate(offsets, trial_form, trial_own, profiles.box)
        trial_cost = cost_of(trial[0], trial_form)
        if not trial_cost <= cost:
            damping *= 10.0
            if damping > 1e6:
                break
            continue
        gained, damping = cost - trial_cost, max(0.1 * damping, 1e-9)
        form, own, cost, (model, alone, shared) = trial_form, trial_own, trial_cost, trial
        if gained < enough * max(1.0, cost / profiles.values.size):
            break
    return _State(form, own, model, cost)


def _step(matrix: Doubles, vector: Doubles, form: Doubles) -> Doubles:
    """The step of the shape's parameters; those that stand at a bound and press on it stay."""
    free = ~(((form <= LOW) & (vector < 0)) | ((form >= HIGH) & (vector > 0)))
    step = np.zeros(SIZE)
    step[free] = np.linalg.solve(matrix[np.ix_(free, free)], vector[free])
    return step


def _finished(profiles: Profiles, offsets: Doubles, state: _State, error: Doubles) -> SharedFit:
    _, alone, shared = _evaluate(offsets, state.form, state.own, profiles.box)
    residual = profiles.values - state.model
    matrix, _, solved, scale = _normal(alone, shared, residual, error, state.form, 0.0)
    pieces, pixels = profiles.values.shape
    freedom = max(pieces * (pixels - OWN) - SIZE, 1)
    chi2 = float(np.sum(np.square(residual / error))) / freedom
    # By what part is each piece wider? One more step, its own width alone free.
    left = residual / error
    width = shared[..., 0] / error
    taken = width - np.einsum("bni,bi->bn", alone / error[..., None] / scale[:, None, :], solved[..., 0])
    strength = np.maximum(np.einsum("bn,bn->b", taken, width), 1e-30)
    return SharedFit(
        SlitImage(state.form),
        np.asarray(np.linalg.pinv(matrix, hermitian=True)),
        state.own,
        chi2,
        np.einsum("bn,bn->b", taken, left) / strength,
        1.0 / np.sqrt(strength),
    )
