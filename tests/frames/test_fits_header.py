"""What a header says of its frame: exposure, position, gain, ceiling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from autofocus.frames.fits import read_frame


@pytest.mark.parametrize(
    ("cards", "exposure"),
    [
        ({"EXPTIME": 10.0, "EXPOSURE": 10000}, 10.0),
        ({"EXPTIME": " 2.5 "}, 2.5),
        ({"EXPTIME": "0,5"}, 0.5),
        ({"EXPTIME": "unknown", "EXPOSURE": 4}, 4.0),
        ({"EXPTIME": 0.0}, None),
        ({}, None),
    ],
)
def test_exposure(raw_fits: Any, cards: dict[str, Any], exposure: float | None) -> None:
    assert read_frame(raw_fits(**cards)).exposure_s == exposure


def test_exposure_in_milliseconds_by_its_comment(raw_fits: Any) -> None:
    frame = read_frame(raw_fits(extra=["EXPOSURE=                 1500 / [ms] exposure time"]))
    assert frame.exposure_s == 1.5
    assert "EXPOSURE is in ms" in frame.notes


@pytest.mark.parametrize(
    ("cards", "position"),
    [
        ({"FOCUSPOS": 100, "FOCPOS": 200, "FOCUSER": 300}, 100),
        ({"FOCPOS": "9415.0", "FOCUSER": 300}, 9415),
        ({"FOCUSER": "ZWO EAF", "FOCPOS": 7}, 7),
        ({"FOCUSER": "ZWO EAF"}, 9430),
        ({"FOCUSPOS": -42}, -42),
        ({}, 9430),
    ],
)
def test_position_by_header_then_name(raw_fits: Any, cards: dict[str, Any], position: float) -> None:
    assert read_frame(raw_fits("star-9430.fits", **cards)).position == position


def test_long_position_keyword(raw_fits: Any) -> None:
    assert read_frame(raw_fits("a.fits", extra=["HIERARCH FocusPosition = 9333 / steps"])).position == 9333


def test_header_wins_over_the_name_and_the_frame_says_so(raw_fits: Any) -> None:
    frame = read_frame(raw_fits("star-9430.fits", FOCUSPOS=9415))
    assert frame.position == 9415
    assert frame.notes == ("the header says position 9415, the name 9430",)


def test_gain_only_where_it_is_electrons_per_adu(raw_fits: Any) -> None:
    assert read_frame(raw_fits(GAIN=120, EGAIN=0.25)).gain_e_per_adu == 0.25
    assert read_frame(raw_fits(GAIN=120)).gain_e_per_adu is None
    assert read_frame(raw_fits(extra=["GAIN    =                  1.4 / Electrons per ADU"])).gain_e_per_adu == 1.4


def test_saturation_from_the_header_or_the_type(raw_fits: Any) -> None:
    assert read_frame(raw_fits(BZERO=32768, SATURATE=60000)).saturation_adu == 60000
    assert read_frame(raw_fits(BZERO=32768)).saturation_adu == 65535
    assert read_frame(raw_fits(pixels=np.zeros((4, 4), "f4"))).saturation_adu is None


def test_cards_that_cannot_be_parsed_spoil_nothing(raw_fits: Any) -> None:
    odd = ["FOCTEMP = nan,deg / ?", "BAD KEY = = =", "\xe9t\xe9     = 'caf\xe9", "=", "DATE-OBS= '2026-11-22T21:14:05'"]
    frame = read_frame(raw_fits(EXPTIME=5.0, extra=odd))
    assert (frame.exposure_s, frame.started_utc) == (5.0, "2026-11-22T21:14:05")


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["EXPTIME", "FOCUSPOS", "OBJECT", "EGAIN", "DATE-OBS", "NOTE"]),
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False, width=32),
            st.integers(-(10**9), 10**9),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100).map(str.rstrip),
        ),
    )
)
def test_headers_read_as_astropy_reads_them(tmp_path: Path, cards: dict[str, Any]) -> None:
    unit = fits.PrimaryHDU(np.zeros((2, 3), "i2"))
    for key, value in cards.items():
        unit.header[key] = value
    path = tmp_path / "h.fits"
    unit.writeto(path, overwrite=True)
    ours = read_frame(path).headers
    for key, value in fits.getheader(path).items():
        if key in cards:
            assert ours[key] == value
