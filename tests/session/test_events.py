from __future__ import annotations

import json
import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofocus.errors import JournalError
from autofocus.model import BestFocus, CurveFit, Flag, FocusCurves, Measurement
from autofocus.session import events, jsonform

NUMBERS = st.floats(allow_nan=True, allow_infinity=False)


def the_same(one, other) -> bool:
    return one == other or (one != one and other != other)


@given(
    fwhm=NUMBERS,
    nsig=NUMBERS,
    position=st.none() | st.floats(-1e6, 1e6) | st.integers(-50000, 50000),
    flags=st.lists(st.sampled_from(Flag)).map(tuple),
    file=st.text(st.characters(exclude_categories=["Cs"])),
    saturated=st.integers(0, 10**9),
)
def test_a_measurement_returns_exactly_from_its_line(fwhm, nsig, position, flags, file, saturated) -> None:
    given_one = Measurement(file, position, fwhm, nsig=nsig, flags=flags, saturated_px=saturated)
    event = events.SampleMeasured(elapsed_s=1.5, number=3, target=9400, name="0003-9400", measurement=given_one)
    line = events.to_line(event)
    assert "\n" not in line
    assert "NaN" not in line.replace(json.dumps(file, ensure_ascii=False), "")
    back = events.from_object(json.loads(line))
    assert isinstance(back, events.SampleMeasured)
    for item in fields(Measurement):
        assert the_same(getattr(back.measurement, item.name), getattr(given_one, item.name)), item.name


def test_curves_return_exactly() -> None:
    curves = FocusCurves(
        nsig=CurveFit("nsig", "throughput", 9375.25, math.pi, 399.0, 9, None, {"width": 0.1}, ((1.0, 2.0), (3.0, 4.5))),
        best=BestFocus("snr", 9374.0, 1.0, 9370.0, 9380.0),
        left_out={3: "a cloud"},
        losses=("some",),
    )
    back = events.from_object(json.loads(events.to_line(events.CurveFitted(curves=curves))))
    assert back == events.CurveFitted(curves=curves)


def test_numpy_numbers_become_plain_ones() -> None:
    import numpy as np

    odd = Measurement(fwhm_px=np.float32(2.5), nsig=np.float64(math.inf), saturated_px=np.int64(3))  # type: ignore[arg-type]
    plain = events.as_journaled(odd)
    assert (plain.fwhm_px, plain.saturated_px) == (2.5, 3)
    assert type(plain.fwhm_px) is float
    assert math.isnan(plain.nsig)


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert events.from_object({"event": "SunRose", "elapsed_s": 1.0}) is None
    assert events.from_object({"event": "Warned", "message": "m", "loudness": 3}) == events.Warned(message="m")


@pytest.mark.parametrize(
    "data",
    [
        None, 3, [], {}, {"event": 3}, {"event": "Warned"}, {"event": "Warned", "message": 3},
        {"event": "SweepPlanned", "phase": "dance", "positions": []},
        {"event": "SweepPlanned", "phase": "sweep", "positions": "9400"},
        {"event": "FocuserMoved", "position": True, "target": 3},
        {"event": "FocuserMoved", "position": None, "target": 3},
        {"event": "SampleMeasured", "number": 1, "target": 2, "name": "n", "measurement": {"flags": ["no_such_flag"]}},
        {"event": "CurveFitted", "curves": {"left_out": {"one": "x"}}},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_fault_of_the_journal(data) -> None:
    with pytest.raises(JournalError):
        events.from_object(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(kind=st.sampled_from(sorted(events.KINDS)), data=st.data())
def test_no_object_raises_anything_else(kind: str, data) -> None:
    names = [item.name for item in fields(events.KINDS[kind])]
    given_object = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON)))
    try:
        events.from_object({"event": kind, **given_object})
    except JournalError:
        return


def test_every_kind_of_event_is_known() -> None:
    assert set(events.KINDS) == {kind.__name__ for kind in events.Event.__subclasses__()}


def test_a_number_too_large_for_json_is_not_written_bare() -> None:
    assert jsonform.encode({"a": math.inf, "b": [math.nan], 3: (1,)}) == {"a": None, "b": [None], "3": [1]}
