"""Bringing the focuser to a position by the approach rule, and knowing how it got where it stands."""

from __future__ import annotations

from autofocus.errors import PositionNotReached
from autofocus.ports import Focuser
from autofocus.search.approach import Direction, waypoints
from autofocus.session.events import FocuserMoved, FocuserMoving
from autofocus.session.guiding import Guiding
from autofocus.session.ledger import Ledger
from autofocus.session.stream import Stream
from autofocus.settings import FocuserSettings


class Motion:
    """Moves a focuser so that it always arrives from the same side.

    ``position`` is where it was last seen, ``under_way`` is true while a motion was commanded and its end not seen.
    ``guiding`` is told of every way that is gone.
    """

    def __init__(
        self, focuser: Focuser, settings: FocuserSettings, stream: Stream, ledger: Ledger, guiding: Guiding
    ) -> None:
        self._focuser = focuser
        self._settings = settings
        self._stream = stream
        self._ledger = ledger
        self._guiding = guiding
        self._legs: list[int] = []
        self._arrived: Direction | None = None
        self.position: int | None = None
        self.under_way = False

    def locate(self) -> int:
        """Ask where it stands; a place it was not sent to means that its slack is unknown."""
        found = self._focuser.position()
        tolerance = self._settings.position_tolerance_steps  # what a driver rounds is not a motion
        if self.position is None or abs(found - self.position) > tolerance:
            self._arrived = None
        self.position = found
        return found

    def go_to(self, target: int, run_up_steps: int = 0) -> int:
        """Bring it there and return where it stands; raise `PositionNotReached` if that is not the target.

        A motion that reverses comes from ``run_up_steps`` beyond, if that is more than the backlash declared.
        """
        current = self.locate()
        way = self._way(current, target, run_up_steps)
        if way:
            with self._guiding.moving():
                for point in way:
                    self._move(point, overshoot=point != target)
        self._arrived = self._settings.approach
        reached = target if self.position is None else self.position
        tolerance = self._settings.position_tolerance_steps
        if abs(reached - target) > tolerance:
            raise PositionNotReached(
                f"the focuser stopped at {reached}, not at {target}: check that it is free to move and that its "
                f"limits allow it, or raise focuser.position_tolerance_steps (now {tolerance})",
                device=self._focuser.facts.name,
                operation="move",
            )
        return reached

    def hop(self, point: int) -> int:
        """Go to a place on the way, whatever the direction, and return where it stands."""
        self.locate()
        with self._guiding.moving():
            self._move(point, overshoot=False)
        return point if self.position is None else self.position

    def legs_since(self) -> tuple[int, ...]:
        """The motions since this was last asked, signed steps."""
        legs, self._legs = tuple(self._legs), []
        return legs

    def still_at(self, reached: int) -> bool:
        """Does it stand where it was left? Another program may have moved it."""
        return abs(self.locate() - reached) <= self._settings.position_tolerance_steps

    def _way(self, current: int, target: int, run_up_steps: int) -> tuple[int, ...]:
        facts, settings = self._focuser.facts, self._settings
        try:
            return waypoints(
                current,
                target,
                approach=settings.approach,
                backlash_steps=settings.backlash_steps,
                run_up_steps=run_up_steps,
                last=self._arrived,
                low=facts.low,
                high=facts.high,
            )
        except ValueError:
            self._stream.warn(
                f"there is no room to overshoot {target} by {settings.backlash_steps} steps before arriving "
                f"{settings.approach}; it is approached directly, so backlash may offset it"
            )
            return (target,)

    def _move(self, point: int, *, overshoot: bool) -> None:
        stream, before = self._stream, self.position
        self._arrived = None
        self._ledger.moves += 1
        self.under_way = True
        stream.tell(FocuserMoving(elapsed_s=stream.elapsed_s, target=point, overshoot=overshoot))
        began = stream.elapsed_s
        with self._ledger.timed("moving_s"):
            self.position = self._focuser.move(point)
        self.under_way = False
        if before is not None:
            self._legs.append(self.position - before)
        now = stream.elapsed_s
        stream.tell(FocuserMoved(elapsed_s=now, position=self.position, target=point, took_s=now - began))
