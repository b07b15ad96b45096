"""The bench is what ASCOM's own description of Alpaca says: every operation it serves, with right and wrong requests.

Beside `tests/simulators/test_alpaca_server.py`, which holds the rules that the description cannot express.
"""

from __future__ import annotations

import copy
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings

from autofocus.devices.channel import Address
from autofocus.devices.discovery import find_servers
from simulators.alpaca_camera import ABSENT
from simulators.alpaca_server import BenchServer
from simulators.bench import Bench
from simulators.options import BenchOptions

SPECIFICATION = Path(__file__).parents[3] / "shared" / "spec"
KINDS = ("camera", "focuser")
NUMBERS = {"ClientID": 7, "ClientTransactionID": 12}
EXAMPLES = {"positive": 4, "negative": 3}

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server() -> Iterator[BenchServer]:
    bench = Bench(clock=time, options=BenchOptions(speed=1e4, sensor_px=(64, 48), cooling_c_per_h=0.0))
    with BenchServer(bench) as running:
        yield running


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as one:
        one.trust_env = False
        yield one


def described(name: str) -> dict[str, Any]:
    """One of ASCOM's two descriptions."""
    path = SPECIFICATION / name
    if not path.is_file():
        pytest.skip(f"ASCOM's description of Alpaca is not at {path}")
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def device_description() -> dict[str, Any]:
    """The device API as served here: two kinds of devices, ASCOM's reference where the description contradicts it."""
    spec = described("AlpacaDeviceAPI_v1.yaml")
    tops = ("{device_type}", *KINDS)
    spec["paths"] = {path: item for path, item in spec["paths"].items() if path.split("/")[1] in tops}
    parts = spec["components"]
    # camera 0 and focuser 0 are here; what is answered elsewhere is told in test_alpaca_server.py
    parts["parameters"]["device_type"]["schema"]["enum"] = list(KINDS)
    parts["parameters"]["device_number"]["schema"]["enum"] = [0]
    # "Zero indicates that a valid value was not supplied", says the description itself beside "minimum: 1"
    parts["schemas"]["AlpacaResponse"]["properties"]["ClientTransactionID"]["minimum"] = 0
    # "always include a common set of values", say the words; the schema requires none of them
    parts["schemas"]["AlpacaResponse"]["required"] = list(parts["schemas"]["AlpacaResponse"]["properties"])
    # 32 bits, which the description says in words and as a format that nobody checks
    for name in NUMBERS:
        for schema in (
            parts["parameters"][f"{name}Query"]["schema"],
            parts["schemas"]["AlpacaRequest"]["properties"][name],
        ):
            schema["maximum"] = 2**32 - 1
    for name in ("ImageArrayResponse", "ImageArrayVariantResponse"):
        image = parts["responses"][name]["content"]
        # an error has neither Rank nor Value and so fits both shapes of "oneOf"
        for part in image["application/json"]["schema"]["allOf"]:
            if "oneOf" in part:
                part["anyOf"] = part.pop("oneOf")
        if name == "ImageArrayResponse":  # documented in words only
            image["application/imagebytes"] = {"schema": {"type": "string", "format": "binary"}}
    for item in spec["paths"].values():  # a PUT without its parameters is no valid request
        if "put" in item and "requestBody" in item["put"]:
            body = item["put"]["requestBody"]
            if "$ref" in body:
                body = copy.deepcopy(parts["requestBodies"][body["$ref"].rpartition("/")[2]])
            item["put"]["requestBody"] = {**body, "required": True}
    return spec


def management_description() -> dict[str, Any]:
    """The management API; a bad request is a 400 there too, as the reference says (section 2.5)."""
    spec = described("AlpacaManagementAPI_v1.yaml")
    spec["components"]["parameters"]["device_type"]["schema"]["enum"] = list(KINDS)
    spec["components"]["parameters"]["device_number"]["schema"]["enum"] = [0]
    for path, item in spec["paths"].items():
        if path.startswith("/management"):
            item["get"]["responses"].setdefault("400", item["get"]["responses"]["500"])
    return spec


