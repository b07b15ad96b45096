"""The Cramér-Rao bound on the place of best focus, for the positions and times that a search took.

A frame at x tells ``d = (ln FWHM, ln NSIG)``. Its expectation is the bench's, a function of parameters θ; its deviation
has three causes, all with the bench's own sizes, which the bound takes as known:

- the frame's own measuring errors, e_F² and e_N²;
- the seeing, one hidden factor for both metrics through g = ∂d/∂ln seeing: scatter s_q from frame to frame and s_w of
  the slow wander; guiding in the same way through h = ∂d/∂offset;
- the transparency in NSIG alone, t of the slow wander. (Clouds are not in the bound.)

The wander is a sum of waves of random phases and periods, so between frames Δt apart it has the correlation K, the mean
of cos 2πΔt/P over the periods P. A night draws one period in each fifth of the logarithms from 60 s to 900 s, so over
nights, and who observes does not know which periods his night has, P is even in its logarithm over the whole band:

    K(Δt) = ∫ cos(2πΔt/P) d ln P / ln 15 = [Ci(2πΔt/60 s) − Ci(2πΔt/900 s)] / ln 15,        Ci the cosine integral

by putting u = 2πΔt/P, d ln P = −d ln u. With all frames' d in one vector the covariance is

    C = diag(e²) + s_q² (g gᵀ)∘1 + j² (h hᵀ)∘1 + s_w² (g gᵀ)∘K + t² (u uᵀ)∘K,        u = (0, 1)

(∘1: within a frame, ∘K: between frames i, j times K_ij), the information is ``I = Jᵀ C⁻¹ J + P`` with J = ∂d/∂θ and P
the priors named below, and the bound on an optimum x*(θ) is √(∇x*ᵀ I⁻¹ ∇x*): the delta method. Hidden factors of known
scatter that are marginalised are exactly a covariance, because everything is Gaussian in logarithms.

What is bounded depends on what the observer is taken to know:

- ``curves``: both curves, but for a common shift and the brightness. Then the ratio of both metrics tells the place
  from any frame far out, whatever the seeing. Nobody knows his curves so well.
- ``shapes``: also the distance between the two optima is unknown, as the collimator's focus is from night to night.
  The light's peak then rests on the light alone.
- ``laws``: the optics' laws, but none of its numbers: seeing, blur per step, slit, the spectrograph's own blur and
  centring are fitted too (with priors of 50 % on slit and own blur, 1.5 px on centring, which single curves hardly
  tell). That is what a search knows, and the bound that its error is to be held against.

``python -m benchmarks.bound`` draws sweeps on the bench, fits them and prints errors, pulls and all three bounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import sici

from autofocus.curve.fit import fit_focus
from autofocus.model import Measurement, Objective, Sample
from benchmarks.observing import BenchObserver, Scenario
from simulators.bench import Bench
from simulators.instruments import Instrument
from simulators.optics import slit_image
from simulators.sky import WANDER_PERIODS_S
from simulators.truth import Truth

Array = NDArray[np.float64]
Known = Literal["curves", "shapes", "laws"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of the instrument: its field, whether its logarithm counts, steps to differentiate by, and a prior."""

    field: str
    logarithmic: bool
    step: float
    stride: float
    prior: float = np.inf

    def moved(self, own: Instrument, by: float) -> Instrument:
        """The instrument with this number changed."""
        value = getattr(own, self.field)
        return replace(own, **{self.field: value * np.exp(by) if self.logarithmic else value + by})


PARAMETERS = (
    Parameter("focus_steps", False, 0.5, 1.0),
    Parameter("star_adu_s", True, 0.01, 0.2),
    Parameter("collimator_offset_steps", False, 0.5, 3.0),
    Parameter("seeing_arcsec", True, 0.01, 0.1),
    Parameter("microns_per_step", True, 0.01, 0.05),
    Parameter("slit_um", True, 0.01, 0.1, prior=0.5),
    Parameter("blur_px", True, 0.02, 0.2, prior=0.5),
    Parameter("decentre_px", False, 0.05, 0.2, prior=1.5),
)
FREE: dict[Known, int] = {"curves": 2, "shapes": 3, "laws": len(PARAMETERS)}
SEEING = 0.02
OFFSET_PX = 0.05


def bound_steps(
    bench: Bench, measurements: Sequence[Measurement], objective: Objective = "snr", known: Known = "curves"
) -> float:
    """The smallest standard deviation (steps) that an unbiased estimate from these frames can have; NaN for none."""
    return all_bounds(bench, measurements, objective)[known]


def all_bounds(bench: Bench, measurements: Sequence[Measurement], objective: Objective) -> dict[Known, float]:
    """`bound_steps` for each kind of knowledge."""
    frames = [one for one in measurements if one.position is not None and one.fwhm_px > 0 and one.nsig > 0]
    if not frames:
        return dict.fromkeys(FREE, float("nan"))
    jacobian = np.stack([_slope(bench.truths.instrument, frames, each) for each in PARAMETERS], axis=-1)
    prior = np.diag([each.prior**-2.0 for each in PARAMETERS])
    information = jacobian.T @ np.linalg.solve(covariance(bench, frames), jacobian) + prior
    gradient = optimum_gradient(bench, objective)
    return {known: _bound(information[:free, :free], gradient[:free]) for known, free in FREE.items()}


def _bound(information: Array, gradient: Array) -> float:
    if np.linalg.cond(information) > 1e15:
        return float("nan")
    return float(np.sqrt(gradient @ np.linalg.solve(information, gradient)))


