import numpy as np
import pytest

from autofocus.errors import Aborted, DeviceRefused
from autofocus.settings import CameraSettings, FocuserSettings
from simulators.devices import SimulatedCamera, SimulatedFocuser


def test_a_frame_costs_its_exposure_and_nothing_for_its_drawing(make_bench, clock):
    bench = make_bench(download_s=0.5)
    camera = SimulatedCamera(bench, clock)
    before = clock.monotonic()
    camera.expose(10.0)
    assert clock.monotonic() - before == pytest.approx(10.5)
    frame = camera.fetch()
    assert clock.monotonic() - before == pytest.approx(10.5)
    assert frame.shape == (1096, 1936)
    assert frame.exposure_s == 10.0
    assert frame.gain_e_per_adu == pytest.approx(0.8)
    assert frame.saturation_adu == 65535.0
    assert frame.started_utc is not None


def test_settings_of_the_camera_are_used(make_bench, clock):
    bench = make_bench()
    camera = SimulatedCamera(
        bench, clock, CameraSettings(address="bench:1", roi=(100, 200, 300, 50), binning=2, gain=200)
    )
    camera.open()
    camera.expose(1.0)
    frame = camera.fetch()
    assert frame.shape == (50, 300)
    assert frame.gain_e_per_adu == pytest.approx(0.8 / np.sqrt(10.0))
    assert frame.headers["XPIXSZ"] == pytest.approx(9.6)
    assert camera.facts.gain == 200


def test_a_camera_without_gain_refuses_to_have_it_set(make_bench, clock):
    bench = make_bench(has_gain=False)
    with pytest.raises(DeviceRefused):
        SimulatedCamera(bench, clock, CameraSettings(address="bench:1", gain=3)).open()
    plain = SimulatedCamera(bench, clock)
    plain.open()
    assert plain.facts.gain is None
    assert plain.facts.gain_e_per_adu == pytest.approx(0.8)


def test_no_image_before_an_exposure_or_after_an_abort(make_bench, clock):
    camera = SimulatedCamera(make_bench(), clock)
    with pytest.raises(DeviceRefused):
        camera.fetch()
    camera.expose(1.0)
    camera.abort()
    with pytest.raises(DeviceRefused):
        camera.fetch()


def test_moves_take_their_time_and_end_at_the_limit(make_bench, clock):
    bench = make_bench(start_position=9400)
    focuser = SimulatedFocuser(bench, clock)
    before = clock.monotonic()
    assert focuser.move(9160) == 9160
    assert clock.monotonic() - before == pytest.approx(240 / 120.0)
    assert focuser.move(-50) == 0
    assert focuser.facts.low == 0
    assert focuser.facts.high == 20000
    assert focuser.facts.microns_per_step == pytest.approx(3.2)


def test_limits_of_the_settings_narrow_the_facts(make_bench, clock):
    focuser = SimulatedFocuser(
        make_bench(), clock, FocuserSettings(address="bench:1", min_position=9000, max_position=90000)
    )
    assert (focuser.facts.low, focuser.facts.high) == (9000, 20000)


def test_a_relative_focuser_counts_from_where_it_began(make_bench, clock):
    bench = make_bench(absolute=False, start_position=9400, max_increment=50)
    focuser = SimulatedFocuser(bench, clock)
    assert focuser.position() == 0
    assert focuser.move(-120) == -120
    assert bench.focuser.position(bench.now()) == 9280
    assert (focuser.facts.absolute, focuser.facts.low, focuser.facts.high) == (False, None, None)


def test_a_stop_ends_the_wait_and_halt_the_motion(make_bench, clock):
    bench = make_bench(start_position=9400)
    focuser = SimulatedFocuser(bench, clock)
    clock.stop()
    with pytest.raises(Aborted):
        focuser.move(9000)
    focuser.halt()
    with clock.shielded():
        clock.sleep(60.0)
    assert focuser.position() == 9400


def test_a_focuser_without_a_thermometer(make_bench, clock):
    assert SimulatedFocuser(make_bench(has_temperature=False), clock).temperature() is None
    assert SimulatedFocuser(make_bench(), clock).temperature() == pytest.approx(12.0)
