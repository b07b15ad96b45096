from __future__ import annotations

import threading
import time

import pytest

from autofocus.devices.clock import RealClock, VirtualClock
from autofocus.errors import Aborted


def test_a_sleep_lasts_as_long_as_asked() -> None:
    clock = RealClock()
    began = time.monotonic()
    clock.sleep(0.05)
    assert 0.05 <= time.monotonic() - began < 0.5


def test_stop_ends_a_long_sleep_at_once() -> None:
    clock = RealClock()
    threading.Timer(0.05, clock.stop).start()
    began = time.monotonic()
    with pytest.raises(Aborted):
        clock.sleep(30)
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("clock", [RealClock(), VirtualClock()], ids=["real", "virtual"])
def test_after_a_stop_every_sleep_raises(clock: RealClock | VirtualClock) -> None:
    clock.stop()
    for seconds in (0.0, 0.01):
        with pytest.raises(Aborted):
            clock.sleep(seconds)


@pytest.mark.parametrize("make", [RealClock, VirtualClock])
def test_a_shield_ignores_the_first_stop_and_not_the_second(make: type[RealClock | VirtualClock]) -> None:
    clock = make()
    with clock.shielded():
        clock.stop()
        clock.sleep(0.01)
        with clock.shielded():
            clock.sleep(0.0)
        clock.sleep(0.0)
        clock.stop()
        with pytest.raises(Aborted):
            clock.sleep(0.01)
    with pytest.raises(Aborted):
        clock.sleep(0.0)


def test_a_shield_entered_after_the_stop_lets_the_clean_up_wait() -> None:
    clock = RealClock()
    clock.stop()
    with clock.shielded():
        clock.sleep(0.01)
    with pytest.raises(Aborted):
        clock.sleep(0.0)


def test_a_shield_covers_only_its_own_thread() -> None:
    clock = RealClock()
    raised: list[BaseException] = []

    def worker() -> None:
        try:
            clock.sleep(5)
        except Aborted as error:
            raised.append(error)

    thread = threading.Thread(target=worker)
    with clock.shielded():
        thread.start()
        clock.stop()
        thread.join(2)
    assert len(raised) == 1


def test_virtual_time_passes_by_sleeping_alone() -> None:
    clock = VirtualClock()
    began = clock.utc()
    clock.sleep(90)
    clock.sleep(0.5)
    assert clock.monotonic() == 90.5
    assert (clock.utc() - began).total_seconds() == 90.5


def test_virtual_time_loses_nothing_between_threads() -> None:
    clock = VirtualClock()
    threads = [threading.Thread(target=lambda: [clock.sleep(1) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == 2000
