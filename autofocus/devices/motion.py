"""Moving a focuser: commanded once, watched to its end, believed only when read back."""

from __future__ import annotations

import itertools

from autofocus.devices.alpaca import Door
from autofocus.devices.count import Count
from autofocus.devices.replies import NOT_CONNECTED, is_final, is_not_implemented
from autofocus.devices.values import truth, whole
from autofocus.devices.wire import never_arrived
from autofocus.errors import Aborted, DeviceError, DeviceRefused, DeviceTimeout, PositionNotReached
from autofocus.settings import FocuserSettings

_FIRST_PAUSE_S = 0.01


class Motion:
    """The motions of one focuser. A relative one counts its steps from where it began."""

    def __init__(self, door: Door, settings: FocuserSettings) -> None:
        self._door = door
        self._clock = door.clock
        self._deadlines = door.deadlines
        self._timeout_s = settings.move_timeout_s
        self._tolerance = settings.position_tolerance_steps
        self.absolute = True
        self._count = 0
        self._unsure: str = ""
        self._counted = Count(self._tolerance)
        self._rested_when = 0.0

    def begin(self) -> None:
        """Wait until the focuser rests, and learn whether it is absolute."""
        self.absolute = self._door.read("Absolute", truth)
        self._await_stillness()
        self._rest_at(self.position())

    def position(self) -> int:
        """Where it stands, asked of the device; a relative focuser's own count."""
        if self._unsure:
            raise self._failed(PositionNotReached, f"stands at an unknown position: {self._unsure}")
        if not self.absolute:
            return self._count
        here = self._door.read("Position", whole)
        self._doubt(here, self._clock.monotonic() - self._rested_when)
        return here

    def move(self, target: int, max_increment: int | None) -> int:
        """Go to ``target``, in legs of at most ``max_increment`` steps; the position read back at rest."""
        self._await_turn()
        here = self.position()
        stride = max_increment or max(abs(target - here), 1)
        direction = 1 if target > here else -1
        while here != target:
            leg = here + direction * min(stride, abs(target - here))
            reached = self._leg(here, leg)
            if leg == target:
                here = reached
                break
            if (reached - here) * direction <= 0:
                raise self._stopped_elsewhere(here, leg, reached)
            here = reached
        return here

    def halt(self) -> None:
        """Stop at once and come to rest; where the focuser cannot, its motion goes on."""
        try:
            self._door.call("Halt")
        except DeviceRefused as error:
            if not is_not_implemented(error):
                raise
            return
        end = self._clock.monotonic() + self._deadlines.motion_start_s
        while self._door.read("IsMoving", truth) and self._clock.monotonic() < end:
            self._clock.sleep(self._deadlines.poll_s)

    def verify_after_return(self) -> None:
        """A server that restarted may count anew: positions then mean other places, and no move is safe."""
        if self.absolute and self._counted.strayed(here := self._door.read("Position", whole)):
            stood = self._counted.rested_at
            self._disbelieve(f"it stood at {stood} before its server was lost and reports {here} since")

    # -- whether its count can be believed --------------------------------------------------------------------------

    def _rest_at(self, position: int) -> None:
        self._counted.rest_at(position)
        self._rested_when = self._clock.monotonic()

    def _doubt(self, here: int, seconds: float) -> None:
        if self._counted.was_reset(here, seconds):
            self._disbelieve(f"it stood at {self._counted.rested_at}, and {seconds:.1f} s later it reports {here}")

    def _disbelieve(self, why: str) -> None:
        self._unsure = f"{why}; its count may have been reset, so it is not moved any more"
        raise self._failed(PositionNotReached, f"stands at an unknown position: {self._unsure}")

    # -- one leg ----------------------------------------------------------------------------------------------------

    def _await_stillness(self) -> None:
        """A motion that nobody here ordered must end before anything else."""
        began = self._clock.monotonic()
        while self._door.read("IsMoving", truth):
            if self._clock.monotonic() - began >= self._timeout_s:
                raise self._failed(DeviceTimeout, f"says that it moves, for {self._timeout_s:g} s before any order")
            self._clock.sleep(self._deadlines.poll_s)

    def _await_turn(self) -> None:
        """Before an order: wait while it moves; an absolute one that says so and stands still is ordered all the same.

        So a focuser whose IsMoving hangs can yet be sent home, though no motion of it counts as ended.
        """
        if not self.absolute:
            self._await_stillness()
            return
        place, since = self._door.read("Position", whole), self._clock.monotonic()
        began = since
        while self._door.read("IsMoving", truth) and self._clock.monotonic() - began < self._timeout_s:
            here, now = self._door.read("Position", whole), self._clock.monotonic()
            if here != place:
                place, since = here, now
            if now - since >= self._deadlines.motion_start_s + self._deadlines.position_refresh_s:
                return
            self._clock.sleep(self._deadlines.poll_s)

    def _leg(self, start: int, target: int) -> int:
        """One commanded motion; an absolute one that stopped short is commanded once more."""
        self._counted.send_to(target)
        reached = self._commanded(start, target)
        short = min(start, target) <= reached <= max(start, target)
        if self.absolute and short and not self._near(reached, target):
            reached = self._commanded(reached, target)
        if not self._near(reached, target):
            raise self._stopped_elsewhere(start, target, reached)
        self._rest_at(reached)
        return reached

    def _commanded(self, start: int, target: int) -> int:
        began = self._clock.monotonic()
        self._command(start, target)
        try:
            took = self._await_rest(start, target, began)
        except Aborted:
            if not self.absolute:
                self._finish_counting(start, target, began)
            raise
        except DeviceError:
            self._lose_count(start, target)
            raise
        reached = target
        if self.absolute:
            elapsed = self._clock.monotonic() - began
            reached = self._read_back(start, target, began)
            self._doubt(reached, elapsed)
        else:
            self._count = target
        if took is not None and self._near(reached, target):
            self._counted.pace.learn(target - start, took)
        return reached

    def _finish_counting(self, start: int, target: int, began: float) -> None:
        """A relative motion cut short could not be counted, so a stop lets it end; a second stop does not."""
        try:
            with self._clock.shielded():
                self._await_rest(start, target, began)
        except (Aborted, DeviceError):
            self._lose_count(start, target)
            raise
        self._count = target

    def _lose_count(self, start: int, target: int) -> None:
        if not self.absolute:
            self._unsure = f"a move from {start} to {target} was not seen to end"

    def _command(self, start: int, target: int) -> None:
        """Send Move; a second time only when IsMoving and position show that the first came to nothing."""
        pause = self._deadlines.pause_s
        end = self._clock.monotonic() + self._deadlines.repeat_within_s
        for left in range(self._deadlines.repeats, -1, -1):
            sent, returns = self._clock.monotonic(), self._door.returns
            try:
                self._door.call("Move", target if self.absolute else target - start)
                return
            except DeviceError as error:
                if isinstance(error, DeviceRefused) and is_final(error) and error.number != NOT_CONNECTED:
                    raise
                if not never_arrived(error) and self._has_begun(start, target, sent):
                    return
                came_back = self._door.returns > returns
                if left == 0 or (self._clock.monotonic() >= end and not came_back):
                    raise
            self._clock.sleep(pause)
            pause *= 2

    def _has_begun(self, start: int, target: int, sent: float) -> bool:
        """Whether a Move without an answer was carried out; raise where the device's state cannot tell."""
        since = self._clock.monotonic()
        for _ in itertools.count():
            if self._door.read("IsMoving", truth):
                return True
            if self.absolute and self._door.read("Position", whole) != start:
                return True
            if self._clock.monotonic() - since >= self._deadlines.motion_start_s:
                break
            self._clock.sleep(self._deadlines.poll_s)
        if self.absolute:
            return False
        if self._counted.pace.too_far(target - start, since - sent):
            return False  # a motion would still be going on
        self._unsure = f"the order to move from {start} to {target} got no answer, and it may have moved or not"
        raise self._failed(DeviceTimeout, f"stands at an unknown position: {self._unsure}")

    # -- to rest, and reading back --------------------------------------------------------------------------------

    def _await_rest(self, start: int, target: int, began: float) -> float | None:
        """Wait until IsMoving is false after the motion had time to begin; halt and raise at the deadline.

        Returns the seconds that it took, None when it was not seen to move.
        """
        seen_moving, pause = False, _FIRST_PAUSE_S
        while True:
            elapsed = self._clock.monotonic() - began
            moving = self._seen_moving()
            seen_moving = seen_moving or moving is True
            if moving is False:
                if seen_moving or elapsed >= self._deadlines.motion_start_s or self._arrived(target):
                    return elapsed if seen_moving else None
            elif elapsed >= self._timeout_s:
                self.halt()
                raise self._failed(
                    DeviceTimeout,
                    f"still says that it moves {self._timeout_s:g} s after the order to go from {start} to {target}; "
                    "see whether it is stuck, or raise focuser.move_timeout_s if it is slow",
                )
            self._clock.sleep(pause)
            pause = min(pause * 1.5, self._deadlines.poll_s)

    def _seen_moving(self) -> bool | None:
        """IsMoving, and where it is then; None while a server that moves within its Move call has no time to answer."""
        try:
            moving = self._door.read("IsMoving", truth)
            if moving and self.absolute:
                self._counted.pass_by(self._door.read("Position", whole))
        except DeviceTimeout:
            return None
        return moving

    def _arrived(self, target: int) -> bool:
        return self.absolute and self._near(self._door.read("Position", whole), target)

    def _read_back(self, start: int, target: int, began: float) -> int:
        """The position at rest: asked again while it disagrees, for some drivers refresh it once a second."""
        end = self._clock.monotonic() + self._deadlines.position_refresh_s
        while True:
            here = self._door.read("Position", whole)
            if (here != start and self._near(here, target)) or self._clock.monotonic() >= end:
                return here
            self._clock.sleep(self._deadlines.poll_s)
            if self._seen_moving():
                self._await_rest(start, target, began)

    def _near(self, position: int, target: int) -> bool:
        return abs(position - target) <= self._tolerance

    def _stopped_elsewhere(self, start: int, target: int, reached: int) -> PositionNotReached:
        if reached == start:
            what = (
                f"did not move from {start} when sent to {target}; see whether it is stuck, unpowered or at its limit"
            )
        else:
            what = (
                f"stopped at {reached} when sent from {start} to {target}; see whether it slips or is at its limit, "
                "or raise focuser.position_tolerance_steps"
            )
        error = self._failed(PositionNotReached, what)
        assert isinstance(error, PositionNotReached)
        return error

    def _failed(self, kind: type[DeviceError], what: str) -> DeviceError:
        return kind(f"The {self._door.device} {what}.", device=self._door.device, operation="Move")
