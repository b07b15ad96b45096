from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import bench


@pytest.fixture
def slow_bench(tmp_path: Path) -> Iterator[str]:
    """A bench on which a run takes long enough to be disturbed: the last --speed given holds."""
    with bench.simulate(tmp_path, 1, bench.SMALL, ["--speed", "10"]) as address:
        yield address
