"""The guider that waits, after each move of the focuser, until raw guide steps of PHD2 show the star at rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from autofocus.devices.phd2_link import CONNECT_S, RECONNECT_S, Phd2Link
from autofocus.devices.phd2_state import GuideStep, Phd2State
from autofocus.devices.settling import Settled, judge, mean_px, scatter_px
from autofocus.errors import GuidingError
from autofocus.ports import Clock, GuidingState
from autofocus.settings import GuiderSettings

POLL_S = 0.02
LOST_FRAMES = 3  # so many guide frames in a row without the star are a loss, fewer a flicker
USUAL_STEPS = 8  # guide steps from which the scatter before the run is taken
ASK_AGAIN_S = 10.0  # before PHD2 is told once more to guide
CALIBRATION_S = 300.0  # a calibration takes some 40 s, on a coarse mount minutes; nothing waits longer


class Phd2Guider:
    """PHD2 over its event server. It goes on as it was when the run ends."""

    def __init__(self, settings: GuiderSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._link = Phd2Link(settings.address, clock.monotonic)
        self._usual_scatter_px = math.nan
        self._rest_px: tuple[float, float] | None = None
        self._moved = False  # since the last settling
        self._move_began = 0.0
        self._move_ended = 0.0
        self._exposure_began = math.inf
        self._paused_by_us = False

    @property
    def state(self) -> Phd2State:
        """What PHD2 was heard to say."""
        return self._link.state

    def open(self) -> None:
        """Connect, ask what PHD2 is doing, and remember how the star scatters before the first move.

        Raises `GuidingError` where PHD2 is not there or does not guide; the link then goes on trying until `close`.
        """
        self.connect()
        self._demand_guiding()
        self._learn_usual_scatter()

    def connect(self) -> None:
        """Connect and ask what PHD2 is doing."""
        self._link.open()
        if not self._wait_until_connected(CONNECT_S + RECONNECT_S):
            raise GuidingError(
                f"PHD2 does not answer at {self._settings.address}: start it, switch on Tools > Enable Server, or "
                "set guider.kind to none or steady"
            )
        self._link.refresh()

    def move_started(self) -> None:
        """Note the time; pause PHD2 where the settings say so."""
        if not self._moved:
            self._moved, self._move_began = True, self._clock.monotonic()
        if self._settings.pause_during_moves and self.state.guiding:
            self._paused_by_us = self._try("set_paused", [True])

    def move_ended(self) -> None:
        """Note the time; let PHD2 go on."""
        if self._paused_by_us:
            self._paused_by_us = not self._try("set_paused", [False])
        self._move_ended = self._clock.monotonic()

    def settle(self) -> GuidingState:
        """Wait until the star rests, or the timeout ends; calibrating does not count."""
        began, calibrated_s, ask_again = self._clock.monotonic(), 0.0, 0.0
        since = self._move_ended if self._moved else began
        verdict = Settled(False, "no guide step since the move")
        while True:
            now, state = self._clock.monotonic(), self.state
            steps = state.steps_since(since)
            if steps:
                verdict = self._judge(steps)
            if verdict.settled and state.guiding and not state.star_is_lost:
                return self._settled(verdict, now - began, steps)
            if now - began - calibrated_s >= self._settings.settle_timeout_s:
                return self._unsettled(verdict, now - began, steps)
            if self._settings.start_if_stopped and self._link.connected and state.idle and now >= ask_again:
                self._start_guiding(state)
                ask_again = now + ASK_AGAIN_S
            self._clock.sleep(POLL_S)
            if state.state == "Calibrating" and calibrated_s < CALIBRATION_S:
                calibrated_s += self._clock.monotonic() - now

    def exposure_started(self) -> None:
        """Watch for the loss of the star from now on."""
        self._exposure_began = self._clock.monotonic()

    def exposure_ended(self) -> GuidingState:
        """Whether the star was kept all the while, and how the guide star looked."""
        state, began = self.state, self._exposure_began
        steps = [step for step in state.steps if step.at > began]
        hfd, mass = _median(step.hfd_px for step in steps), _median(step.mass for step in steps)
        why = ""
        longest = state.longest_loss(began)
        if longest >= LOST_FRAMES:
            why = f"the guide star was lost for {longest} guide frames"
        elif not state.guiding:
            why = f"{state.words} during the exposure"
        return GuidingState(lost=bool(why), why=why, hfd_px=hfd, mass=mass)

    def close(self) -> None:
        """Undo our own pause, and disconnect."""
        if self._paused_by_us:
            self._paused_by_us = not self._try("set_paused", [False])
        self._link.close()

    def _judge(self, steps: Sequence[GuideStep]) -> Settled:
        settings = self._settings
        return judge(
            steps,
            settle_px=settings.settle_px,
            settle_time_s=settings.settle_time_s,
            usual_scatter_px=self._usual_scatter_px,
        )

    def _wait_until_connected(self, seconds: float) -> bool:
        end = self._clock.monotonic() + seconds
        while not self._link.connected:
            if self._clock.monotonic() > end:
                return False
            self._clock.sleep(POLL_S)
        return True

    def _demand_guiding(self) -> None:
        """Start guiding where allowed and wait for it, a calibration included; raise `GuidingError` if it will not."""
        began = self._clock.monotonic()
        limit_s = (
            self._settings.settle_timeout_s
            if self._settings.start_if_stopped and self._start_guiding(self.state)
            else 0.0
        )
        while not self.state.guiding:
            waited = self._clock.monotonic() - began
            if waited > (CALIBRATION_S if self.state.state == "Calibrating" else limit_s):
                raise GuidingError(
                    f"{self.state.words}: let it guide on the star and run again, set guider.start_if_stopped, or set "
                    "guider.kind to none"
                )
            self._clock.sleep(POLL_S)

    def _start_guiding(self, state: Phd2State) -> bool:
        """Ask PHD2 to resume, or to connect, calibrate if need be, and guide; whether it took the order."""
        if not state.idle:
            return False
        if state.state == "Paused":
            return self._try("set_paused", [False])
        self._try("set_connected", [True])
        settings = self._settings
        settle = {"pixels": settings.settle_px, "time": settings.settle_time_s, "timeout": settings.settle_timeout_s}
        started = self._try("guide", {"settle": settle, "recalibrate": False})
        self._link.refresh()
        return started

    def _try(self, method: str, params: object) -> bool:
        try:
            self._link.ask(method, params)
        except GuidingError:
            return False  # what PHD2 then does not do shows in its state
        return True

    def _learn_usual_scatter(self) -> None:
        """Listen to what seeing and mount do without any move, for one settle time and eight steps."""
        began = self._clock.monotonic()
        end = began + self._settings.settle_timeout_s
        while self._clock.monotonic() < end:
            steps = [step for step in self.state.steps if step.at > began]
            if len(steps) >= USUAL_STEPS and steps[-1].at - steps[0].at >= self._settings.settle_time_s:
                self._usual_scatter_px = scatter_px(steps)
                self._rest_px = mean_px(steps)
                return
            self._clock.sleep(POLL_S)

    def _settled(self, verdict: Settled, waited: float, steps: Sequence[GuideStep]) -> GuidingState:
        found = self._report(steps, settled=True, waited=waited, why=verdict.why)
        self._rest_px, self._moved = mean_px(steps[-USUAL_STEPS // 2 :]), False
        return found

    def _unsettled(self, verdict: Settled, waited: float, steps: Sequence[GuideStep]) -> GuidingState:
        if self._link.connected and steps:
            why = "the star is lost again" if self.state.star_is_lost else verdict.why
            found = self._report(steps, settled=False, waited=waited, why=f"after {waited:.0f} s {why}")
            self._rest_px, self._moved = None, False
            return found
        heard = self.state.words if self._link.connected else "the connection to PHD2 is lost"
        why = f"PHD2 gave no guide step for {waited:.0f} s ({heard})"
        return GuidingState(settled=False, lost=True, gone=True, waited_s=waited, why=why)

    def _report(self, steps: Sequence[GuideStep], *, settled: bool, waited: float, why: str) -> GuidingState:
        return GuidingState(
            settled=settled,
            waited_s=waited,
            why=why,
            shift_px=self._shift_px(steps[0]),
            pixel_scale_arcsec=self.state.pixel_scale_arcsec,
            hfd_px=_median(step.hfd_px for step in steps),
            mass=_median(step.mass for step in steps),
        )

    def _shift_px(self, first: GuideStep) -> tuple[float, float] | None:
        """By how much the move displaced the star: the first raw error after it, what PHD2 took back meanwhile added.

        None where it is not known where the star rested before, or nothing moved.
        """
        if self._rest_px is None or not self._moved:
            return None
        taken = self.state.corrected_px(self._move_began, first.at)
        return first.dx_px - self._rest_px[0] + taken[0], first.dy_px - self._rest_px[1] + taken[1]


def _median(values: Iterable[float]) -> float:
    known = sorted(value for value in values if math.isfinite(value) and value > 0)
    return known[len(known) // 2] if known else math.nan
