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
from hypothesis import given, settings
from hypothesis import strategies as st

from autofocus.errors import FrameError
from autofocus.frames.fits import LARGEST_UNPACKED, glance, is_whole, read_frame
from autofocus.frames.naming import is_frame_name


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


@settings(max_examples=150)
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
