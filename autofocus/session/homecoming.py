"""The way out of every run: end what is under way, bring the focuser back, restore the devices, say where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autofocus.errors import Aborted, AutofocusError, DeviceError, DeviceUnreachable
from autofocus.session.events import PhaseChanged
from autofocus.session.motion import Motion
from autofocus.session.observe import LiveObserver
from autofocus.session.rig import Rig
from autofocus.session.stream import Stream

PAUSES_S = (5.0, 15.0)  # before another try to bring the focuser back: a server needs that long to restart
Close = tuple[str, Callable[[], None]]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the focuser stands after a run (None: its driver cannot be asked), and what kept it from going home.

    ``silent`` is the server that gave no answer when that was tried, ``last_seen`` the position last reported then.
    """

    position: int | None
    trouble: str = ""
    silent: str = ""
    last_seen: int | None = None


class Homecoming:
    """Does each step whatever became of the one before; what fails is a warning, never the end of the rest.

    A stop asked for once leads here and is then ignored; a second one (``hurried``) skips all that takes time.
    ``silent`` is the server whose silence ended the run: its cause is known and not told again.
    """

    def __init__(
        self, rig: Rig, motion: Motion, observer: LiveObserver, stream: Stream, tolerance: int, silent: str = ""
    ) -> None:
        self._silent = {silent} - {""}
        self._away = ""
        self._rig = rig
        self._motion = motion
        self._observer = observer
        self._stream = stream
        self._tolerance = tolerance
        self._hurried = False

    def perform(self, opened: list[Close], *, home: int | None) -> Whereabouts:
        """End everything; ``home`` is where the focuser goes back to, None where it may stay."""
        if self._rig.informant is not None:
            self._rig.informant.inform = self._warn
        with self._rig.clock.shielded():
            if self._observer.exposing:
                self._attempt("the exposure could not be aborted", self._rig.camera.abort)
            trouble = self._stop_and_return(home) if any(name == "focuser" for name, _ in opened) else ""
            if not self._hurried:
                self._attempt("the last frame was left unfinished", self._observer.finish)
            self._observer.close()
            position = self._ask() if any(name == "focuser" for name, _ in opened) else None
            if home is not None and not trouble and position is not None and abs(position - home) > self._tolerance:
                trouble = "another program moved it"
            for name, close in reversed(opened):
                self._attempt(f"the {name} could not be restored", close)
        return Whereabouts(position, trouble, self._away, self._motion.position if self._away else None)

    def _stop_and_return(self, home: int | None) -> str:
        if self._motion.under_way:
            self._attempt("the focuser could not be halted", self._rig.focuser.halt)
        if home is None:
            return ""
        self._tell_of_return(home)
        trouble = self._return(home)
        if trouble and self._motion.under_way:
            self._attempt("the focuser could not be halted", self._rig.focuser.halt)
        return trouble

    def _return(self, home: int) -> str:
        """Go home by the approach rule, again after a pause if the device fails; return what kept it."""
        trouble = ""
        for pause_s in (0.0, *PAUSES_S):
            try:
                if pause_s:
                    self._tell_of_return(home, f"; trying again in {pause_s:g} s")
                self._rig.clock.sleep(pause_s)
                reached = self._motion.go_to(home)
            except DeviceError as fault:
                self._away = fault.server
                if trouble and not isinstance(fault, DeviceUnreachable):
                    return fault.message  # twice the same answer from a device that is there
                trouble = fault.message
            except (Aborted, KeyboardInterrupt):
                self._hurried = True
                return "the run was ended at once"
            except Exception as fault:  # noqa: BLE001  even our own fault must not keep the rest from being restored
                return f"{type(fault).__name__}: {fault}"
            else:
                return "" if abs(reached - home) <= self._tolerance else f"it stopped at {reached}"
        return trouble

    def _tell_of_return(self, home: int, more: str = "") -> None:
        why = f"Bringing the focuser back to {home}{more}"
        told = PhaseChanged(elapsed_s=self._stream.elapsed_s, phase="returning", why=why)
        self._attempt("", lambda: self._stream.tell(told))

    def _ask(self) -> int | None:
        found: list[int] = []
        failure = "" if self._away else "the focuser could not be asked where it stands"
        self._attempt(failure, lambda: found.append(self._motion.locate()))
        return found[0] if found else None

    def _attempt(self, failure: str, step: Callable[[], object]) -> None:
        try:
            step()
        except (Aborted, KeyboardInterrupt):
            self._hurried = True
        except Exception as fault:  # noqa: BLE001  what fails on the way out is said, and the way out goes on
            if failure:
                self._warn(f"{failure}: {self._said(fault)}")

    def _said(self, fault: Exception) -> str:
        """The fault in words; a server that does not answer is explained once."""
        server = fault.server if isinstance(fault, DeviceError) else ""
        if server in self._silent:
            return f"{server} does not answer"
        self._silent |= {server} - {""}
        return fault.message if isinstance(fault, AutofocusError) else f"{type(fault).__name__}: {fault}"

    def _warn(self, message: str) -> None:
        try:
            self._stream.warn(message)
        except AutofocusError:
            return  # the journal is what failed; the warning is in the result all the same
