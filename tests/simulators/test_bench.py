import dataclasses

import numpy as np
import pytest

from autofocus.errors import SettingsError
from simulators.instruments import INSTRUMENTS
from simulators.sensor import Readout
from simulators.spectrum import Window


def frame_at(bench, position, exposure_s=10.0):
    bench.focuser.move(position, bench.now())
    bench.clock.sleep(max(0.0, bench.focuser.arrival() - bench.now()) + 30.0)
    begun = bench.start_exposure(exposure_s)
    bench.clock.sleep(exposure_s)
    return bench.frame(begun)


@pytest.mark.real
def test_seed_1_is_hd_97633(make_bench, hd97633):
    bench = make_bench()
    position, fwhm, nsig = hd97633
    fwhm_off = np.array([bench.fwhm_px(p) for p in position]) / fwhm - 1.0
    nsig_off = np.array([bench.nsig(p, 30.0) for p in position]) / nsig - 1.0
    # The table's own scatter about any smooth curve: 9 % in width (one seeing each), 3 % in light.
    assert np.sqrt(np.mean(fwhm_off**2)) < 0.10
    assert np.abs(fwhm_off).max() < 0.17
    assert np.sqrt(np.mean(nsig_off**2)) < 0.04
    assert abs(np.mean(fwhm_off)) < 0.04
    assert abs(np.mean(nsig_off)) < 0.015


def test_the_optima_of_seed_1(make_bench):
    bench = make_bench()
    assert bench.truth("fwhm") == pytest.approx(9349.0, abs=1.0)
    assert bench.truth("nsig") == pytest.approx(9377.0, abs=1.0)
    assert bench.truth("fwhm") < bench.truth("snr") < bench.truth("nsig")
    assert bench.instrument.plate_scale_arcsec_per_px == pytest.approx(0.89, abs=0.001)
    assert bench.focuser.position(0.0) == round(bench.truth("snr")) + 60


def test_a_faint_star_leans_to_the_narrowest_focus(make_bench):
    bright, faint = make_bench(star=10.0), make_bench(star=0.01)
    assert abs(bright.truth("snr") - bright.truth("nsig")) < 0.5
    middle = 0.5 * (faint.truth("fwhm") + faint.truth("nsig"))
    assert faint.truth("snr") < bright.truth("snr") - 4.0
    assert faint.truth("snr") == pytest.approx(middle, abs=10.0)
    # A longer exposure is a brighter star.
    assert faint.truth("snr", exposure_s=3600.0) > faint.truth("snr", exposure_s=10.0) + 1.0


@pytest.mark.parametrize("name", INSTRUMENTS)
@pytest.mark.parametrize("objective", ["fwhm", "nsig", "snr"])
def test_truth_is_the_optimum_of_its_curve(make_bench, name, objective):
    bench = make_bench(name, 3)
    curve = {"fwhm": lambda p: -bench.fwhm_px(p), "nsig": bench.nsig, "snr": lambda p: bench.snr(p, 10.0)}[objective]
    best = bench.truth(objective)
    assert curve(best) >= max(curve(best + step) for step in (-150.0, -40.0, -8.0, -2.0, 2.0, 8.0, 40.0, 150.0))


def test_seeds_are_other_nights(make_bench):
    optima = [make_bench(seed=seed).truth("nsig") for seed in range(2, 14)]
    assert np.std(optima) > 80.0
    assert np.ptp(optima) < 900.0
    assert len({round(optimum) for optimum in optima}) == 12
    seeing = [make_bench(seed=seed).instrument.seeing_arcsec for seed in range(2, 14)]
    assert np.std(np.log(seeing)) > 0.08


def test_the_frame_shows_what_the_truth_says(make_bench, mean_profile, half_maximum_width):
    bench = make_bench(still=True)
    for position in (9290, 9349, 9377, 9430):
        profile = mean_profile(frame_at(bench, position, 30.0), 30.0)
        middle = int(np.argmax(profile))
        assert profile[middle - 60 : middle + 61].sum() == pytest.approx(bench.nsig(position, 60.0), rel=0.006)
        # 194 columns of a trace that rises by 0.16 px among them, read from whole pixels.
        assert half_maximum_width(profile) == pytest.approx(bench.fwhm_px(position), rel=0.01)


