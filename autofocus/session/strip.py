"""``roi: auto``: once the trace is found only a strip about it is read, so that downloads shrink.

The strip changes only between sweeps. Some servers mirror a subframe, round it or ignore it: the trace must show
where it is expected, or the whole sensor is read again for the rest of the run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from autofocus.model import Flag, Measurement
from autofocus.ports import Camera
from autofocus.session.stream import Stream
from autofocus.settings import Settings

WIDTHS = 6.0  # of the widest trace seen, to each side: the wings, and the background beside them
LEAST_HALF_PX = 100
WORTH_IT = 0.7  # of the sensor; a strip larger than this is not worth its risk


class Strip:
    """The part of the sensor that is read, in binned pixels across the dispersion; None: all of it."""

    def __init__(self, camera: Camera, settings: Settings, stream: Stream) -> None:
        self._camera = camera
        self._settings = settings
        self._stream = stream
        self._given_up = settings.camera.roi != "auto"
        self._seen = 0
        self._rows: tuple[int, int] | None = None
        self._center = math.nan

    def adjust(self, developed: Sequence[Measurement]) -> None:
        """Before a sweep: check the strip on the frames taken since, or find one; no frame may be under way."""
        recent = developed[self._seen :]
        self._seen = len(developed)
        if self._given_up or not recent:
            return
        traces = [m for m in recent if Flag.NO_TRACE not in m.flags and m.fwhm_px > 0.0]
        if self._rows is not None and not self._shows(traces):
            self._give_up()
            return
        if traces:
            self._center = self._first_row() + median(m.center_px for m in traces)
            self._narrow([m for m in developed if m.fwhm_px > 0.0], traces[-1])

    def _first_row(self) -> int:
        return 0 if self._rows is None else self._rows[0]

    def _shows(self, traces: Sequence[Measurement]) -> bool:
        """Whether the trace stands in the strip where it stood on the sensor."""
        if not traces or self._rows is None:
            return False
        moved = self._rows[0] + median(m.center_px for m in traces) - self._center
        return abs(moved) < (self._rows[1] - self._rows[0]) / 4

    def _narrow(self, widths: Sequence[Measurement], last: Measurement) -> None:
        facts, binning = self._camera.facts, self._settings.camera.binning
        size = (facts.width_px // binning, facts.height_px // binning)
        along_y = last.dispersion_axis == "y"
        across = size[0] if along_y else size[1]
        window = self._settings.measure.half_window_px
        half = WIDTHS * max(m.fwhm_px for m in widths) + abs(last.slant_px) / 2
        half = max(half, LEAST_HALF_PX, 0 if window == "auto" else 3 * window)
        first, end = max(int(self._center - half), 0), min(math.ceil(self._center + half) + 1, across)
        if end - first > WORTH_IT * across or (self._rows is not None and self._holds(first, end)):
            return
        self._rows = (first, end)
        strip = (first, 0, end - first, size[1]) if along_y else (0, first, size[0], end - first)
        self._camera.use_subframe(*strip)

    def _holds(self, first: int, end: int) -> bool:
        return self._rows is not None and self._rows[0] <= first and end <= self._rows[1]

    def _give_up(self) -> None:
        facts, binning = self._camera.facts, self._settings.camera.binning
        self._camera.use_subframe(0, 0, facts.width_px // binning, facts.height_px // binning)
        self._rows, self._given_up = None, True
        self._stream.warn(
            "camera.roi: auto: the strip does not show the trace where it was (some servers mirror a subframe); the "
            "whole sensor is read again"
        )
