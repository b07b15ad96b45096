"""A table to which every frame is added, whatever happened to it before."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from autofocus.errors import SettingsError
from autofocus.frames.logbook import FIELDS, Logbook
from autofocus.frames.tables import read_series
from autofocus.model import Flag, Measurement

ONE = Measurement("a,b-9430.fits", 9430.0, 5.25, 0.1, nsig=399.14, flags=(Flag.BLENDED, Flag.LOW_SNR), exposure_s=10.0)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_are_added_through_nights_and_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "nights.csv"
    first = Logbook(path)
    first.frame(ONE)
    first.began("another star")
    first.frame(ONE)
    Logbook(path).frame(ONE)
    assert [row["series"] for row in rows(path)] == ["1", "2", "3"]
    assert rows(path)[0]["file"] == "a,b-9430.fits"
    back = read_series(path)
    assert len(back) == 3
    assert (back[0].position, back[0].fwhm_px, back[0].nsig, back[0].flags) == (9430, 5.25, 399.14, ONE.flags)
    assert back[0].snr != back[0].snr  # what was not measured is empty


def test_a_row_cut_off_by_a_power_failure_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "nights.csv"
    Logbook(path).frame(ONE)
    path.write_bytes(path.read_bytes()[:-40])
    Logbook(path).frame(ONE)
    assert [row["file"] for row in rows(path)] == ["a,b-9430.fits"] * 2


def test_a_row_that_cannot_be_written_comes_with_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    book = Logbook(folder / "nights.csv")
    folder.rename(tmp_path / "gone")
    book.frame(ONE)
    (tmp_path / "gone").rename(folder)
    book.frame(ONE)
    assert len(rows(folder / "nights.csv")) == 2


@pytest.mark.parametrize("content", ["position,fwhm\n1,2\n", "\x00\x01", "no table at all"])
def test_another_table_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"--log .*another table"):
        Logbook(path)
    assert path.read_text(encoding="utf-8") == content


def test_a_log_that_cannot_be_begun_is_a_mistake_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        Logbook(tmp_path / "absent" / "nights.csv")
    (tmp_path / "latin.csv").write_bytes(b"\xe9\n")
    with pytest.raises(SettingsError, match="name a new file"):
        Logbook(tmp_path / "latin.csv")


def test_the_columns_are_fixed() -> None:
    assert FIELDS[:8] == ("file", "series", "position", "fwhm_px", "fwhm_err_px", "fwhm_arcsec", "nsig", "nsig_err")