def test_the_same_seed_gives_the_same_frames_in_any_order(make_bench):
    first, second = make_bench(seed=5), make_bench(seed=5)
    begun = [first.start_exposure(2.0) for _ in range(3)]
    again = [second.start_exposure(2.0) for _ in range(3)]
    frames = [first.frame(each) for each in begun]
    np.testing.assert_array_equal(second.frame(again[2]), frames[2])
    np.testing.assert_array_equal(second.frame(again[0]), frames[0])
    assert not np.array_equal(frames[0], frames[1])


def test_a_frame_shows_the_focus_of_its_exposure_not_of_its_download(make_bench):
    bench, other = make_bench(still=True), make_bench(still=True)
    begun = bench.start_exposure(5.0)
    bench.clock.sleep(5.0)
    bench.focuser.move(9000, bench.now())
    bench.clock.sleep(10.0)
    np.testing.assert_array_equal(bench.frame(begun), other.frame(dataclasses.replace(begun)))


def test_backlash_shows_in_the_frame(make_bench, mean_profile):
    bench = make_bench(still=True, backlash_steps=40, start_position=9377)
    outward = mean_profile(frame_at(bench, 9417), 10.0)
    assert bench.focuser.tube(bench.now()) == 9377.0
    assert outward.max() == pytest.approx(mean_profile(frame_at(make_bench(still=True), 9377), 10.0).max(), rel=0.02)


def test_vertical_frames_are_turned(make_bench):
    flat, upright = make_bench(still=True), make_bench(still=True, vertical=True)
    assert upright.camera_size() == flat.camera_size()[::-1]
    begun = flat.start_exposure(5.0)
    np.testing.assert_array_equal(upright.frame(begun), flat.frame(begun).T)
    part = upright.frame(begun, Readout(upright.window(500, 100, 200, 300)))
    assert part.shape == (300, 200)
    assert part.max() > 600  # the trace crosses columns 500 to 700


def test_a_window_holds_the_same_light_as_the_whole_frame(make_bench):
    bench = make_bench(still=True)
    begun = bench.start_exposure(10.0)
    whole = bench.frame(begun).astype(float)
    part = bench.frame(begun, Readout(Window(900, 520, 100, 100))).astype(float)
    there = whole[520:620, 900:1000]
    noise = np.sqrt(3.0**2 / 0.8**2 + there.mean() / 0.8)
    assert part.mean() == pytest.approx(there.mean(), abs=6.0 * noise / 100.0)
    np.testing.assert_allclose(part.mean(axis=1), there.mean(axis=1), rtol=0.03)


def test_a_smaller_sensor_sees_the_same_star(make_bench, mean_profile):
    small = make_bench(still=True, sensor_px=(400, 260))
    whole = make_bench(still=True)
    assert small.frame(small.start_exposure(1.0)).shape == (260, 400)
    assert small.truth("snr") == pytest.approx(whole.truth("snr"), abs=0.1)
    profile = mean_profile(frame_at(small, 9377, 30.0), 30.0)
    assert profile.sum() == pytest.approx(small.nsig(9377), rel=0.02)
    assert np.argmax(profile) == pytest.approx(130, abs=2)


def test_a_bright_star_saturates(make_bench):
    bench = make_bench(star=60.0)
    adu = frame_at(bench, 9360, 60.0)
    assert np.count_nonzero(adu == 65535) > 1000


def test_a_dark_frame_has_no_light(make_bench):
    bench = make_bench(still=True)
    adu = bench.frame(bench.start_exposure(10.0, light=False))
    assert adu.mean() == pytest.approx(500.0 + 0.2 / 0.8, abs=0.05)
    assert adu.std() == pytest.approx(np.sqrt(9.2 / 0.64 + 1.0 / 12.0), rel=0.01)


