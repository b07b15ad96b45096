"""The bench's focuser over Alpaca."""

import time

from tests.simulators.alpaca_client import NOT_IMPLEMENTED


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
