import socket
import struct
import time

import numpy as np
import pytest
import requests

from autofocus.devices.imagebytes import decode
from autofocus.errors import DeviceError, DeviceRefused
from simulators.alpaca_server import BenchServer, start
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


@pytest.fixture(scope="module")
def server():
    with start(served()) as running:
        yield running


@pytest.fixture
def client(server):
    with requests.Session() as _:
        one = Client(server)
        yield one.connect()
        one.put("camera/0/abortexposure")
        one.session.close()


@pytest.fixture
def client_of():
    running = []

    def make(**options):
        server = start(served(**options))
        one = Client(server)
        running.append((server, one))
        return one.connect()

    yield make
    for server, one in running:
        one.session.close()
        server.stop()


# transactions, parameters, status codes


def test_server_transactions_count_up(client):
    first, second = (client.get("focuser/0/position")["ServerTransactionID"] for _ in range(2))
    assert second > first >= 1


def test_names_in_a_query_may_be_in_any_case(client):
    body = client.raw_get("/api/v1/focuser/0/position?CLIENTID=1&clienttransactionid=9").json()
    assert body["ClientTransactionID"] == 9


def test_names_in_a_form_must_be_as_documented(client):
    refused = client.raw_put("focuser/0/move", position=9000)
    assert refused.status_code == 400
    assert refused.headers["content-type"].startswith("text/plain")
    assert "Position" in refused.text
    accepted = client.raw_put("focuser/0/connected", Connected="True", clienttransactionid="55", Extra="1")
    assert accepted.json()["ClientTransactionID"] == 0


@pytest.mark.parametrize("number", ["-1", "x", "", "1.5", "4294967296", "²"])
def test_a_bad_transaction_number_is_refused(client, number):
    assert client.raw_get("/api/v1/focuser/0/position", params={"ClientTransactionID": number}).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "v1/focuser/0/POSITION",
        "v1/Focuser/0/position",
        "v1/focuser/1/position",
        "v1/focuser/-1/position",
        "v1/dome/0/name",
        "v1/focuser/0/halt",
        "v1/focuser/0/nothing",
        "v1/focuser/position",
        "v2/focuser/0/position",
        "",
        "../etc/passwd",
    ],
)
def test_what_is_not_alpaca_is_refused_in_words(client, path):
    refused = client.raw_get(f"/api/{path}")
    assert refused.status_code == 400
    assert refused.headers["content-type"].startswith("text/plain")
    assert refused.text


def test_other_methods_are_refused(client):
    assert client.session.post(f"{client.base}/api/v1/focuser/0/position").status_code == 400
    assert client.session.put(f"{client.base}/api/v1/focuser/0/position").status_code == 400
    assert client.session.delete(f"{client.base}/api/v1/focuser/0/position").status_code in {400, 405}


@pytest.mark.parametrize("form", [{}, {"Position": "near"}, {"Position": "1.5"}, {"Position": "99999999999"}])
def test_a_bad_value_is_refused(client, form):
    assert client.raw_put("focuser/0/move", **form).status_code == 400


def test_an_endless_body_is_refused(client):
    assert client.session.put(f"{client.base}/api/v1/focuser/0/move", data=b"x" * 100_000).status_code == 400


def test_polling_is_not_held_up_by_small_packets(client):
    begun = time.perf_counter()
    for _ in range(20):
        client.value("focuser/0/ismoving")
    assert time.perf_counter() - begun < 0.6  # 40 ms each where Nagle's rule waits for acknowledgements


# common members


@pytest.mark.parametrize("kind", ["camera", "focuser"])
def test_common_members(client, kind):
    assert client.value(f"{kind}/0/interfaceversion") == 4
    assert client.value(f"{kind}/0/connected") is True
    assert client.value(f"{kind}/0/connecting") is False
    assert client.value(f"{kind}/0/supportedactions") == []
    for text in ("name", "description", "driverinfo", "driverversion"):
        assert client.value(f"{kind}/0/{text}")
    assert client.put(f"{kind}/0/action", Action="dance", Parameters="") == NO_ACTION
    assert client.put(f"{kind}/0/commandblind", Command="x", Raw="true") == NOT_IMPLEMENTED
    assert client.raw_put(f"{kind}/0/action", Action="dance").status_code == 400


