"""The folder to watch when none is named."""

from __future__ import annotations

import os
from pathlib import Path

from autofocus.frames.capturing import newest_capture_folder


def frame(path: Path, saved_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"SIMPLE")
    os.utime(path, (saved_s, saved_s))


def profile(local: Path, name: str, folder: Path | str) -> None:
    path = local / "NINA" / "Profiles" / f"{name}.profile"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "<Profile><GuiderSettings><FilePath>C:\\other</FilePath></GuiderSettings>"
        f'<ImageFileSettings i:type="ImageFileSettings"><FilePath>{folder}</FilePath></ImageFileSettings></Profile>',
        encoding="utf-8",
    )


def test_the_program_that_saved_last(tmp_path: Path) -> None:
    home, local, night = tmp_path / "home", tmp_path / "local", tmp_path / "Astro & more"
    frame(home / "Desktop" / "SharpCap Captures" / "2026-11-21" / "Capture" / "a.fits", 2e9)
    profile(local, "one", str(night).replace("&", "&amp;"))
    assert newest_capture_folder(home, {}) is not None
    found = newest_capture_folder(home, {"LOCALAPPDATA": str(local)})
    assert found is not None
    assert (found.program, found.path) == ("SharpCap", home / "Desktop" / "SharpCap Captures")
    frame(night / "2026-11-22" / "LIGHT" / "HD097633-9430.fits", 2e9 + 60)
    found = newest_capture_folder(home, {"LOCALAPPDATA": str(local)})
    assert found is not None
    assert (found.program, found.path, found.newest_s) == ("N.I.N.A.", night, 2e9 + 60)


def test_folders_without_frames_are_nobodys(tmp_path: Path) -> None:
    local = tmp_path / "local"
    profile(local, "absent", tmp_path / "gone")
    profile(local, "relative", "captures")
    (local / "NINA" / "Profiles" / "broken.profile").write_bytes(b"\xff\xfe\x00<Image")
    (tmp_path / "Pictures").mkdir()
    (tmp_path / "Pictures" / "cat.jpg").write_bytes(b"")
    assert newest_capture_folder(tmp_path, {"LOCALAPPDATA": str(local), "OneDrive": str(tmp_path / "cloud")}) is None
    frame(tmp_path / "Pictures" / "M31" / "Light" / "M31_001.fits", 2e9)
    found = newest_capture_folder(tmp_path, {})
    assert found is not None
    assert (found.program, found.path) == ("Ekos", tmp_path / "Pictures")
