import json
import socket

import pytest

from simulators.discovery import Responder


@pytest.fixture
def port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_who_asks_is_told_the_port_and_nobody_else(port):
    with Responder("127.0.0.1", 4567, port), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.2)
        asker.sendto(b"something else", ("127.0.0.1", port))
        with pytest.raises(TimeoutError):
            asker.recvfrom(1024)
        asker.settimeout(2.0)
        asker.sendto(b"alpacadiscovery1", ("127.0.0.1", port))
        assert json.loads(asker.recvfrom(1024)[0]) == {"AlpacaPort": 4567}
