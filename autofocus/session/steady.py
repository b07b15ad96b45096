"""Watching the spectrum itself: short frames until the trace's centre and its light are the same in two of them."""

from __future__ import annotations

import math
from collections.abc import Callable

from autofocus.errors import FrameError
from autofocus.model import Flag, Measurement
from autofocus.ports import Camera, Clock, GuidingState
from autofocus.session.darkroom import Measure
from autofocus.session.ledger import Ledger
from autofocus.settings import Settings

SHORTER = 4  # a glance lasts this part of an exposure, but no less than SHORTEST_S
SHORTEST_S = 1.0
CLEAR_SIGMAS = 3.0
SEEING_CHANGE = 0.15  # from one short frame to the next seeing alone changes the light behind a slit by so much


class Glances:
    """Takes short frames and measures them at once; none is kept. ``under_way`` while one is exposed.

    ``before_each`` is called first: the last frame must have left the camera.
    """

    def __init__(self, camera: Camera, measure: Measure, settings: Settings, ledger: Ledger) -> None:
        self._camera = camera
        self._measure = measure
        self._settings = settings
        self.before_each: Callable[[], None] = lambda: None
        self._ledger = ledger
        self.under_way = False

    def take(self) -> Measurement:
        """One short frame; one that cannot be read shows no trace."""
        self.before_each()
        exposure_s = self._settings.camera.exposure_s
        self._ledger.glances += 1
        self.under_way = True
        self._camera.expose(min(max(exposure_s / SHORTER, SHORTEST_S), exposure_s))
        self.under_way = False
        try:
            return self._measure(self._camera.fetch(), self._settings.measure).measurement
        except FrameError:
            return Measurement(flags=(Flag.NO_TRACE,))


class SteadyWatch:
    """Says when the spectrum has come to rest after a move."""

    def __init__(self, glances: Glances, settings: Settings, clock: Clock) -> None:
        self._glances = glances
        self._guider = settings.guider
        self._clock = clock

    def settle(self) -> GuidingState:
        """Wait for two like frames, or the timeout; where there is no trace to watch, for the settle time."""
        began = self._clock.monotonic()
        before, dark = self._glances.take(), True
        while True:
            now = self._glances.take()
            waited = self._clock.monotonic() - began
            dark = dark and Flag.NO_TRACE in before.flags and Flag.NO_TRACE in now.flags
            if dark and waited >= self._guider.settle_time_s:
                return GuidingState(waited_s=waited, why="there is no spectrum bright enough to watch")
            change = "" if dark else change_between(before, now, self._guider.settle_px)
            if not dark and not change:
                return GuidingState(waited_s=waited, why="the spectrum is steady")
            if waited >= self._guider.settle_timeout_s:
                why = f"after {waited:.0f} s {change or 'no spectrum was seen'}"
                return GuidingState(settled=False, waited_s=waited, why=why)
            before = now


def change_between(before: Measurement, now: Measurement, settle_px: float) -> str:
    """What is not yet steady between two frames, or "".

    Light counts as changed beyond 3 σ of both frames together with what seeing does to short frames.
    """
    if Flag.NO_TRACE in before.flags or Flag.NO_TRACE in now.flags:
        return "the spectrum comes and goes"
    moved = abs(now.center_px - before.center_px)
    if not moved < settle_px:
        return f"the spectrum still moves by {moved:.1f} px"
    noise = CLEAR_SIGMAS * math.hypot(before.nsig_err, now.nsig_err)
    mean = 0.5 * (before.nsig + now.nsig)
    if not abs(now.nsig - before.nsig) <= noise + SEEING_CHANGE * mean:
        return f"the light of the spectrum still changes by {abs(now.nsig - before.nsig) / abs(mean or 1.0):.0%}"
    return ""
