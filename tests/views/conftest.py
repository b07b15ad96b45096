"""A recorded session as the journal leaves it: a seeded night on drawn numbers, with real previews."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from autofocus.model import BestFocus, CurveFit, Flag, FocusCurves, FocusResult, Frame, Measurement
from autofocus.ports import FramePicture
from autofocus.session import events, records
from autofocus.session.journal import Journal

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"
PLACES = np.linspace(9300.0, 9420.0, 25)
FWHM_AT, NSIG_AT, BEST_AT = 9348.0, 9381.0, 9373.0


def fwhm_at(position: float) -> float:
    return float(np.hypot(4.0, 0.12 * (position - FWHM_AT)))


def nsig_at(position: float) -> float:
    return float(500.0 - 0.05 * (position - NSIG_AT) ** 2)


CURVES = FocusCurves(
    fwhm=CurveFit(
        "fwhm", "hyperbola", FWHM_AT, 1.2, 4.0, 6, 0.99,
        line=tuple((float(x), fwhm_at(x)) for x in PLACES), band=tuple((float(x), 0.2, 0.1) for x in PLACES),
    ),
    nsig=CurveFit(
        "nsig", "throughput", NSIG_AT, 2.0, 500.0, 6, 0.98,
        line=tuple((float(x), nsig_at(x)) for x in PLACES), band=tuple((float(x), 9.0, 5.0) for x in PLACES),
    ),
    best=BestFocus("snr", BEST_AT, 2.6, 9350.0, 9396.0),
    left_out={2: "twice as wide as its neighbours"},
    losses=("at the narrowest focus (9348) you would lose 9 % of the light",),
)  # fmt: skip


def measurement(number: int, position: float, phase: str, **more: object) -> Measurement:
    known = {
        "file": f"{number:04d}-{position:.0f}.fits", "position": position, "fwhm_px": fwhm_at(position),
        "fwhm_err_px": 0.03, "fwhm_arcsec": 0.9 * fwhm_at(position), "nsig": nsig_at(position), "nsig_err": 0.6,
        "window_fraction": 1.0, "snr": 60.0, "center_px": 150.0, "slant_px": 2.0, "exposure_s": 10.0,
        "temperature_c": 11.9, "phase": phase,
    }  # fmt: skip
    return Measurement(**{**known, **more})


SERIES = [
    measurement(1, 9420.0, "locate"),
    measurement(2, 9390.0, "sweep"),
    measurement(3, 9360.0, "sweep", fwhm_px=12.0, flags=(Flag.GUIDING_LOST,), verdict=HOSTILE),
    measurement(4, 9330.0, "sweep"),
    measurement(5, 9300.0, "sweep"),
    measurement(6, 9373.0, "confirm"),
]


def picture(number: int, one: Measurement) -> FramePicture:
    """A frame with a trace as wide and as bright as measured."""
    rng = np.random.default_rng(number)
    rows = np.arange(300)[:, None]
    light = 6.0 * one.nsig / one.fwhm_px * np.exp(-((rows - 150.0) ** 2) * 4 * np.log(2) / one.fwhm_px**2)
    raw = (500.0 + light + 5.0 * rng.standard_normal((300, 900))).astype("u2")
    across = np.arange(61.0)
    profile = np.exp(-((across - 30.0) ** 2) * 4 * np.log(2) / one.fwhm_px**2)
    return FramePicture(
        name=one.file.removesuffix(".fits"),
        frame=Frame(raw=raw, name=one.file),
        profile=tuple(profile.tolist()),
        profile_start_px=120,
        profile_fit=tuple(profile.tolist()),
        trace_px=tuple((float(x), 150.0) for x in np.linspace(0, 899, 64)),
        window_px=(120.0, 180.0),
    )


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """The folder of a session that ended well."""
    journal = Journal.create(tmp_path, datetime(2026, 11, 22, 21, 14, 5, tzinfo=UTC), lambda *_: None)
    tell(journal, ended=True)
    return journal.folder


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The folder of a session that was killed before its end."""
    journal = Journal.create(tmp_path, datetime(2026, 11, 22, 22, 14, 5, tzinfo=UTC), lambda *_: None)
    tell(journal, ended=False)
    return journal.folder


def tell(journal: Journal, *, ended: bool) -> None:
    settings = {"camera": {"address": HOSTILE}, "focuser": {"approach": "inward", "backlash_steps": 40}}
    journal(
        events.SessionStarted(
            session=journal.folder.name, started_utc="2026-11-22T21:14:05.000+00:00", version="0.1.0",
            start_position=9420, camera=f"Cam {HOSTILE}", focuser="Foc", settings=settings,
        )
    )  # fmt: skip
    for number, one in enumerate(SERIES, 1):
        shown = picture(number, one)
        journal.put(shown, one)
        journal(
            events.ExposureStarted(elapsed_s=10.0 * number, number=number, position=int(one.position), exposure_s=8)
        )
        journal(
            events.SampleMeasured(
                elapsed_s=10.0 * number + 9, number=number, target=int(one.position), name=shown.name, measurement=one
            )
        )
    journal(events.CurveFitted(elapsed_s=70.0, curves=CURVES))
    journal(events.Warned(elapsed_s=71.0, message=f"a warning with {HOSTILE}"))
    if ended:
        result = FocusResult("focused", None, "Best focus 9373 ± 2.6 (snr).", "snr", CURVES, None, tuple(SERIES))
        timing = {"total_s": 80.0, "exposing_s": 48.0, "moving_s": 12.0, "settling_s": 6.0, "measuring_s": 3.0}
        tally = records.Tally(exposures=6, moves=6, timing=timing)
        made = records.result_object(
            result, position=9373, start_position=9420, tally=tally, warnings=[f"a warning with {HOSTILE}"]
        )
        journal.end(made, SERIES)
        journal(
            events.SessionEnded(
                elapsed_s=80.0, outcome="focused", reason=None, message=result.message, position=9373, result=made
            )
        )
    journal.close()


@pytest.fixture(scope="module")
def browser():
    """Chromium; where the whole suite is asked for, a missing one is a fault and not a reason to look away."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()
