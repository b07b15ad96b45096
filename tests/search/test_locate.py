"""From anywhere inside the travel to a sweep's width of focus."""

import itertools

import pytest

from autofocus.errors import NoFocusFound
from autofocus.model import Flag, Measurement
from autofocus.search.locate import TO_SHOW, first_guess, half_span, locate
from autofocus.search.log import ObservingLog


@pytest.mark.parametrize("offset", [0, 60, -60, 150, -150, 250, -250, 600, -600, 1500, -1500])
@pytest.mark.parametrize("spacing", [15, "auto"])
def test_comes_near_in_few_frames(make_sky, make_task, offset, spacing):
    sky = make_sky(seed=offset + 5000)
    task = make_task(9355 + offset, low=0, high=14000, spacing_steps=spacing)
    log = ObservingLog(task)
    estimate = sky.run(locate(log, task.start_position))
    assert abs(estimate.center - 9355) < 160  # a sweep there can be widened
    assert len(sky.asked) <= (3 if abs(offset) <= 250 else 6)
    assert all(sample.phase == "locate" for sample in sky.asked)


def test_far_out_where_nothing_is_seen_the_scan_goes_outward_from_the_start(make_sky, make_task):
    sky = make_sky(seed=1)
    task = make_task(13355, low=0, high=14000)
    estimate = sky.run(locate(ObservingLog(task), task.start_position))
    distances = [abs(s.position - 13355) for s in sky.asked[:6]]
    assert distances == sorted(distances)
    assert abs(estimate.center - 9355) < 160


def test_the_scan_begins_where_focus_was_on_earlier_nights(make_sky, make_task):
    sky = make_sky(seed=1)
    task = make_task(13355, low=0, high=14000, focused_before=(9410, 15000, 9380, 2000))
    sky.run(locate(ObservingLog(task), task.start_position))
    assert [sample.position for sample in sky.asked[:2]] == [13355, 9410]
    dark = make_sky(flux=0.001)
    with pytest.raises(NoFocusFound):
        dark.run(locate(ObservingLog(task), task.start_position))
    looked = [sample.position for sample in dark.asked]
    assert looked[:3] == [13355, 9410, 2000]  # 15000 is out of reach, and 9380 was as good as seen
    assert min(abs(a - b) for i, a in enumerate(looked) for b in looked[:i]) > 200


def test_the_scan_ends_at_the_travel(make_sky, make_task):
    sky = make_sky(flux=0.001)
    log = ObservingLog(make_task(500, low=0, high=1000, approach="inward", backlash_steps=100))
    with pytest.raises(NoFocusFound, match="between 81 and 500") as failure:
        sky.run(locate(log, 500))
    assert failure.value.reason == "no_spectrum"


def test_what_the_user_says_of_the_optics_is_the_first_guess(make_task):
    assert first_guess(make_task(0, spacing_steps=15), 0).blur_steps == pytest.approx(34.9, abs=0.1)
    told = make_task(0, spacing_steps="auto", f_ratio=7.0, microns_per_step=3.2)
    assert first_guess(told, 0).blur_steps == pytest.approx(63.1, abs=0.1)  # 25 um / (0.866 * 3.2 um / 7)
    assert first_guess(make_task(0, spacing_steps="auto"), 0).blur_scatter > 1.0


def test_the_span_follows_the_spacing_or_the_blur(make_task):
    asked = make_task(0, spacing_steps=20, samples_each_side=3)
    assert half_span(asked, 40.0) == 60.0
    # at a span of 1.34 blurs a hyperbola is sqrt(1 + 1.34 ** 2) = 1.67 times as wide as at its narrowest
    assert half_span(asked, 90.0) == pytest.approx(1.342 * 90.0, abs=0.1)
    assert half_span(asked, 500.0) == 2.5 * 60.0
    assert half_span(make_task(0, spacing_steps="auto"), 40.0) == pytest.approx(4 * 0.43 * 40.0)


def blank(position, mode, shows=None):
    verdict = f"nothing; the frame shows {shows}" if shows else "nothing"
    return (Measurement(position=float(position), mode=mode, shows=shows, flags=(Flag.NO_TRACE,), verdict=verdict),)


def led(log, *shows, mode):
    """Positions asked for when frame after frame is blank, and how it ended."""
    asked, search = [], locate(log, 5000)
    sweep = next(search)
    try:
        for shown in itertools.chain(shows, itertools.repeat(None)):
            asked.append(sweep.samples[0].position)
            sweep = search.send(blank(asked[-1], mode, shown))
    except NoFocusFound as failure:
        return asked, failure
    raise AssertionError("it does not end")


@pytest.mark.parametrize(("mode", "shows"), [("stars", "spectrum"), ("lines", "stars"), ("spectrum", "stars")])
def test_the_wrong_mode_ends_the_scan_after_a_second_look(make_task, mode, shows):
    asked, failure = led(ObservingLog(make_task(5000)), shows, shows, mode=mode)
    assert asked == [5000, 5000]
    assert failure.reason == "no_spectrum"
    assert f"set measure.mode: {shows}, or {TO_SHOW[mode]}." in failure.message
    assert f"No {mode} in 2 frames at 5000 (nothing; the frame shows {shows})" in failure.message


def test_what_is_not_seen_again_was_chance_and_lines_behind_a_slit_may_be_the_skys(make_task):
    for mode, seen in (("stars", ("spectrum", None)), ("spectrum", ("lines", "lines"))):
        asked, failure = led(ObservingLog(make_task(5000)), *seen, mode=mode)
        assert len(set(asked)) >= 19
        assert f"set measure.mode: {seen[0]}" in failure.message


def test_without_a_hint_the_verdict_of_the_frames_is_said(make_task):
    _, failure = led(ObservingLog(make_task(5000)), mode="stars")
    assert failure.message.startswith("No stars in 20 frames between ")
    assert failure.message.endswith(f"(nothing): {TO_SHOW['stars']}.")
