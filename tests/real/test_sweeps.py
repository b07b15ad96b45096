"""The real focus sweeps of ../shared/data, against what their observers found."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from autofocus.curve.fit import fit_focus
from autofocus.model import Measurement

SWEEPS = Path(__file__).parents[3] / "shared" / "data" / "sweeps"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not SWEEPS.is_dir(), reason=f"the real sweeps are not here: {SWEEPS}"),
]


def series(name: str, position: str, width: str, light: str | None = None) -> list[Measurement]:
    with (SWEEPS / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    nothing = float("nan")
    return [
        Measurement(
            position=float(row[position]), fwhm_px=float(row[width]), nsig=float(row[light]) if light else nothing
        )
        for row in rows
    ]


def test_hd97633_gives_both_optima_with_honest_errors() -> None:
    curves = fit_focus(series("HD097633_starex.csv", "position", "fwhm_px", "nsig"), objective="snr")
    assert curves.fwhm is not None
    assert curves.nsig is not None
    assert curves.best is not None
    assert 9347 <= curves.fwhm.position <= 9351
    assert 9374 <= curves.nsig.position <= 9400
    # a lone hyperbola states 3.8, a lone Gaussian 2.4
    assert 1.5 <= curves.fwhm.uncertainty <= 6.0
    assert 1.5 <= curves.nsig.uncertainty <= 8.0
    assert curves.best.objective == "nsig"
    assert curves.left_out == {}
    assert any("narrowest focus (9350)" in loss and "of the light" in loss for loss in curves.losses)


def test_hd97633_survives_the_loss_of_any_frame() -> None:
    frames = series("HD097633_starex.csv", "position", "fwhm_px", "nsig")
    whole = fit_focus(frames, objective="nsig")
    for row in range(len(frames)):
        part = fit_focus(frames[:row] + frames[row + 1 :], objective="nsig")
        for one, other in ((whole.fwhm, part.fwhm), (whole.nsig, part.nsig)):
            assert one is not None
            assert other is not None
            assert abs(one.position - other.position) < 2.5 * other.uncertainty


@pytest.mark.parametrize(
    ("name", "answer"),
    [("soar_goodman_imaging_gSDSS_20190515.csv", -571.5), ("soar_goodman_imaging_VR_20190810.csv", -837.3)],
)
def test_soar_sweeps_agree_with_the_observatory(name: str, answer: float) -> None:
    curves = fit_focus(series(name, "cam_foc", "slit_fwhm_px"), objective="snr")
    assert curves.best is not None
    assert curves.best.objective == "fwhm"
    assert curves.best.bracketed
    assert abs(curves.best.position - answer) < 2.0 * curves.best.uncertainty
    assert curves.best.uncertainty < 40.0


def test_c8_half_flux_diameters_have_their_minimum_where_the_star_was_sharp() -> None:
    curves = fit_focus(series("c8_star_hfd.csv", "focuser_position", "hfd_px", "flux_per_s"), objective="fwhm")
    assert curves.fwhm is not None
    assert 7975 <= curves.fwhm.position <= 8025
