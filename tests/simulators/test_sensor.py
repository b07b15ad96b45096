import numpy as np
import pytest

from simulators.sensor import Readout, Sensor, hot_pixels, with_noise
from simulators.spectrum import Window


def sensor(**changes):
    plain = {
        "gain_e_per_adu": 0.5, "read_noise_e": 3.0, "dark_e_s": 0.0, "bias_adu": 500.0,
        "saturation_adu": 65535, "pixel_um": 4.8, "cosmic_rays_per_cm2_s": 0.0,
    }  # fmt: skip
    return Sensor(**(plain | changes))


def readout(size, **changes):
    return Readout(Window(0, 0, size, size), **changes)


@pytest.mark.parametrize("electrons", [0.0, 0.7, 5.0, 60.0, 4000.0])
@pytest.mark.parametrize("read_noise", [1.5, 3.0, 6.0])
def test_noise_has_the_mean_variance_and_skewness_of_photons_and_reading(electrons, read_noise):
    count = 1_000_000
    rng = np.random.default_rng([int(electrons), int(read_noise)])
    noisy = with_noise(np.full((1000, 1000), electrons, dtype=np.float32), read_noise, rng).astype(float)
    variance = electrons + read_noise**2
    assert noisy.mean() == pytest.approx(electrons, abs=5.0 * np.sqrt(variance / count) + 1e-4 * electrons)
    assert noisy.var() == pytest.approx(variance, rel=5.0 * np.sqrt(3.0 / count))
    third = float(np.mean((noisy - noisy.mean()) ** 3))
    # 5 σ of a sample's third moment (√15 at most for these skewnesses), and the quadratic's own 5 % of the skewness.
    assert third == pytest.approx(electrons, abs=5.0 * np.sqrt(20.0 / count) * variance**1.5 + 0.05 * electrons)


def test_photon_noise_dominates_where_there_is_light():
    adu = sensor().read(np.full((500, 500), 10000.0, dtype=np.float32), readout(500), 10.0, np.random.default_rng(1))
    assert adu.mean() == pytest.approx(500.0 + 20000.0, rel=1e-4)
    assert adu.std() == pytest.approx(np.sqrt(10000.0 + 9.0) / 0.5, rel=0.01)


def test_saturation_clips():
    adu = sensor().read(np.full((10, 10), 1e6, dtype=np.float32), readout(10), 1.0, np.random.default_rng(1))
    assert np.all(adu == 65535)


def test_gain_and_offset_settings():
    light = np.full((300, 300), 1000.0, dtype=np.float32)
    adu = sensor().read(light, readout(300, gain=300, offset=100), 1.0, np.random.default_rng(1))
    assert sensor().electrons_per_adu(300) == pytest.approx(0.05)
    assert adu.mean() == pytest.approx(1000.0 + 20000.0, rel=2e-3)


def test_binning_adds_pixels_up():
    light = np.arange(64.0, dtype=np.float32).reshape(8, 8) * 100.0
    plain = sensor(read_noise_e=1e-3).read(light.copy(), readout(8), 1.0, np.random.default_rng(2))
    binned = sensor(read_noise_e=1e-3).read(light.copy(), readout(8, binning=4), 1.0, np.random.default_rng(2))
    assert binned.shape == (2, 2)
    summed = plain.astype(int).reshape(2, 4, 2, 4).sum(axis=(1, 3))
    np.testing.assert_array_equal(binned, np.minimum(summed, 65535))
    assert summed[1, 1] > 65535  # and what is too much for the converter saturates


def test_hot_pixels_stay_where_they_are_and_grow_with_time():
    places, currents = hot_pixels(np.random.default_rng(3), 200, 100, 2000.0)
    one = sensor(hot_pixels=places, hot_e_s=currents)
    short, long, part = (np.zeros(shape, dtype=np.float32) for shape in ((100, 200), (100, 200), (50, 60)))
    one.add_dark(short, Window(0, 0, 200, 100), 1.0)
    one.add_dark(long, Window(0, 0, 200, 100), 10.0)
    one.add_dark(part, Window(30, 20, 60, 50), 1.0)
    assert 20 <= np.count_nonzero(short) <= 60
    np.testing.assert_allclose(long, 10.0 * short, rtol=1e-5)
    np.testing.assert_array_equal(part, short[20:70, 30:90])


def test_cosmic_rays_come_at_their_rate():
    struck = sensor(cosmic_rays_per_cm2_s=1.0, read_noise_e=1e-3, pixel_um=50.0)
    area = 400 * 400 * (50e-4) ** 2
    adu = struck.read(np.zeros((400, 400), dtype=np.float32), readout(400), 30.0, np.random.default_rng(4))
    hit = np.count_nonzero(adu > 800)
    tracks = area * 30.0
    assert 2.0 * tracks < hit < 12.0 * tracks  # tracks of some pixels each
