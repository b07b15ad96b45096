"""A table of frames: where the trace is, or in words why there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofocus.measure.spectrum.finding.verdict import find_trace
from autofocus.model import Frame
from tests.measure.scene_table import table
from tests.measure.scenes import Scene

CASES = table()
TRACES = [name for name, case in CASES.items() if len(case) == 4]
NO_TRACES = [name for name in CASES if name not in TRACES]


@pytest.mark.parametrize("name", TRACES)
def test_the_trace_is_found_where_it_is(name):
    make, row, axis, tolerance = CASES[name]
    verdict = find_trace(make(), "auto")
    assert verdict.trace is not None, verdict.reason
    assert verdict.trace.axis == axis
    assert float(verdict.trace.center((verdict.trace.length - 1) / 2)) == pytest.approx(row, abs=tolerance)


@pytest.mark.parametrize("name", NO_TRACES)
def test_what_is_no_spectrum_is_called_what_it_is(name):
    make, words = CASES[name]
    verdict = find_trace(make(), "auto")
    assert verdict.trace is None
    assert verdict.reason
    assert any(word in verdict.reason for word in words), verdict.reason


def test_noise_alone_is_never_a_trace():
    rng = np.random.default_rng(3)
    for _ in range(60):
        shape = tuple(int(n) for n in rng.integers(80, 500, 2))
        raw = rng.normal(300.0, rng.uniform(1.0, 30.0), shape).astype(np.float32)
        assert find_trace(Frame(raw=raw), "auto").trace is None, shape


@settings(max_examples=25, derandomize=True)
@given(
    row=st.floats(40, 210),
    slant=st.floats(-24, 24),
    width=st.floats(1.8, 16),
    flux=st.floats(800, 60000),
    vertical=st.booleans(),
)
def test_any_clear_star_is_found(row, slant, width, flux, vertical):
    scene = Scene(shape=(250, 600), seed=4)
    frame = scene.sky(30, lines=4).star(row, flux, width, slant, spectrum=scene.response).frame(vertical=vertical)
    trace = find_trace(frame, "auto").trace
    assert trace is not None
    assert trace.axis == ("y" if vertical else "x")
    assert float(trace.center((trace.length - 1) / 2)) == pytest.approx(row, abs=1.0 + 0.2 * width)
    assert trace.slant_px == pytest.approx(slant, abs=3.0 + 0.5 * width)
