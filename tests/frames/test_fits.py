"""Files as they come: read as what they are, or refused with what is wrong."""

from __future__ import annotations

import gzip
import io
import math
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autofocus.errors import FrameError
from autofocus.frames.fits import LARGEST_UNPACKED, glance, is_whole, read_frame, write_frame
from autofocus.frames.naming import is_frame_name
from autofocus.model import Frame


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "f4", "f8"])
def test_every_pixel_type(raw_fits: Any, kind: str) -> None:
    pixels = np.random.default_rng(1).uniform(0, 120, (12, 17)).astype(kind)
    frame = read_frame(raw_fits("a.fit", pixels))
    assert frame.shape == (12, 17)
    np.testing.assert_allclose(frame.pixels, pixels.astype("f4"))


def test_scale_is_applied_to_the_part_asked_for(raw_fits: Any, picture: np.ndarray) -> None:
    frame = read_frame(raw_fits(BZERO=32768, BSCALE=0.5))
    assert (frame.bzero, frame.bscale) == (32768, 0.5)
    np.testing.assert_allclose(frame.section(slice(3, 5), slice(10, 20)), picture[3:5, 10:20] * 0.5 + 32768)
    assert frame.saturation_adu == 32767 * 0.5 + 32768


@pytest.mark.parametrize("suffix", [".fits.gz", ".fits"])
def test_gzip_is_told_by_its_content(raw_fits: Any, picture: np.ndarray, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"packed-9430{suffix}"
    path.write_bytes(gzip.compress(raw_fits("plain.fits", EXPTIME=3.0).read_bytes()))
    assert is_whole(path)
    frame = read_frame(path)
    np.testing.assert_array_equal(frame.pixels, picture)
    assert (frame.exposure_s, frame.position) == (3.0, 9430)


def test_compressed_image_in_a_later_part_with_its_exposure_in_the_primary(tmp_path: Path, picture: np.ndarray) -> None:
    primary = fits.PrimaryHDU()
    primary.header["EXPTIME"] = 800.0
    primary.header["FOCPOS"] = 9400
    image = fits.CompImageHDU(picture.astype(np.uint16) + np.uint16(40000), compression_type="RICE_1")
    path = tmp_path / "x.fits.fz"
    fits.HDUList([primary, image]).writeto(path)
    frame = read_frame(path)
    np.testing.assert_array_equal(frame.pixels, picture.astype("f4") + 40000)
    assert (frame.exposure_s, frame.position, frame.saturation_adu) == (800.0, 9400, 65535)
    assert is_whole(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-2880])
    assert not is_whole(path)
    with pytest.raises(FrameError, match="not whole"):
        read_frame(path)


def test_image_extension_behind_an_empty_primary(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "x.fts"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(picture)]).writeto(path)
    np.testing.assert_array_equal(read_frame(path).pixels, picture)


def test_degenerate_third_axis_is_an_image(raw_fits: Any, picture: np.ndarray) -> None:
    assert read_frame(raw_fits(pixels=picture[None])).shape == picture.shape


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


def test_bayer_luminance_has_no_comb_and_keeps_the_grid(raw_fits: Any) -> None:
    rows = np.arange(60)[:, None]
    light = 4000 * np.exp(-0.5 * ((rows - 30.2) / 4.0) ** 2) * np.ones((1, 80))
    mosaic = light.copy()
    mosaic[::2, 1::2] *= 0.3  # a red star through RGGB
    mosaic[1::2, ::2] *= 0.3
    mosaic[1::2, 1::2] *= 0.05
    frame = read_frame(raw_fits(pixels=mosaic.astype("i2"), BAYERPAT="RGGB"))
    profile = frame.pixels[:, 10:70].mean(axis=1).astype(float)
    width = np.sqrt(np.average((np.arange(60) - np.average(np.arange(60), weights=profile)) ** 2, weights=profile))
    assert frame.shape == (60, 80)
    assert width == pytest.approx(math.hypot(4.0, 0.5), rel=0.01)
    assert np.all(np.diff(profile[20:29]) > 0)  # smooth: rises row by row
    assert frame.notes == ("Bayer RGGB: luminance of 2x2 pixels",)
    assert profile.sum() == pytest.approx(light[:, 0].sum() * (1 + 0.3 + 0.3 + 0.05) / 4, rel=0.01)