def logs(own: Instrument, position: float, seeing_factor: float = 1.0, offset_px: float = 0.0) -> Array:
    """Logarithms (2,) of FWHM and NSIG without noise."""
    image = slit_image(Truth(own).beam(position, seeing_factor=seeing_factor, offset_px=offset_px))
    return np.log([image.fwhm_px, own.star_adu_s * image.throughput])


def covariance(bench: Bench, frames: Sequence[Measurement]) -> Array:
    """Covariance (2n, 2n) of the logarithms of all frames' FWHM and NSIG, alternating."""
    own, sky = bench.truths.instrument, bench.sky
    places = [float(one.position or 0.0) for one in frames]
    seeing = [logs(own, x, 1 + SEEING) - logs(own, x, 1 - SEEING) for x in places]
    guiding = [logs(own, x, 1.0, OFFSET_PX) - logs(own, x, 1.0, -OFFSET_PX) for x in places]
    errors = [(one.fwhm_err_px / one.fwhm_px, one.nsig_err / one.nsig) for one in frames]
    times = np.array([one.elapsed_s for one in frames])
    slow = wander_correlation(times[:, None] - times[None, :])
    alone = np.eye(len(frames))
    total = np.diag(np.square(np.ravel(errors)))
    total += _between(np.ravel(seeing) / (2 * SEEING), sky.seeing_scatter**2 * alone + sky.seeing_wander**2 * slow)
    total += _between(np.ravel(guiding) / (2 * OFFSET_PX), sky.guiding_px**2 * alone)
    total += _between(np.tile([0.0, 1.0], len(frames)), sky.transparency_wander**2 * slow)
    return np.asarray(total)


def wander_correlation(lapse_s: Array) -> Array:
    """K(Δt) of the slow wander, any shape."""
    shortest, longest = WANDER_PERIODS_S
    turns = 2.0 * np.pi * np.maximum(np.abs(lapse_s), 1e-6)  # Ci has no value at 0, the difference goes to ln 15
    return np.asarray((sici(turns / shortest)[1] - sici(turns / longest)[1]) / np.log(longest / shortest))


def optimum_gradient(bench: Bench, objective: Objective) -> Array:
    """How the optimum moves with each of `PARAMETERS`, steps."""
    own = bench.truths.instrument
    ends = [[Truth(each.moved(own, side * each.stride)).optimum(objective) for side in (1, -1)] for each in PARAMETERS]
    return np.array([(up - down) / (2 * each.stride) for (up, down), each in zip(ends, PARAMETERS, strict=True)])


def _between(through: Array, correlation: Array) -> Array:
    return np.asarray(np.outer(through, through) * np.kron(correlation, np.ones((2, 2))))


def _slope(own: Instrument, frames: Sequence[Measurement], parameter: Parameter) -> Array:
    up, down = parameter.moved(own, parameter.step), parameter.moved(own, -parameter.step)
    places = [float(one.position or 0.0) for one in frames]
    return np.ravel([logs(up, x) - logs(down, x) for x in places]) / (2 * parameter.step)


NIGHTS: dict[str, tuple[dict[str, float], float]] = {
    "usual": ({}, 60.0),
    "good seeing": ({"seeing_arcsec": 1.8}, 45.0),
    "bad seeing": ({"seeing_arcsec": 6.0, "seeing_scatter": 0.12}, 110.0),
    "faint star": ({"star": 0.08}, 60.0),
    "astigmatic": ({"astigmatism_steps": 35.0}, 75.0),
}
"""Options of the bench, and how far a sweep reaches to each side of the best signal-to-noise."""
OBJECTIVES: tuple[Objective, ...] = ("snr", "nsig", "fwhm")


def sweep(name: str, seed: int, frames: int = 9) -> BenchObserver:
    """A bench and a monotone sweep on it, its middle a random 12 steps off."""
    options, reach = NIGHTS[name]
    observer = BenchObserver(Scenario(name, options=dict(options), drawn_numbers=True), seed)
    middle = observer.truth("snr") + np.random.default_rng([seed, 7]).uniform(-12.0, 12.0)
    for position in np.linspace(reach, -reach, frames):
        observer.look(Sample(round(middle + position), "sweep"))
    return observer


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="errors of the fit, and their bounds, on single sweeps")
    parser.add_argument("--each", type=int, default=60, help="sweeps of every kind of night")
    asked = parser.parse_args(arguments)
    print("| night | objective | RMS | stated | pull | bound: laws | shapes | curves |")
    print("|---|---|---|---|---|---|---|---|")
    for row, name in enumerate(NIGHTS, 1):
        found: dict[Objective, list[list[float]]] = {objective: [] for objective in OBJECTIVES}
        for seed in range(asked.each):
            observer = sweep(name, 70000 + 1000 * row + seed)
            curves = fit_focus(observer.measured, objective="snr")
            for objective, curve in zip(OBJECTIVES, (curves.best, curves.nsig, curves.fwhm), strict=True):
                if curve is not None:
                    error, stated = curve.position - observer.truth(objective), curve.uncertainty
                    bounds = all_bounds(observer.bench, observer.measured, objective)
                    told = [bounds["laws"], bounds["shapes"], bounds["curves"]]
                    found[objective].append([error, stated, error / stated, *told])
        for objective, rows in found.items():
            numbers = " | ".join(f"{value:.2f}" for value in np.sqrt(np.mean(np.square(rows), axis=0)))
            print(f"| {name} | {objective} | {numbers} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