def test_focus_follows_the_temperature(make_bench):
    bench = make_bench(cooling_c_per_h=2.0)
    before = bench.truth("nsig")
    width = bench.fwhm_px(9300)
    bench.clock.sleep(3600.0)
    assert bench.truth("nsig") - before == pytest.approx(-6.0)
    assert bench.fwhm_px(9294) == pytest.approx(width)


def test_speed_changes_the_waiting_and_nothing_else(make_bench, mean_profile):
    slow, fast = make_bench(still=True), make_bench(still=True, speed=50.0)
    for bench in (slow, fast):
        bench.focuser.move(9300, bench.now())
        bench.clock.sleep(bench.wait_s(30.0))
    a, b = slow.start_exposure(10.0), fast.start_exposure(10.0)
    assert a.duration_s == b.duration_s == 10.0
    assert fast.wait_s(10.0) == pytest.approx(0.2)
    np.testing.assert_allclose(mean_profile(slow.frame(a), 10.0), mean_profile(fast.frame(b), 10.0), atol=1.0)


def test_an_exposure_right_after_a_move_loses_light_and_later_ones_do_not(make_bench, mean_profile):
    bench = make_bench(still=True, image_shift_px_per_100_steps=8.0, start_position=9500, guider_time_s=3.0)
    bench.focuser.move(9400, bench.now())
    bench.clock.sleep(bench.focuser.arrival() - bench.now())
    early = bench.start_exposure(2.0)
    bench.clock.sleep(30.0)
    late = bench.start_exposure(2.0)
    light = [mean_profile(bench.frame(each), 2.0).clip(0).max() for each in (early, late)]
    assert light[0] < 0.7 * light[1]


def test_chromatic_focus_differs_along_the_spectrum(make_bench, half_maximum_width):
    bench = make_bench(still=True, chromatic_steps=120.0)
    adu = frame_at(bench, 9349, 30.0).astype(float)

    def width(first):
        rows = adu[:, first : first + 150].mean(axis=1)
        return half_maximum_width(rows - np.median(rows))

    left, middle, right = width(0), width(890), width(1780)
    assert left == pytest.approx(right, rel=0.1)  # the slit, not the collimator, is midway between them
    assert left > 1.2 * middle


def test_astigmatism_before_the_slit_moves_the_light_after_it_only_the_width(make_bench):
    plain = make_bench()
    before = make_bench(astigmatism_steps=40.0)
    after = make_bench(collimator_offset_steps=plain.instrument.collimator_offset_steps - 40.0)
    assert before.truth("nsig") == pytest.approx(plain.truth("nsig") + 20.0, abs=0.5)
    assert after.truth("nsig") == pytest.approx(plain.truth("nsig"), abs=0.2)
    assert after.truth("fwhm") < plain.truth("fwhm") - 30.0


def test_no_star_leaves_the_sky(make_bench, mean_profile):
    bench = make_bench(still=True, star=0.0, start_position=9377)
    profile = mean_profile(bench.frame(bench.start_exposure(10.0)), 10.0)
    assert np.abs(profile).max() < 0.3
    assert bench.truth("nsig") == pytest.approx(9377.0, abs=1.0)  # where one would be best


def test_a_companion_is_beside_the_star(make_bench, mean_profile):
    bench = make_bench(still=True, companion=0.3, companion_px=60.0)
    profile = mean_profile(frame_at(bench, 9360), 10.0)
    first = int(np.argmax(profile))
    second = int(np.argmax(profile[first + 30 :])) + first + 30
    assert second - first == pytest.approx(60, abs=1)
    assert profile[second] == pytest.approx(0.3 * profile[first], rel=0.06)


def test_an_unknown_instrument_names_the_known_ones(make_bench):
    with pytest.raises(SettingsError, match="starex, uvex, alpy600, lhires, longslit"):
        make_bench("hubble")


def test_a_bench_started_again_is_the_same_and_another_night_is_another(make_bench):
    assert make_bench().unique_id("camera") == make_bench().unique_id("camera")
    ids = {make_bench(name, seed).unique_id(kind) for name in INSTRUMENTS for seed in (1, 2) for kind in ("a", "b")}
    assert len(ids) == 4 * len(INSTRUMENTS)
