"""Before the first look."""

import pytest

from autofocus.errors import SettingsError
from autofocus.ports import CameraFacts
from autofocus.session.opening import demand_columns, exposure_range
from autofocus.settings import Settings

CAMERA = CameraFacts("Camera", width_px=1900, height_px=1000, exposure_min_s=0.5, exposure_max_s=20.0)


def settings(camera=None, **measure):
    given = {"camera": {"address": "h:1", **(camera or {})}, "focuser": {"address": "h:1"}, "measure": measure}
    return Settings.model_validate(given)


@pytest.mark.parametrize(
    ("camera", "measure"),
    [
        ({}, {"columns": "3000:4000"}),
        ({"binning": 2}, {"columns": "900:1000"}),
        ({}, {"columns": "950:1050", "dispersion_axis": "y"}),
        ({"roi": [0, 0, 400, 300]}, {"columns": "350:450"}),
    ],
    ids=["beyond", "binned", "vertical", "subframe"],
)
def test_columns_beyond_the_frame_are_refused_before_anything_moves(camera, measure):
    with pytest.raises(SettingsError, match=r"measure\.columns: \d+:\d+ reaches beyond"):
        demand_columns(settings(camera, **measure), CAMERA)


def test_columns_on_the_frame_or_of_an_unknown_camera_pass():
    demand_columns(settings(columns="1800:1900"), CAMERA)
    demand_columns(settings(columns="1800:1900"), CameraFacts("Silent"))
    demand_columns(settings(), CAMERA)


def test_the_exposures_allowed_are_those_the_camera_can_take():
    assert exposure_range(settings(), CAMERA) is None
    assert exposure_range(settings({"auto_exposure": {"min_s": 0.1, "max_s": 60}}), CAMERA) == (0.5, 20.0)
    with pytest.raises(SettingsError, match="auto_exposure"):
        exposure_range(settings({"auto_exposure": {"min_s": 30, "max_s": 60}}), CAMERA)