def test_bayer_saturation_is_not_averaged_away(raw_fits: Any) -> None:
    pixels = np.zeros((10, 10), "i2")
    pixels[4, 4] = 32767
    frame = read_frame(raw_fits(pixels=pixels, BAYERPAT="RGGB"))
    assert np.count_nonzero(frame.pixels >= 32767) == 4


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "it is empty"),
        (b"\0" * 8000, "not a FITS file"),
        (b"SIMPLE  = ", "ends within its header"),
        (b"P6 640 480 255 " * 300, "not a FITS file"),
    ],
)
def test_what_is_no_fits(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "x.fits"
    path.write_bytes(content)
    with pytest.raises(FrameError, match=complaint) as caught:
        read_frame(path)
    assert caught.value.message.startswith("x.fits: ")
    assert not is_whole(path)


def test_colour_cube_is_refused_with_the_mend(raw_fits: Any) -> None:
    with pytest.raises(FrameError, match="cube of 40 x 30 x 3; save single monochrome frames"):
        read_frame(raw_fits(pixels=np.zeros((3, 30, 40), "i2")))


def test_header_only_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "empty.fits"
    fits.PrimaryHDU().writeto(path)
    with pytest.raises(FrameError, match="holds no image"):
        read_frame(path)


def test_a_header_that_lies_about_its_size_costs_nothing(raw_fits: Any, picture: np.ndarray) -> None:
    path = raw_fits("liar.fits")
    lie = path.read_bytes().replace(b"NAXIS1  =                   40", b"NAXIS1  =           4000000000")
    path.write_bytes(lie)
    tracemalloc.start()
    with pytest.raises(FrameError, match="not whole"):
        read_frame(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20
    assert "not whole" in glance(path).missing


def test_a_gzip_bomb_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.fits.gz"
    head = fits_header(100_000, 100_000)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as stream:
        stream.write(head)
        for _ in range(20):
            stream.write(bytes(2**20))
    path.write_bytes(packed.getvalue())
    tracemalloc.start()
    with pytest.raises(FrameError, match="more than 512 MiB"):
        read_frame(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20
    assert not is_whole(path)
    assert LARGEST_UNPACKED < 100_000**2 * 2


def fits_header(columns: int, rows: int) -> bytes:
    header = fits.Header([("SIMPLE", True), ("BITPIX", 16), ("NAXIS", 2), ("NAXIS1", columns), ("NAXIS2", rows)])
    return header.tostring().encode()


def test_a_large_file_is_mapped_and_read_where_it_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "huge.fits"
    with path.open("wb") as stream:
        stream.write(fits_header(20_000, 20_000))
        stream.truncate(2880 + 2 * 20_000**2)  # 800 MB that the disk does not hold
    tracemalloc.start()
    frame = read_frame(path)
    assert frame.section(slice(10_000, 10_010), slice(0, 100)).sum() == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(frame.raw, np.memmap)
    assert peak < 2**20


def test_a_small_file_is_let_go_of(raw_fits: Any) -> None:
    frame = read_frame(raw_fits())
    base = frame.raw
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert base.base is None  # its own memory: no mapping keeps the file from being renamed or deleted


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"x\.fits: there is no such file"):
        read_frame(tmp_path / "x.fits")
    with pytest.raises(FrameError):
        read_frame(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_whole_only_with_the_last_pixel(raw_fits: Any, picture: np.ndarray, *, packed: bool) -> None:
    path = raw_fits("w.fits")
    whole = path.read_bytes()
    if packed:
        whole = gzip.compress(whole)
        ends = range(0, len(whole), 97)
    else:
        ends = [*range(0, 2880, 700), 2880, 2880 + picture.nbytes - 1]
    for end in ends:
        path.write_bytes(whole[:end])
        assert not is_whole(path), end
    path.write_bytes(whole if packed else whole[: 2880 + picture.nbytes])  # padding may be missing
    assert is_whole(path)


DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
def test_real_files_hold_what_astropy_reads_in_them() -> None:
    paths = [path for path in sorted(DATA.rglob("*")) if is_frame_name(path.name)]
    assert len(paths) >= 37
    for path in paths:
        frame = read_frame(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(path) as units:
                pixels = next(unit.data for unit in units if unit.data is not None)
                exposure = next(unit.header["EXPTIME"] for unit in units if "EXPTIME" in unit.header)
        np.testing.assert_allclose(frame.pixels, pixels, rtol=1e-6, err_msg=path.name)
        assert frame.exposure_s == (exposure or None)
        assert is_whole(path)
        if "c8_star" in path.parts:
            assert frame.position == {"8000": 8025}.get(path.name[13:17], float(path.name[13:17]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, 5759), st.integers(0, 255)), max_size=12),
    packed=st.booleans(),
)
def test_no_flipped_byte_leads_out_of_our_errors(
    raw_fits: Any, tmp_path: Path, flips: list[tuple[int, int]], *, packed: bool
) -> None:
    data = bytearray(raw_fits("fuzz.fits", EXPTIME=1.0, BAYERPAT="RGGB", FOCUSPOS=100).read_bytes())
    for at, value in flips:
        data[at % len(data)] = value
    path = tmp_path / "fuzzed.fits"
    path.write_bytes(gzip.compress(bytes(data), 1) if packed else bytes(data))
    try:
        frame = read_frame(path)
    except FrameError:
        glance(path)
        return
    assert min(frame.shape) > 0
    assert frame.exposure_s is None or frame.exposure_s > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


def test_write_and_read_back(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 65535, (20, 30), dtype=np.uint16)
    headers = {
        "EXPTIME": 10.0, "FOCUSPOS": 9430, "FOCTEMP": math.nan, "OBJECT": "Renée\x1b[31m", "GAIN": None,
        "XPIXSZ": (3.76, "[um] pixel"), "DATE-OBS": "2026-11-22T21:14:05.123",
    }  # fmt: skip
    path = tmp_path / "out.fits"
    write_frame(Frame(pixels), headers, path)
    frame = read_frame(path)
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.exposure_s == 10.0
    assert frame.position == 9430
    assert frame.headers["OBJECT"] == "Renee[31m"
    assert "FOCTEMP" not in frame.headers
    assert "GAIN" not in frame.headers
    assert frame.headers["XPIXSZ"] == 3.76
    assert frame.started_utc == "2026-11-22T21:14:05.123"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.fits"]
    again = tmp_path / "again.fits"
    write_frame(frame, {}, again)  # as read: signed with BZERO
    np.testing.assert_array_equal(read_frame(again).pixels, pixels)


@pytest.mark.parametrize("kind", ["i4", "u4", "f4", "u1", "i2"])
def test_write_any_pixel_type(tmp_path: Path, kind: str) -> None:
    pixels = np.arange(12).reshape(3, 4).astype(kind)
    path = tmp_path / "k.fits"
    write_frame(Frame(pixels), {}, path)
    np.testing.assert_array_equal(read_frame(path).pixels, pixels.astype("f4"))


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_frame(Frame(np.zeros((3, 3), "u2")), {}, tmp_path / "x.fits")
    assert list(tmp_path.iterdir()) == []
