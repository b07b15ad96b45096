from __future__ import annotations

from collections.abc import Iterator

import pytest

from autofocus.devices.clock import RealClock
from tests.devices.fake_alpaca import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.stop()


@pytest.fixture
def clock() -> RealClock:
    return RealClock()