def test_not_connected(client_of):
    client = client_of()
    assert client.put("focuser/0/disconnect") == 0
    assert client.put("camera/0/connected", Connected="False") == 0
    assert client.error("focuser/0/position") == NOT_CONNECTED
    assert client.error("camera/0/imageready") == NOT_CONNECTED
    assert client.error("camera/0/imagearray") == NOT_CONNECTED
    assert client.put("focuser/0/move", Position=9000) == NOT_CONNECTED
    assert client.put("camera/0/startexposure", Duration=1, Light="true") == NOT_CONNECTED
    assert client.value("focuser/0/name")
    assert client.put("focuser/0/connect") == 0
    assert isinstance(client.value("focuser/0/position"), int)


def test_management(client):
    assert client.raw_get("/management/apiversions").json()["Value"] == [1]
    about = client.raw_get("/management/v1/description").json()["Value"]
    assert set(about) == {"ServerName", "Manufacturer", "ManufacturerVersion", "Location"}
    devices = client.raw_get("/management/v1/configureddevices", params={"clientTransactionID": 4}).json()
    assert devices["ClientTransactionID"] == 4
    assert [(each["DeviceType"], each["DeviceNumber"]) for each in devices["Value"]] == [("Camera", 0), ("Focuser", 0)]
    assert len({each["UniqueID"] for each in devices["Value"]}) == 2


def test_setup_pages(client):
    assert "Star&#x27;Ex" in client.raw_get("/setup").text
    assert client.raw_get("/setup/v1/camera/0/setup").status_code == 200
    refused = client.raw_get("/setup/v1/dome/0/setup")
    assert refused.status_code == 403
    assert refused.headers["content-type"].startswith("text/html")


# focuser


def test_a_move_is_asynchronous_and_arrives(client):
    here = client.value("focuser/0/position")
    assert client.put("focuser/0/move", Position=here + 2400) == 0
    assert client.value("focuser/0/ismoving") is True
    client.wait("focuser/0/ismoving", False)
    assert client.value("focuser/0/position") == here + 2400
    assert client.put("focuser/0/move", Position=here) == 0
    client.wait("focuser/0/ismoving", False)


def test_moves_beyond_the_limits_are_clamped(client):
    assert client.put("focuser/0/move", Position=-500) == 0
    client.wait("focuser/0/ismoving", False)
    assert client.value("focuser/0/position") == 0
    assert client.put("focuser/0/move", Position=99999) == 0
    client.wait("focuser/0/ismoving", False)
    assert client.value("focuser/0/position") == client.value("focuser/0/maxstep") == 20000


def test_halt_stops_at_once(client_of):
    client = client_of(speed=1.0)
    here = client.value("focuser/0/position")
    client.put("focuser/0/move", Position=here - 5000)
    assert client.put("focuser/0/halt") == 0
    assert client.value("focuser/0/ismoving") is False
    assert here - 200 < client.value("focuser/0/position") <= here


def test_a_relative_focuser(client_of):
    client = client_of(absolute=False, start_position=9400, max_increment=100)
    assert client.value("focuser/0/absolute") is False
    assert client.error("focuser/0/position") == NOT_IMPLEMENTED
    assert client.value("focuser/0/maxincrement") == client.value("focuser/0/maxstep") == 100
    assert client.put("focuser/0/move", Position=-150) == 0
    client.wait("focuser/0/ismoving", False)
    assert client.raw_get("/simulator/v1/truth").json()["position"] == 9300
    assert [each["Name"] for each in client.value("focuser/0/devicestate")] == ["IsMoving", "Temperature"]


def test_a_focuser_that_can_do_little(client_of):
    client = client_of(has_temperature=False, can_halt=False, has_step_size=False)
    assert client.error("focuser/0/temperature") == NOT_IMPLEMENTED
    assert client.error("focuser/0/stepsize") == NOT_IMPLEMENTED
    assert client.value("focuser/0/tempcompavailable") is False
    assert client.value("focuser/0/tempcomp") is False
    assert client.put("focuser/0/tempcomp", TempComp="True") == NOT_IMPLEMENTED
    assert client.put("focuser/0/halt") == NOT_IMPLEMENTED


