"""Whatever is sent, the answer is an Alpaca object or 400 in words: never 500, never silence."""

import time

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as some

from simulators.alpaca_server import start
from simulators.bench import Bench
from simulators.options import BenchOptions

HEAD = {"ClientTransactionID", "ServerTransactionID", "ErrorNumber", "ErrorMessage"}
NAMES = (
    "Position",
    "Duration",
    "Light",
    "Connected",
    "NumX",
    "StartY",
    "BinX",
    "Gain",
    "TempComp",
    "Raw",
    "Command",
    "ClientID",
)


@pytest.fixture(scope="module")
def bench_server():
    with start(Bench(clock=time, options=BenchOptions(speed=1e4, sensor_px=(64, 48)))) as server:
        yield server


values = some.one_of(
    some.sampled_from(["true", "False", "0", "1", "-1", "1e309", "nan", "0.01", "48"]), some.text(max_size=8)
)


@settings(max_examples=150, derandomize=True)
@given(data=some.data())
def test_any_request_is_answered_in_form(bench_server, data):
    kind = data.draw(some.sampled_from(["camera", "focuser"]))
    operations = sorted(bench_server.application.devices[kind].operations())
    method, member = data.draw(some.sampled_from(operations))
    form = data.draw(
        some.dictionaries(some.one_of(some.sampled_from(NAMES), some.text(max_size=5)), values, max_size=4)
    )
    with requests.Session() as session:
        session.trust_env = False
        session.put(f"http://{bench_server.address}/api/v1/{kind}/0/connected", data={"Connected": "true"})
        sent = {"params": form} if method == "get" else {"data": form}
        answer = session.request(method.upper(), f"http://{bench_server.address}/api/v1/{kind}/0/{member}", **sent)
    assert answer.status_code in {200, 400}
    if answer.status_code == 400:
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.text
    else:
        body = answer.json()
        assert set(body) >= HEAD
        assert (body["ErrorNumber"] == 0) == (body["ErrorMessage"] == "")
        assert ("Value" in body) == (method == "get" and body["ErrorNumber"] == 0)
