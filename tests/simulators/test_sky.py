import numpy as np
import pytest

from simulators.sky import Sky


def test_seeing_scatters_about_its_mean_and_less_in_long_frames():
    sky = Sky(seed=4, seeing_wander=0.0)
    short = np.array([sky.air(n, 0.0, 2.5).seeing_factor for n in range(2000)])
    long = np.array([sky.air(n, 0.0, 40.0).seeing_factor for n in range(2000)])
    assert short.mean() == pytest.approx(1.0, abs=5 * 0.12 / np.sqrt(2000))
    assert np.log(short).std() == pytest.approx(0.12, rel=0.08)
    assert np.log(long).std() == pytest.approx(0.03, rel=0.08)


def test_slow_wander_has_the_scatter_given_and_is_smooth():
    times = np.arange(0.0, 40000.0, 10.0)
    light = np.log([Sky(seed=9, transparency_wander=0.05).transparency(t) for t in times])
    assert light.std() == pytest.approx(0.05, rel=0.1)
    # The fastest of its five waves has a period of a minute.
    assert np.abs(np.diff(light)).max() < 10.0 * 2.0 * np.pi / 60.0 * np.abs(light).max() * 0.6


def test_a_frame_is_the_same_whenever_it_is_asked_for():
    sky = Sky(seed=4, clouds=True)
    once = [sky.air(n, 10.0 * n, 10.0) for n in range(5)]
    assert [Sky(seed=4, clouds=True).air(n, 10.0 * n, 10.0) for n in (4, 2)] == [once[4], once[2]]
    assert Sky(seed=5).air(0, 0.0, 10.0) != once[0]


def test_clouds_pass_and_leave_clear_sky_between():
    sky = Sky(seed=2, clouds=True)
    light = np.array([sky.transparency(t) for t in np.arange(0.0, 6000.0, 5.0)])
    assert light.min() < 0.5
    assert 0.3 < np.mean(light > 0.9) < 0.9


def test_it_gets_colder():
    assert Sky(seed=1, cooling_c_per_h=2.0, temperature_c=10.0).temperature(1800.0) == pytest.approx(9.0)
