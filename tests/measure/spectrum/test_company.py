"""A star among others: companions on the slit, sky lines across it, the lit slit about it, orders beside it."""

import numpy as np
import pytest

from autofocus.measure.spectrum.finding.verdict import find_trace
from autofocus.measure.spectrum.reduction import measure_spectrum
from autofocus.model import Flag
from autofocus.settings import MeasureSettings
from tests.measure.scenes import Scene
from tests.measure.spectrum.test_background import light_of

DEFAULT = MeasureSettings()


@pytest.mark.parametrize(
    ("width", "others"),
    [
        (2.6, ((-24.0, 0.06), (21.0, 0.51))),
        (3.7, ((39.0, 0.18), (51.0, 0.54))),
        (2.8, ((-47.0, 0.56), (21.0, 0.15))),
        (11.7, ((79.0, 0.44),)),  # its middle lies just beyond what is looked at
    ],
)
@pytest.mark.parametrize("flux", [3000.0, 60000.0])
def test_a_bright_star_with_others_on_the_slit(width, others, flux):
    for seed in (1, 2):
        scene = Scene(shape=(420, 1400), seed=seed).sky(20.0).star(200, flux, width, slant=7, spectrum=0.8)
        for apart, part in others:
            scene.star(200 + apart, part * flux, width, slant=7, spectrum=0.8)
        found = measure_spectrum(scene.frame(), DEFAULT).measurement
        light, error = light_of(found)
        assert found.fwhm_px == pytest.approx(width, abs=3.5 * found.fwhm_err_px + 0.02 * width)
        assert found.fwhm_err_px < 0.05 * width
        assert light == pytest.approx(0.8 * flux, abs=3.5 * error + 0.02 * flux)


@pytest.mark.parametrize(("shape", "vertical"), [((300, 300), False), ((300, 300), True), ((360, 480), False)])
def test_a_bright_flat_star_is_not_left_for_a_faint_line_across_it(shape, vertical):
    """Its spectrum may be as even as the line of a lamp: over few nanometres most are."""
    for seed in (1, 2, 3):
        scene = Scene(shape=shape, seed=seed).sky(2.0, slit=(0.25 * shape[0], 0.75 * shape[0]))
        line = 7.0 * np.exp(-0.5 * np.square((scene.x - 0.31 * shape[1] - 0.01 * scene.rows) / 1.3))
        scene.add(line * (0.3 + 1.4 * scene.rows / shape[0]))  # uneven, as a star's spectrum is
        scene.star(0.45 * shape[0], 2000.0, 4.0, spectrum=1.0 - 0.04 * scene.u)
        verdict = find_trace(scene.frame(vertical=vertical), "auto")
        assert verdict.trace is not None
        assert verdict.trace.axis == ("y" if vertical else "x")
        assert float(verdict.trace.center(0.5 * shape[1])) == pytest.approx(0.45 * shape[0], abs=1.0)


@pytest.mark.parametrize(("row", "slit"), [(150.0, (118.0, 210.0)), (170.0, (100.0, 195.0)), (133.0, (112.0, 205.0))])
@pytest.mark.parametrize("vertical", [False, True])
def test_a_star_fainter_than_the_sky_on_a_short_slit(row, slit, vertical):
    for seed in (1, 2):
        scene = Scene(shape=(400, 2000), seed=seed).sky(140.0, 10, 900.0, slit, 1.2)
        scene.star(row, 900.0, 7.0, slant=3, spectrum=scene.response)
        found = measure_spectrum(scene.frame(vertical=vertical), DEFAULT).measurement
        assert found.center_px == pytest.approx(row, abs=0.5)
        assert found.fwhm_px == pytest.approx(7.0, abs=3.5 * found.fwhm_err_px + 0.2)
        assert found.fwhm_err_px < 1.0


@pytest.mark.parametrize("bend", [40.0, 120.0, 220.0])
@pytest.mark.parametrize("orders", [9, 14, 25])
def test_orders_bent_as_those_of_an_echelle_are(bend, orders):
    shape = (900, 900)
    scene = Scene(shape=shape, seed=5)
    for order in range(orders):
        row = (order + 0.5) / orders * shape[0] - 0.3 * bend
        scene.star(row, 3000.0 * (1.0 - 0.6 * order / orders), 4.0, 20.0, bend * (0.7 + 0.6 * order / orders),
                   spectrum=np.exp(-1.2 * scene.u**2), kind="gauss")  # fmt: skip
    found = measure_spectrum(scene.frame(), DEFAULT).measurement
    assert Flag.NO_TRACE in found.flags
    assert "echelle" in found.verdict


@pytest.mark.parametrize("seed", [1, 2])
def test_a_short_spectrum_among_shorter_ones_is_no_chance_line(seed):
    """Its median part is dark; where it is lit, it is three times as bright as they are."""
    scene = Scene(shape=(300, 900), seed=seed).sky(10.0)
    along, places = scene.x / 900.0, np.random.default_rng(seed).uniform(0.15, 0.85, 4)
    scene.star(150, 6000.0, 4.0, spectrum=np.exp(-0.5 * ((along - 0.5) / 0.1) ** 2))
    for row, place in zip((38, 118, 198, 278), places, strict=True):
        scene.star(row, 2000.0, 4.0, spectrum=np.exp(-0.5 * ((along - place) / 0.06) ** 2))
    verdict = find_trace(scene.frame(), "auto")
    assert verdict.trace is not None
    assert verdict.trace.place == pytest.approx(150.0, abs=0.5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_star_near_the_end_of_a_slit_brighter_than_it_is_no_corner_of_a_step(seed):
    scene = Scene(shape=(254, 1024), seed=seed).sky(140.0, 10, 900.0, (21.0, 114.0), 2.3)
    scene.star(52.0, 480.0, 11.0, slant=-4, spectrum=scene.response)
    verdict = find_trace(scene.frame(), "auto")
    assert verdict.trace is not None, verdict.reason
    assert verdict.trace.axis == "x"
    assert verdict.trace.place == pytest.approx(52.0, abs=1.5)
