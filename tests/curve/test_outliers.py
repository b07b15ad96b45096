from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics import Star, take

from autofocus.curve.fit import fit_focus
from autofocus.curve.outliers import most_dropped
from autofocus.model import Measurement

STAR = Star(width_focus=-12.0, light_focus=15.0, obstruction=0.3)
POSITIONS = np.arange(-82.0, 83.0, 15.0)


def night(seed: int) -> list[Measurement]:
    return take(STAR, POSITIONS, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_two_clouds_are_left_out_and_do_not_move_the_answer(seed: int) -> None:
    frames = night(seed)
    rows = sorted(int(row) for row in np.random.default_rng(100 + seed).choice(len(frames), 2, replace=False))
    clouded = [replace(m, nsig=0.45 * m.nsig) if i in rows else m for i, m in enumerate(frames)]
    clear, curves = fit_focus(frames, objective="snr"), fit_focus(clouded, objective="snr")
    assert sorted(curves.left_out) == rows
    assert all("NSIG" in why and "below" in why for why in curves.left_out.values())
    assert clear.best is not None
    assert curves.best is not None
    assert abs(curves.best.position - clear.best.position) < 2.0 * curves.best.uncertainty


def test_a_cosmic_hit_is_left_out_with_its_reason() -> None:
    frames = night(21)
    frames[7] = replace(frames[7], fwhm_px=2.0 * frames[7].fwhm_px)
    assert "FWHM" in fit_focus(frames, objective="snr").left_out[7]


def test_a_perfect_curve_keeps_a_frame_of_poor_seeing() -> None:
    rng = np.random.default_rng(2)
    frames = take(STAR, POSITIONS, rng, seeing=0.0, transparency=0.0, guiding_px=0.0, noise_adu=0.1)
    worst = int(np.argmin([m.fwhm_px for m in frames]))
    frames[worst] = replace(frames[worst], fwhm_px=1.12 * frames[worst].fwhm_px, nsig=0.93 * frames[worst].nsig)
    assert fit_focus(frames, objective="snr").left_out == {}


def test_the_lone_frame_in_focus_stays() -> None:
    positions = np.array([-120.0, -100.0, -80.0, 0.0, 80.0, 100.0, 120.0])
    frames = take(STAR, positions, np.random.default_rng(3))
    assert 3 not in fit_focus(frames, objective="snr").left_out


def test_never_more_than_two_or_one_in_five_are_left_out() -> None:
    rng = np.random.default_rng(4)
    frames = [replace(m, nsig=m.nsig * rng.uniform(0.2, 1.0)) for m in night(4)]
    assert len(fit_focus(frames, objective="snr").left_out) <= most_dropped(len(frames)) == 2
    assert most_dropped(4) == 2
    assert most_dropped(20) == 4
