"""The whole procedure on the small sky."""

import pytest

from autofocus.search.plan import focus


def within(result, truth, sigmas=3.0, steps=8.0):
    error = abs(result.best.position - truth)
    return error <= sigmas * result.best.uncertainty and error <= steps


@pytest.mark.parametrize("offset", [0, 60, -60, 150, -150, 250, -250])
@pytest.mark.parametrize("approach", ["inward", "outward"])
def test_focuses_from_either_side(make_sky, make_task, offset, approach):
    sky = make_sky(seed=offset + 300)
    result = sky.run(focus(make_task(9365 + offset, approach=approach, backlash_steps=40, low=0, high=14000)))
    assert (result.outcome, result.reason) == ("focused", None)
    assert within(result, sky.light_focus)
    assert result.best.uncertainty <= 3.0
    assert result.confirmed.agrees
    assert sky.asked[-1].position == round(result.best.position)
    assert len(sky.asked) <= 14


def test_every_sweep_runs_in_the_approach_direction(make_sky, make_task):
    sky = make_sky(seed=3)
    sky.run(focus(make_task(9500, approach="outward")))
    for sweep in sky.sweeps:
        positions = [sample.position for sample in sweep.samples]
        assert positions == sorted(positions)


def test_the_narrowest_focus_is_found_when_asked_for(make_sky, make_task):
    sky = make_sky(seed=5)
    result = sky.run(focus(make_task(9400, objective="fwhm")))
    assert within(result, sky.width_focus)


def test_the_same_measurements_lead_to_the_same_result(make_sky, make_task):
    results = [make_sky(seed=8).run(focus(make_task(9300))) for _ in range(2)]
    assert results[0].message == results[1].message
    assert [m.position for m in results[0].measurements] == [m.position for m in results[1].measurements]


def test_without_a_star_the_scan_ends_and_says_where_it_looked(make_sky, make_task):
    sky = make_sky(flux=0.001)
    result = sky.run(focus(make_task(9365, low=0, high=14000)))
    assert (result.outcome, result.reason) == ("no_focus", "no_spectrum")
    assert "20 frames" in result.message
    assert result.best is None


def test_without_a_star_it_is_the_star_that_is_missing_whatever_budget_ended(make_sky, make_task):
    for budget in ({"max_exposures": 6}, {"time_limit_s": 90.0}):
        result = make_sky(flux=0.001).run(focus(make_task(9365, **budget)))
        assert (result.outcome, result.reason) == ("no_focus", "no_spectrum")


def test_a_budget_that_ends_before_the_first_frame_is_named(make_sky, make_task):
    result = make_sky().run(focus(make_task(9380, time_limit_s=0.1)))
    assert (result.outcome, result.reason) == ("no_focus", "time_limit")


def test_no_search_believes_fewer_than_seven_frames(make_sky, make_task):
    for seed in range(3):
        result = make_sky(seed=seed).run(focus(make_task(9365, tolerance_steps=50)))
        assert sum(m.used for m in result.measurements) >= 7


def test_best_focus_has_two_frames_on_either_side(make_sky, make_task):
    for seed, offset in enumerate((0, -60, 150)):
        result = make_sky(seed=seed).run(focus(make_task(9365 + offset)))
        used = {m.position for m in result.measurements if m.used}
        assert min(sum(x < result.best.position for x in used), sum(x > result.best.position for x in used)) >= 2


def test_widening_passes_by_a_place_that_the_fit_left_out(make_sky, make_task):
    """Asked for again it would be left out again, and the search would stand still."""
    sky = make_sky(seed=14, cloud=lambda frame: 0.02 if frame % 4 == 3 else 1.0)
    result = sky.run(focus(make_task(9425, objective="fwhm")))
    assert result.outcome == "focused"
    swept = [sample.position for sample in sky.asked if sample.phase == "sweep"]
    assert max(swept.count(position) for position in swept) <= 2


def test_a_long_run_looks_back_where_it_began_and_a_short_one_does_not(make_sky, make_task):
    """Only a place seen twice tells focus that moved by itself from focus that was passed."""
    for cost_s, times in ((20.0, 1), (120.0, 2)):
        sky = make_sky(seed=9, cost_s=cost_s)
        result = sky.run(focus(make_task(9380)))
        first = next(m for m in result.measurements if m.used)
        again = [m for m in result.measurements if m.used and m.position == first.position]
        assert result.outcome == "focused"
        assert len(again) == times


def test_a_focus_beyond_the_travel_is_said_to_be_there(make_sky, make_task):
    sky = make_sky(seed=2)
    result = sky.run(focus(make_task(9500, low=9420, high=9900, approach="inward", backlash_steps=40)))
    assert (result.outcome, result.reason) == ("no_focus", "travel_limit")
    assert "inward at 9420" in result.message
    assert min(s.position for s in sky.asked) >= 9420
    assert max(s.position for s in sky.asked) <= 9860  # the overshoot stays inside the limits as well


def test_an_exposure_budget_ends_the_refining_but_not_the_focus(make_sky, make_task):
    sky = make_sky(seed=4, seeing_scatter=0.12)
    result = sky.run(focus(make_task(9380, max_exposures=10, tolerance_steps=0.2)))
    assert (result.outcome, result.reason) == ("focused", "exposure_limit")
    assert len(sky.asked) == 10
    assert sky.asked[-1].phase == "confirm"


def test_a_time_budget_keeps_the_time_to_confirm(make_sky, make_task):
    sky = make_sky(seed=4, cost_s=30.0)
    result = sky.run(focus(make_task(9380, time_limit_s=300, tolerance_steps=0.2)))
    assert (result.outcome, result.reason) == ("focused", "time_limit")
    assert len(sky.asked) == 10
    assert result.confirmed is not None


def test_a_budget_too_small_for_a_curve_is_no_focus(make_sky, make_task):
    result = make_sky().run(focus(make_task(9380, max_exposures=5)))
    assert (result.outcome, result.reason) == ("no_focus", "exposure_limit")


def test_fewer_measurements_than_asked_end_the_search(make_sky, make_task):
    sky = make_sky(most_frames=4)
    result = sky.run(focus(make_task(9380)))
    assert result.outcome == "no_focus"
    assert result.reason in {"time_limit", "exposure_limit"}
    assert len(result.measurements) == 4


def test_a_confirmation_that_disagrees_is_looked_at_again_then_tried_again(make_sky, make_task):
    sky = make_sky(seed=6)
    asked_before = []

    def slip(frame):  # the focuser slips by 80 steps just before the first confirming frame
        if not asked_before and sky.asked[-1].phase == "confirm":
            asked_before.append(frame)
        return 80.0 if asked_before else 0.0

    sky.slip = slip
    result = sky.run(focus(make_task(9380)))
    phases = [sample.phase for sample in sky.asked]
    assert phases.count("confirm") == 3
    assert result.outcome == "focused"
    assert abs(result.best.position + 80 - sky.light_focus) <= 8
    assert any("begun again" in warning for warning in result.warnings)


def test_one_cloud_does_not_move_the_answer(make_sky, make_task):
    clear = make_sky(seed=9).run(focus(make_task(9380)))
    sky = make_sky(seed=9, cloud=lambda frame: 0.5 if frame == 4 else 1.0)
    result = sky.run(focus(make_task(9380)))
    assert result.outcome == "focused"
    assert within(result, sky.light_focus)
    assert abs(result.best.position - clear.best.position) <= 2 * clear.best.uncertainty