def test_temperature_compensation_moves_the_focuser_until_it_is_switched_off(client_of):
    client = client_of(temp_comp=True, cooling_c_per_h=36000.0, start_position=9400, speed=1.0)  # 10 degrees a second
    assert client.value("focuser/0/tempcomp") is True
    deadline = time.monotonic() + 5.0
    while client.value("focuser/0/position") >= 9395:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert client.put("focuser/0/tempcomp", TempComp="False") == 0
    client.wait("focuser/0/ismoving", False)
    here = client.value("focuser/0/position")
    time.sleep(0.15)
    assert client.value("focuser/0/position") == here


# camera


def test_before_the_first_exposure(client_of):
    client = client_of()
    assert client.value("camera/0/imageready") is False
    assert client.value("camera/0/camerastate") == 0
    for member in ("imagearray", "imagearrayvariant", "lastexposureduration", "lastexposurestarttime"):
        assert client.error(f"camera/0/{member}") == INVALID_OPERATION


def image_bytes(client):
    answer = client.raw_get(
        "/api/v1/camera/0/imagearray?ClientTransactionID=5", headers={"Accept": "application/imagebytes"}
    )
    assert answer.headers["content-type"] == "application/imagebytes"
    header = struct.unpack("<iiIIiiiiiii", answer.content[:44])
    pixels = np.frombuffer(answer.content, dtype="<u2", offset=44).reshape(header[8], header[9]).T
    return header, pixels


def test_an_exposure_becomes_an_image_in_both_forms(client_of):
    client = client_of()
    assert client.put("camera/0/startexposure", Duration=5.0, Light="true") == 0
    assert client.value("camera/0/imageready") is False
    assert client.value("camera/0/camerastate") == 2
    assert client.put("camera/0/startexposure", Duration=5.0, Light="true") == INVALID_OPERATION
    assert client.error("camera/0/imagearray") == INVALID_OPERATION
    assert 0 <= client.value("camera/0/percentcompleted") <= 100
    client.wait("camera/0/imageready", True)
    assert client.value("camera/0/camerastate") == 0
    assert client.value("camera/0/percentcompleted") == 100
    assert client.value("camera/0/lastexposureduration") == 5.0
    time.strptime(client.value("camera/0/lastexposurestarttime").split(".")[0], "%Y-%m-%dT%H:%M:%S")
    header, pixels = image_bytes(client)
    assert header[:3] == (1, 0, 5)
    assert header[3] >= 1
    assert header[4:] == (44, 2, 8, 2, 400, 260, 0)
    assert pixels.shape == (260, 400)
    assert 120 < np.argmax(pixels.astype(float).mean(axis=1)) < 140  # the trace lies along the rows
    body = client.get("camera/0/imagearray")
    assert (body["Type"], body["Rank"]) == (2, 2)
    np.testing.assert_array_equal(np.array(body["Value"]).T, pixels)


