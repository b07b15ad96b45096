import socket
import time

import pytest

from autofocus.errors import DeviceError
from simulators.alpaca_server import BenchServer, start
from tests.simulators.alpaca_client import NO_ACTION, NOT_CONNECTED, NOT_IMPLEMENTED, served


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
