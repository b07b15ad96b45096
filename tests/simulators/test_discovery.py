import json
import socket
import time

import pytest

from simulators.alpaca_server import BenchServer
from simulators.bench import Bench
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


def test_who_asks_over_ipv6_is_told_too(port):
    try:
        responder = Responder("::1", 4567, port)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with responder, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asker:
        asker.settimeout(2.0)
        asker.sendto(b"alpacadiscovery1", ("::1", port))
        assert json.loads(asker.recvfrom(1024)[0]) == {"AlpacaPort": 4567}


def test_several_servers_of_one_machine_all_answer_what_is_broadcast(port):
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with Responder("127.0.0.1", 1, port), Responder("127.0.0.1", 2, port), asker:
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        asker.bind(("127.0.0.1", 0))
        asker.settimeout(2.0)
        asker.sendto(b"alpacadiscovery1", ("127.255.255.255", port))
        answers = [json.loads(asker.recvfrom(1024)[0])["AlpacaPort"] for _ in range(2)]
    assert sorted(answers) == [1, 2]


def test_a_port_that_another_program_holds_for_itself_does_not_stop_the_bench():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 0))
        with BenchServer(Bench(clock=time), discovery_port=other.getsockname()[1]) as server:
            assert not server.discoverable
            socket.create_connection((server.host, server.port), timeout=2.0).close()
