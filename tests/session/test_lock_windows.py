"""The lock as Windows has it, with a stand-in for its msvcrt: what is tried here runs on no Windows of ours."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from autofocus.errors import FocuserBusy
from autofocus.session import lock


class Msvcrt(ModuleType):
    """Locks single bytes of files, and refuses one that is locked."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.held: set[tuple[int, int]] = set()

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        byte = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
        assert count == 1
        if mode == self.LK_UNLCK:
            self.held.remove(byte)
        elif byte in self.held:
            raise PermissionError(13, "locked by another process")
        else:
            self.held.add(byte)


@pytest.fixture
def windows_lock(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt())
    spec = importlib.util.spec_from_file_location("lock_on_windows", str(lock.__file__))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_run_at_a_time_and_a_note_that_others_can_read(windows_lock: Any, tmp_path: Path) -> None:
    with windows_lock.hold("host:1/focuser/0", tmp_path) as held:
        held.note(tmp_path / "session")
        with pytest.raises(FocuserBusy, match=rf"process {os.getpid()}, session .*session\)"):
            windows_lock.hold("host:1/focuser/0", tmp_path).__enter__()
        with windows_lock.hold("host:1/focuser/1", tmp_path):
            pass
    with windows_lock.hold("host:1/focuser/0", tmp_path):
        pass
    assert sys.modules["msvcrt"].held == set()
