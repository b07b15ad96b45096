from __future__ import annotations

import numpy as np
import pytest
from physics import Star, take

from autofocus.curve.design import next_positions
from autofocus.curve.fit import fit_focus
from autofocus.model import Objective

STAR = Star(width_focus=-10.0, light_focus=15.0)
SWEEP = np.arange(-60.0, 61.0, 15.0)
CANDIDATES = list(range(-90, 91, 5))


@pytest.mark.parametrize("objective", ["snr", "nsig", "fwhm"])
def test_the_error_falls_as_foretold_and_faster_than_at_the_focus(objective: Objective) -> None:
    told, planned, staying = [], [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        frames = take(STAR, SWEEP, rng)
        design = next_positions(frames, CANDIDATES, objective=objective, count=4)
        now = fit_focus(frames, objective=objective).best
        assert design is not None
        assert now is not None
        assert design.uncertainty_now == pytest.approx(now.uncertainty, rel=0.02)
        assert design.uncertainty_after < design.uncertainty_now
        more = fit_focus(frames + take(STAR, np.array(design.positions), rng), objective=objective).best
        same = fit_focus(frames + take(STAR, np.full(4, now.position), rng), objective=objective).best
        assert more is not None
        assert same is not None
        told.append(design.uncertainty_after)
        planned.append(more.uncertainty)
        staying.append(same.uncertainty)
    assert np.mean(planned) == pytest.approx(np.mean(told), rel=0.35)
    assert np.mean(planned) < np.mean(staying)


def test_a_dear_position_is_avoided() -> None:
    frames = take(STAR, SWEEP, np.random.default_rng(1))
    free = next_positions(frames, CANDIDATES, objective="nsig")
    assert free is not None
    dear = next_positions(
        frames, CANDIDATES, objective="nsig", cost_s=lambda p: 100.0 if abs(p - free.positions[0]) < 20 else 1.0
    )
    assert dear is not None
    assert abs(dear.positions[0] - free.positions[0]) >= 20


def test_nothing_is_designed_before_there_is_a_curve() -> None:
    frames = take(STAR, SWEEP, np.random.default_rng(1))
    assert next_positions(frames[:3], CANDIDATES, objective="snr") is None
    assert next_positions(frames, [], objective="snr") is None
