import dataclasses

import pytest

from simulators.bench import Bench
from simulators.scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_there_is_a_focus_to_find_and_it_is_not_where_the_focuser_stands(name, clock):
    options = dataclasses.replace(SCENARIOS[name], sensor_px=(300, 200))
    bench = Bench("starex", 6, clock=clock, options=options)
    best = bench.truth("snr")
    here = bench.focuser.tube(bench.now())
    assert abs(here - best) >= 59.0
    assert bench.snr(best, 10.0) > 1.03 * bench.snr(here, 10.0)
    assert bench.snr(best, 10.0) > 5.0