def test_an_error_comes_in_the_form_that_was_asked_for(client_of):
    client = client_of()
    path = "/api/v1/camera/0/imagearray?ClientTransactionID=6"
    answer = client.raw_get(path, headers={"Accept": "application/imagebytes, application/json;q=0.5"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/imagebytes")
    header = struct.unpack("<iiIIiiiiiii", answer.content[:44])
    assert header[:3] == (1, INVALID_OPERATION, 6)
    assert header[3] >= 1
    assert header[4:] == (44, 0, 0, 0, 0, 0, 0)
    assert answer.content[44:].decode("utf-8") == client.get("camera/0/imagearray")["ErrorMessage"]
    with pytest.raises(DeviceRefused, match="no exposure has ended") as refused:
        decode(answer.content)
    assert refused.value.number == INVALID_OPERATION


def test_json_only(client_of):
    client = client_of(imagebytes=False)
    client.put("camera/0/startexposure", Duration=0.5, Light="true")
    client.wait("camera/0/imageready", True)
    answer = client.raw_get("/api/v1/camera/0/imagearray", headers={"Accept": "application/imagebytes"})
    assert answer.headers["content-type"] == "application/json"


def test_abort_loses_the_image_and_stop_keeps_it(client_of):
    client = client_of(speed=1.0)
    client.put("camera/0/startexposure", Duration=60, Light="true")
    assert client.put("camera/0/abortexposure") == 0
    assert client.value("camera/0/camerastate") == 0
    assert client.value("camera/0/imageready") is False
    client.put("camera/0/startexposure", Duration=60, Light="true")
    time.sleep(0.05)
    assert client.put("camera/0/stopexposure") == 0
    assert client.value("camera/0/imageready") is True
    assert 0.05 <= client.value("camera/0/lastexposureduration") < 5.0
    assert image_bytes(client)[1].shape == (260, 400)


def test_window_and_binning(client_of):
    client = client_of()
    assert client.put("camera/0/binx", BinX=2) == 0
    assert client.value("camera/0/biny") == 2
    assert (
        client.put("camera/0/startexposure", Duration=0.1, Light="true") == INVALID_VALUE
    )  # NumX is still the whole sensor's
    for name, value in (("NumX", 100), ("NumY", 60), ("StartX", 50), ("StartY", 35)):
        assert client.put(f"camera/0/{name.lower()}", **{name: value}) == 0
    assert client.put("camera/0/startexposure", Duration=0.1, Light="true") == 0
    client.wait("camera/0/imageready", True)
    assert image_bytes(client)[1].shape == (60, 100)


@pytest.mark.parametrize(
    ("member", "form"),
    [
        ("binx", {"BinX": 0}),
        ("biny", {"BinY": 5}),
        ("gain", {"Gain": 301}),
        ("offset", {"Offset": -1}),
        ("readoutmode", {"ReadoutMode": 2}),
        ("startexposure", {"Duration": -1, "Light": "true"}),
        ("startexposure", {"Duration": 1e6, "Light": "true"}),
    ],
)
def test_values_out_of_range(client, member, form):
    assert client.put(f"camera/0/{member}", **form) == INVALID_VALUE


def test_gain_changes_the_electrons_per_adu(client_of):
    client = client_of()
    assert client.value("camera/0/electronsperadu") == pytest.approx(0.8)
    assert (client.value("camera/0/gainmin"), client.value("camera/0/gainmax")) == (0, 300)
    assert client.error("camera/0/gains") == NOT_IMPLEMENTED
    assert client.put("camera/0/gain", Gain=300) == 0
    assert client.value("camera/0/gain") == 300
    assert client.value("camera/0/electronsperadu") == pytest.approx(0.08)


def test_a_camera_without_gain(client_of):
    client = client_of(has_gain=False)
    for member in ("gain", "gainmin", "gainmax", "gains", "offset", "offsetmin", "offsetmax", "offsets"):
        assert client.error(f"camera/0/{member}") == NOT_IMPLEMENTED
    assert client.put("camera/0/gain", Gain=100) == NOT_IMPLEMENTED


@pytest.mark.parametrize(
    "member",
    ["coolerpower", "setccdtemperature", "bayeroffsetx", "subexposureduration", "fastreadout", "ispulseguiding"],
)
def test_what_the_camera_does_not_have(client, member):
    assert client.error(f"camera/0/{member}") == NOT_IMPLEMENTED


# the bench itself


def test_the_truth_can_be_asked_for(client):
    truth = client.raw_get("/simulator/v1/truth", params={"exposure_s": 30}).json()
    assert truth["optima"]["nsig"] == pytest.approx(9377.0, abs=1.0)
    assert truth["exposure_s"] == 30.0
    assert truth["position"] == truth["tube"]
    assert client.raw_get("/simulator/v1/truth", params={"exposure_s": "nan"}).status_code == 400


def test_an_occupied_port_is_refused_in_words(server):
    with pytest.raises(DeviceError, match="choose another --port"):
        BenchServer(served(), port=server.port)


def test_a_stopped_server_answers_no_more():
    running = start(served())
    running.stop()
    with pytest.raises(OSError):
        socket.create_connection((running.host, running.port), timeout=1.0)
