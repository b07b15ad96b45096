"""Recorded series from tables."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from autofocus.errors import FrameError, SettingsError
from autofocus.frames.tables import parse_csv_columns, read_series
from autofocus.model import Flag
from autofocus.session.journal import points_table

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "sweeps"


def written(tmp_path: Path, text: str | bytes, name: str = "series.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_columns_by_contract_and_alias(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffPosition, FWHM ,nsig\n9430,8.06,399.14\n\n9415,nan,\n")
    first, second = read_series(path)
    assert (first.position, first.fwhm_px, first.nsig) == (9430, 8.06, 399.14)
    assert second.position == 9415
    assert math.isnan(second.fwhm_px)
    assert math.isnan(second.nsig)


def test_only_one_metric(tmp_path: Path) -> None:
    only = read_series(written(tmp_path, "position\tnsig\n1\t2\n"))
    assert (only[0].nsig, math.isnan(only[0].fwhm_px)) == (2, True)


def test_semicolons_with_decimal_commas(tmp_path: Path) -> None:
    assert read_series(written(tmp_path, "position;fwhm_px\n9430;8,06\n"))[0].fwhm_px == 8.06


def test_mapped_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "cam_foc,slit_fwhm_px\n-1994,5.93\n")
    only = read_series(path, parse_csv_columns("position=cam_foc, fwhm_px=slit_fwhm_px"))
    assert (only[0].position, only[0].fwhm_px) == (-1994, 5.93)
    with pytest.raises(FrameError, match="--csv-columns position=NAME"):
        read_series(path)
    with pytest.raises(FrameError, match="no column 'x'; its columns are cam_foc, slit_fwhm_px"):
        read_series(path, {"position": "x"})


@pytest.mark.parametrize("text", ["position", "place=x", "position=", ""])
def test_faulty_column_maps_are_the_users(text: str) -> None:
    with pytest.raises(SettingsError, match="--csv-columns"):
        parse_csv_columns(text)


def test_a_cell_that_is_no_number_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"series\.csv:3: fwhm_px is 'wide'"):
        read_series(written(tmp_path, "position,fwhm_px\n1,2\n2,wide\n"))


def test_short_rows_and_an_unended_quote(tmp_path: Path) -> None:
    assert math.isnan(read_series(written(tmp_path, "position,fwhm_px\n1\n"))[0].fwhm_px)
    with pytest.raises(FrameError):
        read_series(written(tmp_path, 'position,fwhm_px\n"1,2\n'))


@pytest.mark.parametrize("content", [b"", b"  \n", b"\0" * 100, b"position,fwhm_px\n", b"\x89PNG\r\n\x1a\n\0\0"])
def test_what_is_no_table(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FrameError):
        read_series(written(tmp_path, content))


def test_our_own_points_return(tmp_path: Path) -> None:
    source = written(
        tmp_path, "position,fwhm_px,fwhm_err_px,nsig,file,flags\n9430,8,0.1,400,a b.fits,low_snr blended\n"
    )
    series = read_series(source)
    assert series[0].flags == (Flag.LOW_SNR, Flag.BLENDED)
    again = read_series(written(tmp_path, points_table(series, {}), "points.csv"))
    assert again[0].file == "a b.fits"
    assert (again[0].position, again[0].fwhm_px, again[0].fwhm_err_px, again[0].nsig) == (9430, 8, 0.1, 400)
    assert again[0].flags == series[0].flags
    assert again[0].exposure_s is None


def report(**more: object) -> str:
    points = [{"Position": 100.0, "Value": 3.5, "Error": 0.2}, {"Position": 120, "Value": "NaN", "Error": 0}]
    return json.dumps({"MeasurePoints": points, "Method": "STARHFR", "Temperature": "12.5", **more})


@pytest.mark.parametrize("text", [report(), json.dumps({"Response": json.loads(report()), "Success": True})])
def test_nina_report(tmp_path: Path, text: str) -> None:
    first, second = read_series(written(tmp_path, text, "last_af.json"))
    assert (first.position, first.fwhm_px, first.fwhm_err_px, first.temperature_c) == (100, 3.5, 0.2, 12.5)
    assert math.isnan(second.fwhm_px)
    assert math.isnan(second.fwhm_err_px)


def test_contrast_is_better_the_larger(tmp_path: Path) -> None:
    first, _ = read_series(written(tmp_path, report(Method="CONTRASTDETECTION"), "af.json"))
    assert (first.nsig, math.isnan(first.fwhm_px)) == (3.5, True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not whole or not JSON"),
        ("[1]", "MeasurePoints is missing"),
        ('{"Response": null}', "MeasurePoints is missing"),
        ('{"MeasurePoints": []}', "empty"),
        ('{"MeasurePoints": [{"Value": 3}]}', r"MeasurePoints\[0\] has no Position"),
        ("[" * 100_000, "not whole or not JSON"),
    ],
)
def test_broken_reports(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(FrameError, match=complaint):
        read_series(written(tmp_path, text, "af.json"))


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
def test_recorded_sweeps() -> None:
    assert len(read_series(DATA / "HD097633_starex.csv")) == 9
    assert [len(read_series(path)) for path in sorted((DATA / "nina_reports").glob("spacecat*"))] == [10, 11]
    for path in (DATA / "nina_reports").glob("*failure*"):
        with pytest.raises(FrameError):
            read_series(path)
