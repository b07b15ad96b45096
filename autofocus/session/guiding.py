"""The guider of a run, as the observer sees it: there may be none, and one that is lost is replaced by the spectrum."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from autofocus.errors import GuidingError
from autofocus.model import Flag, Measurement
from autofocus.ports import GuidingState
from autofocus.session.darkroom import Measure
from autofocus.session.guidestar import APERTURE_PX, blur_radius_px
from autofocus.session.ledger import Ledger
from autofocus.session.rig import Rig
from autofocus.session.shifts import ImageShift, shift_rates
from autofocus.session.steady import Glances, SteadyWatch
from autofocus.session.stream import Stream
from autofocus.settings import Settings

SEARCH_REGION_PX = 15.0  # PHD2 looks for its star this far around where it last was, unless told otherwise


class Guiding:
    """Waits after moves, watches during exposures, and keeps the image-shift log (``shifts``)."""

    def __init__(self, rig: Rig, settings: Settings, measure: Measure, stream: Stream, ledger: Ledger) -> None:
        self._guider = rig.guider
        self._asked = settings.guider
        self._stream = stream
        self._ledger = ledger
        self.glances = Glances(rig.camera, measure, settings, ledger)
        self._steady = SteadyWatch(self.glances, settings, rig.clock)
        blind = rig.guider is not None and not self._asked.sees_slit
        self._watching = self._asked.kind == "steady" or blind
        spacing = settings.search.spacing_steps
        self._probe_steps = 2 * (15 if spacing == "auto" else spacing)
        self._longest_followed = 0
        self._warned_of_rings = False
        self.shifts: list[ImageShift] = []

    @property
    def active(self) -> bool:
        """Is there anything to wait for after a move?"""
        return self._guider is not None or self._watching

    def open(self) -> None:
        """Open the guider; under ``on_failure: continue`` one that is not ready yet is a warning."""
        if self._guider is None:
            return
        try:
            with self._ledger.timed("guiding_s"):
                self._guider.open()
        except GuidingError as fault:
            if self._asked.on_failure == "stop":
                raise
            self._stream.warn(f"{fault.message}. The run begins all the same")

    @contextlib.contextmanager
    def moving(self) -> Iterator[None]:
        """While the focuser moves."""
        guider = self._guider
        if guider is None:
            yield
            return
        guider.move_started()
        try:
            yield
        finally:
            guider.move_ended()

    def settle(self, position: int, legs: Sequence[int] = ()) -> GuidingState:
        """Wait until the star is back on the slit after motions of these lengths (signed steps)."""
        if not self.active:
            return GuidingState()
        with self._ledger.timed("guiding_s"):
            state = self._ask_guider()
            if self._watching:
                seen = self._steady.settle()
                state = replace(
                    state,
                    settled=state.settled and seen.settled,
                    waited_s=state.waited_s + seen.waited_s,
                    why="; ".join(filter(None, (state.why, seen.why))),
                )
        if state.settled and not state.lost:
            self._log(state, position, legs)
        self._judge(state)
        return state

    def exposure_started(self) -> None:
        """Watch for the loss of the star from now on."""
        if self._guider is not None:
            self._guider.exposure_started()

    def exposure_ended(self) -> GuidingState:
        """Was the star kept all the while?"""
        return GuidingState() if self._guider is None else self._guider.exposure_ended()

    def accept(self, kept: GuidingState) -> None:
        """Stop, or say so, where an exposure that will not be repeated lost its star."""
        self._judge(kept)

    def next_hop(self, current: int, target: int, seen: Sequence[Measurement]) -> int | None:
        """Where to halt first on the way to a target, so that PHD2 does not lose the star; None: go there at once.

        A hop displaces the star by no more than half of PHD2's search region. While the shift is not known yet, the
        first hop is a short one that tells it.
        """
        if self._guider is None or not self._asked.sees_slit:
            return None
        self._warn_of_rings(target, seen)
        longest, distance = self._longest_hop(), abs(target - current)
        if distance <= longest:
            return None
        return current + round((target - current) / math.ceil(distance / longest))

    def _warn_of_rings(self, target: int, seen: Sequence[Measurement]) -> None:
        radius = blur_radius_px(target, seen)
        if radius is None or radius <= APERTURE_PX or self._warned_of_rings:
            return
        self._warned_of_rings = True
        self._stream.warn(
            f"at {target} the guide star will be a ring of about {radius:.0f} px radius, wider than the "
            f"{APERTURE_PX:g} px within which PHD2 measures: it may follow a piece of it"
        )

    def _longest_hop(self) -> int:
        rates = [rate.px_per_step for rate in shift_rates(self.shifts) if rate is not None and rate.px_per_step > 0]
        if rates:
            return max(1, math.floor(0.5 * SEARCH_REGION_PX / max(rates)))
        return max(self._probe_steps, self._longest_followed)

    def _ask_guider(self) -> GuidingState:
        if self._guider is None:
            return GuidingState()
        state = self._guider.settle()
        if not state.gone:
            return state
        if self._asked.on_failure == "stop":
            raise GuidingError(f"{state.why}; guider.on_failure says to stop then")
        self._stream.warn(
            f"{state.why}: the guider is lost; the rest of the run watches the spectrum itself (as guider.kind: steady)"
        )
        self._guider, self._watching = None, True
        return GuidingState(waited_s=state.waited_s)

    def _log(self, state: GuidingState, position: int, legs: Sequence[int]) -> None:
        self._longest_followed = max(self._longest_followed, abs(sum(legs)))
        if state.shift_px is None or not any(legs):
            return
        shift = ImageShift(
            position=position,
            outward_steps=sum(leg for leg in legs if leg > 0),
            inward_steps=-sum(leg for leg in legs if leg < 0),
            shift_px=state.shift_px,
            pixel_scale_arcsec=state.pixel_scale_arcsec,
            settled_s=state.waited_s,
        )
        self.shifts.append(shift)

    def _judge(self, state: GuidingState) -> None:
        """Stop the run where the settings say so; otherwise the frame is flagged and its NSIG not used."""
        if state.settled and not state.lost:
            return
        trouble = state.why or ("the guide star was lost" if state.lost else "guiding did not settle")
        if self._asked.on_failure == "stop":
            raise GuidingError(f"{trouble}; guider.on_failure says to stop then")
        self._stream.warn(f"{trouble}; the run goes on without the NSIG of such frames")


def guiding_flags(*states: GuidingState) -> tuple[Flag, ...]:
    """The flags of a frame taken under these states."""
    flags = []
    if any(not state.settled for state in states):
        flags.append(Flag.GUIDING_UNSETTLED)
    if any(state.lost for state in states):
        flags.append(Flag.GUIDING_LOST)
    return tuple(flags)


def guide_star(settled: GuidingState, kept: GuidingState) -> tuple[float, float]:
    """HFD and mass of the guide star at a sample: during the exposure, or just before it where that was too short."""
    star = kept if kept.hfd_px > 0 else settled
    return star.hfd_px, star.mass
