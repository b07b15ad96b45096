"""What ends a command: signals here, and what Windows has in their place."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from autofocus.cli import stopping as room
from autofocus.cli.stopping import console_handler, stopping

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def stops() -> list[str]:
    return []


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"])
def test_every_way_to_end_a_command_asks_it_to_stop(
    name: str, stops: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)  # as on Windows, by another number
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with stopping(lambda: stops.append(name)):
        os.kill(os.getpid(), number)
    assert stops == [name]
    assert signal.getsignal(number) == before


@posix
def test_the_third_time_the_process_ends_where_it_stands(stops: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(room.os, "_exit", codes.append)
    with stopping(lambda: stops.append("stop")):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        assert (len(stops), codes) == (2, [])
        os.kill(os.getpid(), signal.SIGINT)
    assert codes == [130]


@posix
def test_under_nohup_the_terminal_may_close(stops: list[str]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping(lambda: stops.append("stop")):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert stops == []


@pytest.mark.parametrize("event", [2, 5, 6])
def test_a_closing_console_waits_until_the_run_has_come_home(event: int, stops: list[str]) -> None:
    ended = threading.Event()
    threading.Timer(0.15, ended.set).start()
    began = time.monotonic()
    assert console_handler(lambda: stops.append("stop"), ended)(event) is True
    assert 0.1 < time.monotonic() - began < 5.0
    assert stops == ["stop"]


@pytest.mark.parametrize("event", [0, 1])
def test_ctrl_c_on_a_console_is_left_to_its_signal(event: int, stops: list[str]) -> None:
    assert console_handler(lambda: stops.append("stop"), threading.Event())(event) is False
    assert stops == []
