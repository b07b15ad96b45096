"""The one figure: what it shows is what the curves say, and nothing from outside becomes markup."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest

from autofocus.model import BestFocus, CurveFit, Flag, FocusCurves, Measurement
from autofocus.session import events
from autofocus.session.state import SessionState, apply
from autofocus.views.figures import focus_figure, session_figure

LINE = tuple((9300.0 + 10 * n, 4.0 + 0.1 * (n - 5) ** 2) for n in range(11))
BAND = tuple((x, 0.2, 0.1) for x, _ in LINE)
CURVES = FocusCurves(
    fwhm=CurveFit("fwhm", "hyperbola", 9348.0, 1.5, 4.01, 6, 0.99, line=LINE, band=BAND),
    nsig=CurveFit("nsig", "throughput", 9381.0, 3.0, 510.0, 6, 0.98, line=tuple((x, 500 - y) for x, y in LINE)),
    best=BestFocus("snr", 9379.1, 2.6, 9357.0, 9401.0),
    left_out={2: "twice as wide as its neighbours"},
)
FRAMES = [
    Measurement("a.fits", 9300.0, 6.5, 0.1, nsig=200.0, nsig_err=2.0, window_fraction=0.5, phase="sweep"),
    Measurement("b.fits", 9350.0, 4.0, 0.1, nsig=450.0, nsig_err=2.0, window_fraction=0.9, phase="sweep"),
    Measurement("<b onclick=x>c</b>\x1b[2J.fits", 9360.0, 9.0, 0.1, nsig=440.0, nsig_err=2.0, phase="refine"),
    Measurement("d.fits", 9400.0, flags=(Flag.NO_TRACE,), phase="refine"),
    Measurement("e.fits", 9379.0, 5.5, 0.1, nsig=500.0, nsig_err=3.0, window_fraction=1.0, phase="confirm"),
]


def named(figure, name):
    return next(trace for trace in figure["data"] if trace["name"] == name)


def test_every_measured_frame_is_drawn_once_with_its_error_in_its_group():
    figure = focus_figure(FRAMES, CURVES)
    used = named(figure, "FWHM used")
    assert (used["x"], used["y"], used["error_y"]["array"]) == ([9300.0, 9350.0], [6.5, 4.0], [0.1, 0.1])
    assert named(figure, "FWHM left out")["x"] == [9360.0]
    assert named(figure, "FWHM confirming")["x"] == [9379.0]
    # NSIG as the curve takes it: divided by the part of the light that the window held; unknown parts leave it
    assert named(figure, "NSIG used")["y"] == [400.0, 500.0]
    assert named(figure, "NSIG left out")["y"] == [440.0]
    assert named(figure, "NSIG used")["error_y"]["array"][0] == pytest.approx(4.0)


def test_fits_optima_band_and_choice_are_those_of_the_curves():
    figure = focus_figure(FRAMES, CURVES)
    fit, band = named(figure, "FWHM fit"), named(figure, "1 σ of the curve")
    assert list(zip(fit["x"], fit["y"], strict=True)) == list(LINE)
    assert band["y"][0] == pytest.approx(LINE[0][1] + 0.2)
    assert band["y"][-1] == pytest.approx(LINE[0][1] - 0.2)
    narrowest = named(figure, "narrowest")
    assert (narrowest["x"], narrowest["y"], narrowest["error_x"]["array"]) == ([9348.0], [4.01], [1.5])
    assert named(figure, "most light")["yaxis"] == "y2"
    within, chosen = figure["layout"]["shapes"]
    assert (within["x0"], within["x1"]) == (9357.0, 9401.0)
    assert chosen["x0"] == chosen["x1"] == 9379.1
    assert figure["layout"]["annotations"][0]["text"] == "best 9379.1 ± 2.6 (snr)"


def test_the_figure_is_plain_json_whatever_is_missing():
    nothing = replace(CURVES.fwhm, uncertainty=math.inf, r_squared=None, band=())
    wild = FocusCurves(fwhm=nothing, best=BestFocus("fwhm", 9348.0, math.nan, math.nan, math.inf))
    for measurements, curves in (([], None), (FRAMES, None), (FRAMES, wild), ([Measurement()], CURVES)):
        figure = focus_figure([*measurements, Measurement(position=9300.0, guide_hfd_px=2.5)], curves)
        assert json.loads(json.dumps(figure, allow_nan=False)) == figure
        assert set(figure) == {"data", "layout", "config"}


def test_text_from_outside_stays_text():
    hover = named(focus_figure(FRAMES, CURVES), "FWHM left out")["text"][0]
    assert "<b onclick" not in hover
    assert "&lt;b onclick=x&gt;c" in hover
    assert "\x1b" not in hover
    assert "left out: twice as wide as its neighbours" in hover


def test_panels_do_not_overlap_and_the_guide_camera_gets_a_third():
    figure = focus_figure([replace(FRAMES[0], guide_hfd_px=2.5), *FRAMES[1:]], CURVES)
    guide, layout = named(figure, "guide star HFD, px"), figure["layout"]
    assert (guide["x"][0], guide["y"][0], guide["y"][1]) == (9300.0, 2.5, None)
    domains = [layout[axis]["domain"] for axis in ("yaxis3", "yaxis2", "yaxis")]
    assert domains[0][0] == 0.0
    assert domains[2][1] == 1.0
    assert all(low[1] < high[0] for low, high in pairwise(domains))
    assert layout["xaxis"]["anchor"] == "y3"
    assert "yaxis3" not in focus_figure(FRAMES, CURVES)["layout"]


def test_a_running_session_draws_the_same_figure():
    state = SessionState()
    for number, one in enumerate(FRAMES, 1):
        told = events.SampleMeasured(number=number, target=int(one.position), name=f"{number:04d}", measurement=one)
        state = apply(state, told)
    state = apply(state, events.CurveFitted(curves=CURVES))
    assert session_figure(state) == focus_figure(FRAMES, CURVES)
    light, dark = session_figure(state), session_figure(state, "dark")
    assert light["layout"]["font"]["color"] != dark["layout"]["font"]["color"]
    assert [trace["y"] for trace in light["data"]] == [trace["y"] for trace in dark["data"]]
