"""A client of the bench's Alpaca server, and benches to serve."""

import time

import requests

from simulators.bench import Bench
from simulators.options import BenchOptions

NOT_IMPLEMENTED, INVALID_VALUE, NOT_CONNECTED, INVALID_OPERATION, NO_ACTION = 0x400, 0x401, 0x407, 0x40B, 0x40C


class Client:
    """What a client program sends, spelled out."""

    def __init__(self, server):
        self.base = f"http://{server.address}"
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path, **params):
        answer = self.session.get(
            f"{self.base}/api/v1/{path}", params={"ClientID": 3, "ClientTransactionID": 77} | params
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["ClientTransactionID"] == 77
        return body

    def value(self, path):
        body = self.get(path)
        assert (body["ErrorNumber"], body["ErrorMessage"]) == (0, "")
        return body["Value"]

    def error(self, path):
        body = self.get(path)
        assert body["ErrorMessage"]
        assert "Value" not in body
        return body["ErrorNumber"]

    def put(self, path, **form):
        answer = self.raw_put(path, ClientID=3, ClientTransactionID=78, **form)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["ClientTransactionID"] == 78
        return body["ErrorNumber"]

    def raw_put(self, path, **form):
        return self.session.put(f"{self.base}/api/v1/{path}", data=form)

    def raw_get(self, path, **more):
        return self.session.get(f"{self.base}{path}", **more)

    def connect(self):
        assert self.put("camera/0/connected", Connected="True") == 0
        assert self.put("focuser/0/connected", Connected="true") == 0
        return self

    def wait(self, path, wanted):
        deadline = time.monotonic() + 5.0
        while self.value(path) is not wanted:
            assert time.monotonic() < deadline, path
            time.sleep(0.005)


def served(**options):
    return Bench("starex", clock=time, options=BenchOptions(**({"speed": 100.0, "sensor_px": (400, 260)} | options)))
