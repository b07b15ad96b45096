"""Where the focus must lie, from a few widths."""

import numpy as np
import pytest

from autofocus.model import Measurement
from autofocus.search.vertex import VertexPrior, locate_vertex

PRIOR = VertexPrior(start=250.0, blur_steps=35.0, blur_scatter=0.7)


def frame(position, focus=0.0, floor=4.0, blur=39.0):
    width = floor * np.hypot(1.0, (position - focus) / blur)
    return Measurement(position=position, fwhm_px=float(width), fwhm_err_px=0.05 * float(width))


def test_one_width_says_how_far_but_not_on_which_side():
    posterior = locate_vertex([frame(250.0)], [], PRIOR)
    assert posterior.within(-np.inf, 250.0) == pytest.approx(0.5, abs=0.02)
    assert posterior.within(200.0, 300.0) < 0.05  # a width of six floors is not in focus


def test_the_second_width_decides():
    inward = locate_vertex([frame(250.0), frame(54.0)], [], PRIOR)
    assert inward.densest(60.0)[0] == pytest.approx(0.0, abs=50.0)
    assert inward.densest(60.0)[1] > 0.75
    outward = locate_vertex([frame(250.0), frame(446.0)], [], PRIOR)
    assert outward.within(-np.inf, 250.0) > 0.9


def test_a_frame_without_a_trace_excludes_the_focus_there():
    seen = locate_vertex([frame(1500.0)], [], VertexPrior(1500.0, 35.0, 0.7))
    excluded = locate_vertex([frame(1500.0)], [2900.0], VertexPrior(1500.0, 35.0, 0.7))
    assert excluded.within(2600.0, 3200.0) < 0.4 * seen.within(2600.0, 3200.0)
    assert excluded.within(-np.inf, 1500.0) > 0.6


def test_probability_is_whole_and_the_grid_goes_a_little_beyond_the_travel():
    posterior = locate_vertex([frame(250.0)], [], VertexPrior(250.0, 35.0, 0.7, 100.0, 600.0))
    assert posterior.mass.sum() == pytest.approx(1.0)
    assert posterior.centers[0] < 100.0
    assert posterior.centers[-1] > 600.0


def test_where_the_width_ends_growing_equal_widths_do_not_send_the_search_away():
    # stars of a simulator: best focus at 10000, 24 px wide from 400 steps away on
    places = [8500, 7750, 8149, 10217, 9474, 13083, 11255]
    widths = [4.757 * (1.0 + min(abs(x - 10000) / 100, 4.0)) for x in places]
    frames = [Measurement(position=x, fwhm_px=w, fwhm_err_px=0.002 * w) for x, w in zip(places, widths, strict=True)]
    posterior = locate_vertex(frames, [], VertexPrior(8500.0, 116.0, 0.7, 0.0, 100000.0))
    assert posterior.within(9474.0, 11255.0) > 0.9  # beside the only narrower one, between its neighbours
    assert posterior.within(9600.0, 10600.0) > 0.8
