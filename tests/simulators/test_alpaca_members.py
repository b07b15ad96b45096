"""Every camera, focuser and common member of ASCOM's own description of Alpaca is answered."""

import re
from pathlib import Path

import pytest

from autofocus.devices.clock import VirtualClock
from simulators.alpaca_server import AlpacaApplication
from simulators.bench import Bench

SPECIFICATION = Path(__file__).parents[3] / "shared" / "spec" / "AlpacaDeviceAPI_v1.yaml"


def specified(kind):
    """(get or put, member) of each operation of a kind of device."""
    if not SPECIFICATION.exists():
        pytest.skip(f"{SPECIFICATION} is absent")
    operations = set()
    member = None
    for line in SPECIFICATION.read_text(encoding="utf-8").splitlines():
        if path := re.match(
            r"  '/([^/]+)/\{device_number\}/(\w+)':$|  '/(\{device_type\})/\{device_number\}/(\w+)':$", line
        ):
            owner = path[1] or path[3]
            member = (path[2] or path[4]) if owner in {kind, "{device_type}"} else None
        elif re.match(r"\S", line):
            member = None
        elif member and (method := re.match(r"    (get|put):", line)):
            operations.add((method[1], member))
    return operations


@pytest.mark.real
@pytest.mark.parametrize(("kind", "count"), [("camera", 88), ("focuser", 28)])
def test_every_specified_operation_is_served_and_nothing_else(kind, count):
    device = AlpacaApplication(Bench(clock=VirtualClock())).devices[kind]
    asked = specified(kind)
    assert len(asked) == count
    assert asked == device.operations()
