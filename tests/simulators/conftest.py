import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import requests
from scipy.interpolate import CubicSpline

from autofocus.devices.clock import VirtualClock
from simulators.alpaca_server import start
from simulators.bench import Bench
from simulators.options import BenchOptions
from simulators.spectrum import central_columns
from tests.simulators.alpaca_client import Client, served

SWEEP = Path(__file__).parents[3] / "shared" / "data" / "sweeps" / "HD097633_starex.csv"

# No noise but that of photons, reading and nothing else: what a test of one effect at a time wants.
STILL = {"seeing_scatter": 0.0, "guiding_px": 0.0, "hot_pixels": 0.0, "cosmic_rays": 0.0, "cooling_c_per_h": 0.0}


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def make_bench(clock):
    def make(instrument="starex", seed=1, *, still=False, **options):
        quiet = STILL if still else {}
        bench = Bench(instrument, seed, clock=clock, options=BenchOptions(**(quiet | options)))
        if still:
            bench.sky = dataclasses.replace(bench.sky, seeing_wander=0.0, transparency_wander=0.0)
        return bench

    return make


@pytest.fixture
def hd97633():
    """The nine positions of the original helper's table: position, true FWHM (the file holds 2σ), NSIG."""
    if not SWEEP.exists():
        pytest.skip(f"{SWEEP} is absent")
    with SWEEP.open(newline="") as file:
        rows = list(csv.DictReader(file))
    position, two_sigma, nsig = (np.array([float(row[key]) for row in rows]) for key in ("position", "fwhm_px", "nsig"))
    return position, two_sigma * 2.3548 / 2.0, nsig


@pytest.fixture
def mean_profile():
    """Column-averaged profile of the central columns in ADU/s, its background (the median row) taken off."""

    def measure(adu, exposure_s):
        rows = adu[:, central_columns(adu.shape[1])].astype(float).mean(axis=1)
        return (rows - np.median(rows)) / exposure_s

    return measure


@pytest.fixture
def half_maximum_width():
    """Distance between the outermost crossings of half the maximum of the smooth curve through a profile's pixels."""

    def measure(profile):
        fine = np.arange(0.0, profile.size - 1.0, 0.01)
        curve = CubicSpline(np.arange(profile.size), profile)(fine)
        above = np.flatnonzero(curve >= 0.5 * curve.max())
        return fine[above[-1]] - fine[above[0]]

    return measure


@pytest.fixture(scope="module")
def server():
    with start(served()) as running:
        yield running


@pytest.fixture
def client(server):
    with requests.Session() as _:
        one = Client(server)
        yield one.connect()
        one.put("camera/0/abortexposure")
        one.session.close()


@pytest.fixture
def client_of():
    running = []

    def make(**options):
        server = start(served(**options))
        one = Client(server)
        running.append((server, one))
        return one.connect()

    yield make
    for server, one in running:
        one.session.close()
        server.stop()
