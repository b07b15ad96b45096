"""Positions from names, by CONTRACT's rule."""

from __future__ import annotations

import pytest

from autofocus.errors import SettingsError
from autofocus.frames.naming import NamedPositions, is_frame_name, position_from_name, positions_from_names


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("HD097633-9430.fits", 9430),
        ("HD097633_9430.FIT", 9430),
        ("HD097633 9430.fts.gz", 9430),
        ("M 31-12345.fits.fz", 12345),
        ("HD097633.fits", None),  # not set off
        ("9430.fits", None),
        ("star-42.fits", None),  # two digits
        ("star-0430.fits", None),  # a leading zero
        ("star-9430_x.fits", None),  # not right before the suffix
        ("star-9430.5.fits", None),
        ("star_20261122.fits", None),  # a date
        ("star_20261122_213425.fits", None),  # a date and a time
        ("PKSJ0049-5738_13-05-2023.fits", None),
        ("2f9619ff-8b86-d011-b42d-004012345678.fits", None),  # a GUID
        ("étoile Renée-9430.fits", 9430),
    ],
)
def test_one_name(name: str, position: float | None) -> None:
    assert position_from_name(name) == position


@pytest.mark.parametrize("name", ["a.fit", "A.FITS", "b.Fts", "c.fits.gz", "d.fit.fz", "spaced name.fits"])
def test_frame_names(name: str) -> None:
    assert is_frame_name(name)


@pytest.mark.parametrize("name", ["a.fits.tmp", "a.xisf", "._a.fits", ".a.fits", "fits", "a.fits.gz.part", "a.csv"])
def test_other_names(name: str) -> None:
    assert not is_frame_name(name)


def test_names_that_count_up_hold_no_positions() -> None:
    assert set(positions_from_names([f"M31_{n}.fits" for n in (101, 102, 103)]).values()) == {None}
    assert set(positions_from_names([f"M31_{n:03}.fits" for n in (98, 99, 100, 101)]).values()) == {None}
    assert set(positions_from_names([f"M31_{n}.fits" for n in (100, 101, 103, 104)]).values()) == {None}


def test_a_sweep_holds_positions() -> None:
    steps = range(9310, 9431, 15)
    assert positions_from_names([f"HD097633-{n}.fits" for n in steps]) == {f"HD097633-{n}.fits": n for n in steps}
    fine = [9310, 9340, 9347, 9348, 9355, 9370]
    assert list(positions_from_names([f"HD-{n}.fits" for n in fine]).values()) == fine


def test_other_stars_do_not_count() -> None:
    assert positions_from_names(["a-9430.fits", "b-9431.fits"]) == {"a-9430.fits": 9430, "b-9431.fits": 9431}


def test_learning_later_takes_back() -> None:
    names = NamedPositions()
    names.learn(["x-101.fits"])
    assert names.position("x-101.fits") == 101
    names.learn(["x-102.fits"])
    assert names.position("x-101.fits") is None
    assert names.counts_up("x-102.fits")


@pytest.mark.parametrize("pattern", [r"foc(\d+)", r"foc(?P<position>\d+)", r"(?<=foc)\d+"])
def test_the_users_pattern(pattern: str) -> None:
    names = NamedPositions(pattern)
    names.learn(["foc100_a-777.fits", "foc101_a-778.fits"])
    assert names.position("foc101_a-778.fits") == 101  # although both count up
    assert names.position("other-9430.fits") == 9430  # where it finds nothing the rule goes on


def test_a_faulty_pattern_is_the_users() -> None:
    with pytest.raises(SettingsError, match="--position-pattern"):
        NamedPositions("(")
