"""Finding the trace: the frames of the spectrographs in use, any place, width and slope, and the parts of the look."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofocus.measure.spectrum.finding.candidates import most_lamp_light
from autofocus.measure.spectrum.finding.clear import clear_trace
from autofocus.measure.spectrum.finding.image import continuum, edge_contrast
from autofocus.measure.spectrum.finding.sampling import FEW, SEVERAL, sample_parts
from autofocus.measure.spectrum.finding.trace import Trace
from autofocus.measure.spectrum.finding.verdict import find_trace
from autofocus.measure.spectrum.finding.votes import collect_votes
from autofocus.model import Frame
from tests.measure.scenes import Scene, amp_step_rows
from tests.measure.spectrographs import others, spectra

SPECTRA, OTHERS = spectra(), others()
SLOWLY = settings(max_examples=30, derandomize=True)


def middle_of(trace: Trace) -> float:
    return float(trace.center((trace.length - 1) / 2))


def glance(frame: Frame) -> Trace | None:
    rows, columns = frame.shape
    return clear_trace(collect_votes(frame, "x" if columns >= rows else "y", FEW))


@pytest.mark.parametrize("name", SPECTRA)
def test_the_trace_of_every_spectrograph_is_found(name):
    make, row, axis, tolerance = SPECTRA[name]
    frame = make()
    verdict = find_trace(frame, "auto")
    assert verdict.trace is not None, verdict.reason
    for found in filter(None, (verdict.trace, glance(frame))):
        assert found.axis == axis
        assert middle_of(found) == pytest.approx(row, abs=tolerance)


@pytest.mark.parametrize("name", OTHERS)
def test_what_else_a_camera_takes_is_called_what_it_is(name):
    make, words = OTHERS[name]
    frame = make()
    verdict = find_trace(frame, "auto")
    assert verdict.trace is None
    assert any(word in verdict.reason for word in words), verdict.reason
    assert glance(frame) is None


@pytest.mark.parametrize("name", ["Star'Ex, H-alpha", "Alpy, half the length lit", "bent", "300 x 800"])
def test_a_clear_trace_is_settled_at_a_glance(name):
    assert (glance(SPECTRA[name][0]()) is not None) == (name != "Alpy, half the length lit")


@SLOWLY
@given(
    place=st.floats(0.1, 0.9),
    width=st.floats(1.8, 20.0),
    slope=st.floats(-0.05, 0.05),
    depth=st.floats(0.0, 0.9),
    sigmas=st.floats(60.0, 3000.0),
)
def test_a_trace_is_within_a_pixel_of_where_it_was_planted(place, width, slope, depth, sigmas):
    """``sigmas`` is the signal-to-noise of the whole spectrum: 60 are 2.4 a column here, and less than 1 a pixel."""
    scene = Scene(shape=(260, 640), seed=7, read_noise=5.0)
    reach = 20.0 + 0.5 * abs(slope) * 640 + 1.5 * width
    row = reach + place * (260 - 2 * reach)
    sky = 20.0 + 25.0
    noise = np.sqrt(2.66 * width * sky)  # of the light in a column, optimally weighed, without its own
    flux = sigmas / np.sqrt(640) * noise / (1 - 0.3 * depth)
    scene.sky(20).star(row, flux, width, slope * 640, kind="gauss", spectrum=1 - depth * np.sin(4 * scene.u) ** 2)
    trace = find_trace(scene.frame(), "x").trace
    assert trace is not None
    at = np.linspace(0, 639, 9)
    error = trace.center(at) - (row + 0.5 * slope * 640 * scene.u[np.rint(at).astype(int)])
    assert np.sqrt(np.mean(error**2)) < 1.0 + 5.0 * width / sigmas


@SLOWLY
@given(shift=st.floats(-0.5, 0.5), ratio=st.floats(0.2, 0.95), apart=st.floats(14.0, 90.0), vertical=st.booleans())
def test_of_two_stars_the_brighter_is_the_trace(shift, ratio, apart, vertical):
    scene = Scene(shape=(240, 500), seed=3)
    scene.sky(20).star(80 + shift, 4000, 4.0, spectrum=scene.response)
    scene.star(80 + shift + apart, 4000 * ratio, 4.0, spectrum=scene.response)
    verdict = find_trace(scene.frame(vertical=vertical), "auto")
    assert verdict.trace is not None, verdict.reason
    assert middle_of(verdict.trace) == pytest.approx(80 + shift, abs=1.0)


@pytest.mark.parametrize("columns", [FEW, SEVERAL, None])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_sampled_pixel_has_the_noise_of_the_mean_of_as_many_as_it_says(axis, columns):
    raw = np.random.default_rng(5).normal(100.0, 8.0, (640, 672)).astype(np.float32)
    parts = sample_parts(Frame(raw=raw), axis, columns)
    assert parts is not None
    assert np.std(parts.columns) == pytest.approx(8.0 / np.sqrt(parts.averaged), rel=0.02)


@pytest.mark.parametrize("columns", [FEW, SEVERAL, None])
def test_one_bad_column_of_four_has_no_say(columns):
    raw = np.full((80, 640), 100, np.uint16)
    raw[:, 11] = 65535  # somewhere in the first part
    raw[:, 330] = 0
    parts = sample_parts(Frame(raw=raw), "x", columns)
    assert parts is not None
    assert np.all(parts.columns == 100)


def test_light_shows_by_its_noise_and_a_pedestal_does_not():
    step = collect_votes(Scene(seed=2).frame(amp_step_rows), "x", SEVERAL)
    lit = Scene(seed=2)
    lit.light[100:] += 45.0  # 30 ADU, as the step
    light = collect_votes(lit.frame(), "x", SEVERAL)
    assert most_lamp_light(step) < 5.0
    assert most_lamp_light(light) == pytest.approx(30.0, abs=4.0)


def straight(frame: Frame, row: float, width: float) -> Trace:
    across, length = frame.shape
    lit = np.median(frame.raw.astype(float)[int(row)].reshape(32, -1), axis=1)
    return Trace("x", length, across, (row, 0.0, 0.0, 0.0), width, 50.0, lit, np.ones(32))


def test_a_lit_slit_has_sharp_edges_and_a_star_has_not():
    slit = Scene((200, 640), seed=1).lines([0.5], 500, slit=(70, 130), width=600).frame()
    star = Scene((200, 640), seed=1).star(100, 30000, 60, kind="gauss").frame()
    assert edge_contrast(collect_votes(slit, "x", SEVERAL), straight(slit, 100, 60)) > 20
    assert edge_contrast(collect_votes(star, "x", SEVERAL), straight(star, 100, 60)) < 2


def test_a_lit_slit_followed_with_a_slant_is_still_one():
    frame = Scene(shape=(400, 1280), seed=5).sky(60, lines=40, strength=1500, slit=(170, 240)).frame()
    votes = collect_votes(frame, "x", SEVERAL)
    level = straight(frame, 205.0, 45.0)
    slanting = replace(level, coefficients=(205.0, -14.0, 0.0, 0.0))
    assert edge_contrast(votes, slanting) == pytest.approx(edge_contrast(votes, level), rel=0.2)
    assert edge_contrast(votes, level) > 20.0


@pytest.mark.parametrize("lines", [3, 12])
def test_the_light_of_a_lamp_is_lines(lines):
    lamp = Scene((200, 640), seed=1).lines(np.linspace(0.1, 0.9, lines), 5000, slit=(70, 130)).frame()
    star = Scene((200, 640), seed=1).star(100, 30000, 40).frame()
    assert continuum(lamp, straight(lamp, 100, 60)) < 0.1
    assert continuum(star, straight(star, 100, 40)) > 0.9


@pytest.mark.parametrize("kind", ["trail", "disc"])
@pytest.mark.parametrize("width", [26.0, 40.0])
@pytest.mark.parametrize("slant", [0.0, 15.0])
def test_no_line_across_a_wide_bright_image_is_its_trace(kind, width, slant):
    for seed in range(4):
        frame = Scene((500, 640), seed=seed).sky(90).star(250, 8e4, width, slant, kind=kind).frame()
        trace = find_trace(frame, "x").trace
        assert trace is not None
        assert trace.slant_px == pytest.approx(slant, abs=1.0)
        assert trace.width_px > 0.7 * width
        assert middle_of(trace) == pytest.approx(250, abs=0.05 * width)
