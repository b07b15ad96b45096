"""The exposure that the search chooses, and when it changes."""

import pytest

from autofocus.search.exposure import PEAK_WINDOW, first_exposure, fitting_exposure, overexposed
from autofocus.search.plan import focus

WELL = 10_000.0


def star(make_sky, flux, **changes):
    return make_sky(flux=flux, full_well_adu=WELL, **changes)


def task_of(make_task, start, exposure_s=10.0, allowed=(0.5, 60.0)):
    return make_task(start, exposure_s=exposure_s, exposure_range_s=allowed, saturation_adu=WELL)


def highest_peak(result):
    """Of the frames that the fit used, in parts of the full well."""
    return max(m.peak_adu for m in result.measurements if m.used) / WELL


@pytest.mark.parametrize("flux", [40_000.0, 8_000.0])
@pytest.mark.parametrize("offset", [0, 150])
def test_a_bright_star_is_brought_into_the_window_and_focused(make_sky, make_task, flux, offset):
    sky = star(make_sky, flux)
    result = sky.run(focus(task_of(make_task, 9365 + offset)))
    assert result.outcome == "focused"
    assert abs(result.best.position - sky.light_focus) <= 8.0
    # a frame of the refining may stand nearer to focus than any of the sweep: hence the room above the window
    assert PEAK_WINDOW[0] <= highest_peak(result) <= PEAK_WINDOW[1] + 0.15
    assert any("exposure was changed" in warning for warning in result.warnings)
    assert not any(m.saturated_px for m in result.measurements if m.used)


def test_a_faint_star_gets_a_longer_exposure(make_sky, make_task):
    sky = star(make_sky, 150.0)
    result = sky.run(focus(task_of(make_task, 9365)))
    assert result.outcome == "focused"
    assert sky.asked[-1].exposure_s > 30.0


def test_the_exposure_never_changes_inside_a_sweep(make_sky, make_task):
    sky = star(make_sky, 40_000.0)
    sky.run(focus(task_of(make_task, 9465)))
    for sweep in sky.sweeps:
        assert len({sample.exposure_s for sample in sweep.samples}) == 1


def test_the_frames_of_one_fit_share_their_exposure(make_sky, make_task):
    sky = star(make_sky, 40_000.0)
    result = sky.run(focus(task_of(make_task, 9465)))
    assert len({m.exposure_s for m in result.measurements if m.used}) == 1


def test_a_fixed_exposure_stays_and_the_range_binds(make_sky, make_task):
    sky = star(make_sky, 40_000.0)
    sky.run(focus(make_task(9365, exposure_s=10.0, saturation_adu=WELL)))
    assert {sample.exposure_s for sample in sky.asked} == {10.0}
    assert first_exposure(task_of(make_task, 0, exposure_s=100.0)) == 60.0


def test_what_is_unknown_changes_nothing(make_sky, make_task):
    sky = star(make_sky, 40_000.0)
    sky.run(focus(make_task(9365, exposure_s=2.0, exposure_range_s=(0.5, 60.0))))
    assert {sample.exposure_s for sample in sky.asked} == {2.0}


def test_saturation_asks_for_less_even_where_the_peak_is_cut(make_sky, make_task):
    from autofocus.model import Measurement

    task = task_of(make_task, 0)
    cut = Measurement(position=1.0, fwhm_px=4.0, exposure_s=10.0, peak_adu=WELL, background_adu=0.0, saturated_px=9)
    assert overexposed(task, [cut])
    assert fitting_exposure(task, [cut], 10.0, 4.0) == pytest.approx(
        5.0
    )  # 4.5 s fit; seeing wants 5 s, and they fit too
