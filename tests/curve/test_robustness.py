from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from physics import Star, take

from autofocus.curve.design import next_positions
from autofocus.curve.fit import fit_focus, predict
from autofocus.model import NAN, Flag, FocusCurves, Measurement, Objective

NO_SHRINKING = (Phase.explicit, Phase.generate)  # of minutes; the example itself is told
NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(0.5, 30.0),
    st.sampled_from([0.0, -1.0, 1e-300, 1e300, 5.0]),
)
POSITIONS = st.one_of(st.none(), st.floats(-200.0, 200.0), st.sampled_from([0.0, 15.0, 30.0, 45.0, 60.0]), NUMBERS)
FRAMES = st.builds(
    Measurement,
    position=POSITIONS,
    fwhm_px=NUMBERS,
    fwhm_err_px=NUMBERS,
    nsig=NUMBERS,
    nsig_err=NUMBERS,
    window_fraction=st.one_of(st.just(NAN), st.floats(0.0, 1.0)),
    window_fraction_err=NUMBERS,
    exposure_s=st.one_of(st.none(), NUMBERS),
    gain_e_per_adu=st.one_of(st.none(), NUMBERS),
    background_noise_adu=NUMBERS,
    background_adu=NUMBERS,
    elapsed_s=st.one_of(st.just(0.0), NUMBERS),
    flags=st.sampled_from([(), (Flag.CLOUDED,), (Flag.NO_TRACE,)]),
)


def check(curves: FocusCurves) -> None:
    """What a claimed fit promises: finite numbers, plain ones, that JSON takes."""
    for curve in (curves.fwhm, curves.nsig):
        if curve is not None:
            numbers = [curve.position, curve.uncertainty, curve.value, *sum(curve.line, ()), *sum(curve.band, ())]
            assert all(math.isfinite(number) for number in numbers)
            assert all(type(number) is float for number in numbers)
            assert curve.uncertainty > 0.0
    if curves.best is not None:
        best = curves.best
        assert all(math.isfinite(number) for number in (best.position, best.uncertainty, best.low, best.high))
        assert best.low <= best.position <= best.high
    json.dumps(asdict(curves), allow_nan=False)


@settings(max_examples=25, derandomize=True, phases=NO_SHRINKING)
@given(
    frames=st.lists(FRAMES, max_size=9),
    objective=st.sampled_from(["snr", "nsig", "fwhm"]),
    fraction=st.one_of(st.none(), st.floats(0.01, 1.0)),
)
def test_no_measurements_raise_and_none_make_a_fit_of_nothing(
    frames: list[Measurement], objective: Objective, fraction: float | None
) -> None:
    curves = fit_focus(frames, objective=objective, min_nsig_fraction=fraction)
    check(curves)
    predict(curves, 3.0)
    next_positions(frames, [0.0, 10.0], objective=objective)


@settings(max_examples=25, derandomize=True, phases=NO_SHRINKING)
@given(
    st.lists(
        st.tuples(st.floats(-300.0, 300.0), st.floats(0.01, 500.0), st.floats(0.0, 2.0), st.floats(-5.0, 1e5), NUMBERS),
        min_size=4,
        max_size=12,
    )
)
def test_any_widths_and_any_light_are_fitted_without_complaint(
    rows: list[tuple[float, float, float, float, float]],
) -> None:
    frames = [
        Measurement(position=x, fwhm_px=w, fwhm_err_px=e * w, nsig=light, nsig_err=err) for x, w, e, light, err in rows
    ]
    check(fit_focus(frames, objective="snr"))


@pytest.mark.parametrize("places", [(0.0, 0.0), (0.0, 50.0), (0.0, 1e-9, 2e-9, 3e-9), (1e12, 2e12, 3e12, 4e12)])
def test_too_few_or_impossible_places_say_so(places: tuple[float, ...]) -> None:
    curves = fit_focus([Measurement(position=x, fwhm_px=5.0, nsig=100.0) for x in places], objective="snr")
    assert curves.best is None
    assert curves.warnings


def test_widths_far_from_any_hyperbola_are_fitted() -> None:
    # a sweep over 210 steps with the focus far beyond: the widths fall by a factor of thirty
    frames = [
        Measurement(position=9600.0 - 15 * k, fwhm_px=0.4 * 1.27**k, fwhm_err_px=1e-4, nsig=600.0 / 3**k, nsig_err=0.01)
        for k in range(15)
    ]
    check(fit_focus(frames, objective="snr"))


def test_a_frame_s_own_error_may_be_zero_or_missing() -> None:
    frames = take(Star(), np.arange(-60.0, 61.0, 15.0), np.random.default_rng(1), known_errors=False)
    check(fit_focus(frames, objective="snr"))
