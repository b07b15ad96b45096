import pytest

from autofocus.errors import SettingsError
from simulators.instruments import STAREX
from simulators.options import BenchOptions, parse_options


def test_texts_become_options():
    options = parse_options(
        [
            "backlash_steps=40",
            "absolute=false",
            "seeing_arcsec=1.5",
            "sensor_px=400x260",
            "start_objective=fwhm",
            "max_increment=none",
        ]
    )
    assert options == BenchOptions(
        backlash_steps=40,
        absolute=False,
        seeing_arcsec=1.5,
        sensor_px=(400, 260),
        start_objective="fwhm",
        max_increment=None,
    )


def test_options_stand_on_those_given():
    assert parse_options(["star=2"], BenchOptions(speed=20.0)) == BenchOptions(speed=20.0, star=2.0)


@pytest.mark.parametrize(
    "text",
    ["backlash=40", "backlash_steps", "backlash_steps=much", "absolute=perhaps", "star=nan", "star=inf",
     "sensor_px=400", "start_objective=best", "seeing_arcsec=", "speed=0", "star=-1", "sensor_px=0x10"],
)  # fmt: skip
def test_faults_are_refused(text):
    with pytest.raises(SettingsError):
        parse_options([text])


def test_every_fault_is_named_at_once():
    with pytest.raises(SettingsError) as caught:
        parse_options(["one=1", "speed=fast"])
    assert len(caught.value.faults) == 2


def test_a_cropped_sensor_keeps_dispersion_and_slant():
    cropped = BenchOptions(sensor_px=(968, 300)).applied_to(STAREX)
    whole = STAREX.wavelengths_nm[1] - STAREX.wavelengths_nm[0]
    assert cropped.wavelengths_nm[1] - cropped.wavelengths_nm[0] == pytest.approx(whole / 2.0)
    assert cropped.slant_px == pytest.approx(STAREX.slant_px / 2.0)
