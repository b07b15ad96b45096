"""N.I.N.A.'s report: the fields of the real ones, by type as well, and what we can read back from it."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from autofocus.frames.tables import read_series
from autofocus.views.account import read_account
from autofocus.views.nina import measure_points, nina_report, write_nina_report
from tests.views.conftest import CURVES, SERIES, fwhm_at

NOW = datetime(2026, 11, 22, 23, 28, 30, 547881, tzinfo=timezone(timedelta(hours=-7)))
REAL = sorted((Path(__file__).parents[3] / "shared/data/sweeps/nina_reports").glob("spacecat*.json"))
POINT = {"Position", "Value", "Error"}


@pytest.fixture
def report(session):
    return nina_report(read_account(session), NOW)


@pytest.mark.real
@pytest.mark.skipif(not REAL, reason="../shared/data is not here")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_all_fields_of_the_real_reports_are_there_with_their_types(report, path):
    compare(report, json.loads(path.read_text(encoding="utf-8"))["Response"], "")


def compare(ours, theirs, where):
    if isinstance(theirs, dict):
        if ours is None:
            assert where.startswith(".Intersections"), f"{where} is missing"
            return
        assert set(theirs) <= set(ours), where
        for key, value in theirs.items():
            compare(ours[key], value, f"{where}.{key}")
    elif isinstance(theirs, list):
        assert ours, where
        for one in ours:
            compare(one, theirs[0], f"{where}[]")
    elif isinstance(theirs, (int, float)) or theirs == "NaN":
        assert isinstance(ours, (int, float)) or ours == "NaN", where
    else:
        assert type(ours) is type(theirs), where


def test_it_says_what_the_session_found(report):
    assert report["CalculatedFocusPoint"]["Position"] == 9373
    assert report["CalculatedFocusPoint"]["Value"] == pytest.approx(5.0, abs=0.01)
    assert report["InitialFocusPoint"] == {"Position": 9420, "Value": "NaN", "Error": 0.0}
    assert report["Intersections"]["HyperbolicMinimum"]["Position"] == 9348
    assert report["RSquares"]["Hyperbolic"] == 0.99
    assert (report["Method"], report["Fitting"], report["Version"]) == ("STARHFR", "HYPERBOLIC", 2)
    # what arrives inward overshoots outward
    assert report["BacklashCompensation"] == {
        "BacklashCompensationModel": "OVERSHOOT", "BacklashIN": 0, "BacklashOUT": 40,
    }  # fmt: skip
    assert report["Timestamp"] == "2026-11-22T23:28:30.5478810-07:00"
    assert report["Duration"] == "00:01:20.0000000"
    assert report["Temperature"] == 11.9


def test_points_are_the_used_positions_in_order_repeats_averaged_by_weight(session):
    account = read_account(session)
    assert [point["Position"] for point in measure_points(account)] == [9300, 9330, 9390, 9420]
    again = replace(SERIES[1], fwhm_px=fwhm_at(9390.0) + 0.3, fwhm_err_px=0.06)
    more = replace(account, measurements=(*SERIES, again), curves=CURVES)
    point = measure_points(more)[2]
    # weights 1/0.03² and 1/0.06²: four to one
    assert point["Value"] == pytest.approx(fwhm_at(9390.0) + 0.06)
    assert point["Error"] == pytest.approx(0.03 / (1 + 0.25) ** 0.5)


def test_the_file_has_ninas_name_and_is_a_series_to_ourselves(session, tmp_path):
    path = write_nina_report(read_account(session), tmp_path / "AutoFocus", NOW)
    assert path == tmp_path / "AutoFocus" / "2026-11-22--23-28-30.json"
    series = read_series(path)
    assert [one.position for one in series] == [9300.0, 9330.0, 9390.0, 9420.0]
    assert series[1].fwhm_px == pytest.approx(fwhm_at(9330.0))


def test_no_focus_no_report_and_no_bare_nan(session, killed, tmp_path):
    assert write_nina_report(read_account(killed), tmp_path / "nina", NOW) is None
    assert not (tmp_path / "nina").exists()
    account = replace(read_account(session), measurements=tuple(replace(one, temperature_c=None) for one in SERIES))
    report = nina_report(replace(account, curves=replace(CURVES, fwhm=None)), NOW)
    assert report["Temperature"] == "NaN"
    assert report["CalculatedFocusPoint"]["Value"] == "NaN"
    json.dumps(report, allow_nan=False)