class Conformance:
    """Sends what schemathesis makes of a description, and keeps what was answered to each operation."""

    def __init__(self, server: BenchServer, session: requests.Session) -> None:
        self.url = f"http://{server.address}"
        self.session = session
        self.statuses: dict[str, set[int]] = defaultdict(set)
        self.numbers: dict[str, set[int]] = defaultdict(set)
        self.last_transaction = 0

    def check(self, description: dict[str, Any], base: str, mode: str) -> int:
        """Try all operations of a description; return how many there are."""
        import schemathesis
        from schemathesis import GenerationMode

        schema = schemathesis.openapi.from_dict(description)
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation in operations:
            self._fresh_devices()
            self._try(operation, GenerationMode(mode), f"{self.url}{base}", EXAMPLES[mode])
        return len(operations)

    def _try(self, operation: Any, mode: Any, base: str, examples: int) -> None:
        from hypothesis.errors import Unsatisfiable
        from schemathesis.checks import not_a_server_error
        from schemathesis.specs.openapi.checks import (
            content_type_conformance,
            response_schema_conformance,
            status_code_conformance,
        )

        checks = [
            not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
        ]  # fmt: skip

        @seed(1)
        @settings(
            max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def answered_in_form(case: Any) -> None:
            self._connect()
            response = case.call(base_url=base, session=self.session)
            case.validate_response(response, checks=checks)
            self._keep(operation.label, case, response)

        try:
            answered_in_form()
        except Unsatisfiable:  # an operation that takes nothing cannot be asked wrongly
            assert (operation.label, mode.value) == ("GET /setup", "negative")

    def _keep(self, label: str, case: Any, response: Any) -> None:
        """Hold what the schemas leave open against the answer, and remember it."""
        self.statuses[label].add(response.status_code)
        if response.status_code != 200 or not response.headers["content-type"][0].startswith("application/json"):
            return
        body = json.loads(response.content)
        sent = case.query if label.startswith("GET") else case.body
        sent = sent.get("ClientTransactionID", 0) if isinstance(sent, dict) else 0
        if isinstance(sent, int) and not isinstance(sent, bool):
            assert body["ClientTransactionID"] == sent
        assert body["ServerTransactionID"] > self.last_transaction
        self.last_transaction = body["ServerTransactionID"]
        number = body.get("ErrorNumber", 0)  # the management API has none
        self.numbers[label].add(number)
        assert (number == 0) == (body.get("ErrorMessage", "") == "")
        assert ("Value" in body) == (label.startswith("GET") and number == 0)

    def _put(self, path: str, **form: object) -> None:
        self.session.put(f"{self.url}/api/v1/{path}", data=form).raise_for_status()

    def _connect(self) -> None:
        for kind in KINDS:
            self._put(f"{kind}/0/connected", Connected="true")

    def _fresh_devices(self) -> None:
        """Connected, with an image of the whole sensor ready: so that there is something to answer."""
        self._connect()
        for name, value in (("BinX", 1), ("StartX", 0), ("StartY", 0), ("NumX", 64), ("NumY", 48)):
            self._put(f"camera/0/{name.lower()}", **{name: value})
        self._put("camera/0/abortexposure")
        self._put("camera/0/startexposure", Duration=0.01, Light="true")
        deadline = time.monotonic() + 5.0
        while not self.session.get(f"{self.url}/api/v1/camera/0/imageready").json()["Value"]:
            assert time.monotonic() < deadline


def test_device_operations_asked_rightly(server: BenchServer, session: requests.Session) -> None:
    description = device_description()
    tried = Conformance(server, session)
    assert tried.check(description, "/api/v1", "positive") == 72 + 12 + 16
    lacking = {f"/camera/{{device_number}}/{member.lower()}" for member in ABSENT}
    for label, numbers in tried.numbers.items():
        method, path = label.split()
        if method == "GET":  # each was answered, and with a value unless the bench's camera has no such thing
            assert numbers == ({0x400} if path in lacking else {0}), label
        else:
            assert numbers <= {0, 0x400, 0x401, 0x40B, 0x40C}, label
    assert all(200 in statuses for statuses in tried.statuses.values())


def test_device_operations_asked_wrongly(server: BenchServer, session: requests.Session) -> None:
    tried = Conformance(server, session)
    tried.check(device_description(), "/api/v1", "negative")
    refused = [label for label, statuses in tried.statuses.items() if 400 in statuses]
    assert len(refused) > 80  # nearly every one of the hundred was asked something that is no Alpaca


@pytest.mark.parametrize("mode", EXAMPLES)
def test_management_operations(server: BenchServer, session: requests.Session, mode: str) -> None:
    tried = Conformance(server, session)
    assert tried.check(management_description(), "", mode) == 5
    assert all(200 in statuses for statuses in tried.statuses.values()) or mode == "negative"


def test_discovery_at_alpacas_own_port() -> None:
    with BenchServer(Bench(clock=time), discovery_port=32227) as served:
        assert served.discoverable
        assert Address("http", "127.0.0.1", served.port) in find_servers(1.0)
