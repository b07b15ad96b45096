"""Frames written, and read back as they were."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from autofocus.frames.fits import read_frame, write_frame
from autofocus.model import Frame


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
