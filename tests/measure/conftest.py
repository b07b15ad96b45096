"""Frames of known profiles, drawn without any of the code under test."""

import numpy as np
import pytest

from autofocus.model import Frame

USED = 100


def edge_integral(x, width, kind):
    """Light left of x of a profile of unit light and the given full width at half maximum."""
    fine = np.linspace(-12 * width - 2, 12 * width + 2, 40001)
    q = 2 * fine / width
    density = {"gauss": np.exp(-np.log(2) * q**2), "moffat": (1 + (2 ** (1 / 3) - 1) * q**2) ** -3.0}[kind]
    total = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return np.interp(x, fine, total / total[-1])


@pytest.fixture
def draw():
    """A function that draws a frame with one or more stars on it."""

    def draw_frame(
        *,
        stars=((100.3, 5000.0, 4.0),),
        shape=(200, 800),
        slant=0.0,
        bend=0.0,
        kind="gauss",
        seed=1,
        sky=50.0,
        noise=4.0,
        gain=1.5,
        extra=None,
        vertical=False,
        **facts,
    ):
        rng = np.random.default_rng(seed)
        rows, columns = shape
        u = np.linspace(-1, 1, columns)
        light = np.full(shape, sky)
        for row, flux, width in stars:
            center = row + 0.5 * slant * u + bend * u**2
            at = np.arange(rows)[:, None] - center
            light += flux * (edge_integral(at + 0.5, width, kind) - edge_integral(at - 0.5, width, kind))
        if extra is not None:
            light = light + extra
        pixels = rng.poisson(np.maximum(light, 0) * gain) / gain + rng.normal(300.0, noise, shape)
        raw = np.clip(np.rint(pixels), 0, 65535).astype(np.uint16)
        facts.setdefault("exposure_s", 10.0)
        return Frame(raw=raw.T.copy() if vertical else raw, **facts)

    return draw_frame
