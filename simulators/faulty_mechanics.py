"""Focusers that do not do as told: put in the place of ``bench.focuser``, each wraps the one that was there.

Times are seconds of the bench; an occasion is a Move.
"""

from __future__ import annotations

from simulators.mechanics import FocuserMechanics
from simulators.occasions import Occasions


class FaultyMechanics(FocuserMechanics):
    """The focuser within, unchanged; a fault overrides what it spoils."""

    def __init__(self, within: FocuserMechanics, occasions: Occasions) -> None:
        self.within = within
        self.occasions = occasions
        self.moves = 0
        self.low, self.high = within.low, within.high
        self.steps_per_s = within.steps_per_s
        self.backlash_steps = within.backlash_steps

    @property
    def striking(self) -> bool:
        """Whether the Move under way, or done last, is a faulty one."""
        return self.occasions.include(self.moves)

    def position(self, now: float) -> int:
        """What the motor's counter reads."""
        return self.within.position(now)

    def tube(self, now: float) -> float:
        """Where the drawtube stands."""
        return self.within.tube(now)

    def is_moving(self, now: float) -> bool:
        """Whether the motor turns, or says so."""
        return self.within.is_moving(now)

    def arrival(self) -> float:
        """When the last motion commanded ends, or ended."""
        return self.within.arrival()

    def move(self, target: int, now: float) -> None:
        """Start towards a position."""
        self.moves += 1
        self.obey(target, now)

    def obey(self, target: int, now: float) -> None:
        """Carry a Move out."""
        self.within.move(target, now)

    def halt(self, now: float) -> None:
        """Stop where it is."""
        self.within.halt(now)

    def break_points(self, until: float) -> list[tuple[float, float]]:
        """(time, tube position) of each break up to a time, and of the time itself."""
        return self.within.break_points(until)


class Stuck(FaultyMechanics):
    """Takes the order and stays."""

    def obey(self, target: int, now: float) -> None:
        """Do nothing."""
        if not self.striking:
            super().obey(target, now)


class Short(FaultyMechanics):
    """Stops before the target by some steps."""

    steps = 12

    def obey(self, target: int, now: float) -> None:
        """Go most of the way."""
        here = self.within.position(now)
        short = min(self.steps, abs(target - here)) if self.striking else 0
        super().obey(target - short if target > here else target + short, now)


class BarelyShort(Short):
    """Misses the target by two steps, as stepper drivers do that drop microsteps."""

    steps = 2


class Slow(FaultyMechanics):
    """Creeps at ``pace`` steps per second."""

    pace = 0.5

    def obey(self, target: int, now: float) -> None:
        """Go there, slowly."""
        self.within.halt(now)
        pace = self.pace if self.striking else self.steps_per_s
        _set_pace(self.within, pace)
        super().obey(target, now)


class NeverAtRest(FaultyMechanics):
    """Arrives, and goes on saying that it moves."""

    def is_moving(self, now: float) -> bool:
        """Say yes."""
        return self.striking or super().is_moving(now)


class CountLost(FaultyMechanics):
    """Its controller restarts after the motion: the tube stays, the counter reads 0."""

    def __init__(self, within: FocuserMechanics, occasions: Occasions) -> None:
        super().__init__(within, occasions)
        self.lost_steps = 0

    def position(self, now: float) -> int:
        """What the counter reads: the true place less what it has forgotten."""
        if self.striking and self.lost_steps == 0 and now >= self.within.arrival():
            self.lost_steps = self.within.position(now)
        return self.within.position(now) - (self.lost_steps if now >= self.within.arrival() or not self.striking else 0)

    def obey(self, target: int, now: float) -> None:
        """Go where the counter would read the target."""
        super().obey(target + self.lost_steps, now)


class RunsToZero(FaultyMechanics):
    """Runs to its inner stop instead of to the target."""

    def obey(self, target: int, now: float) -> None:
        """Go to 0."""
        super().obey(0 if self.striking else target, now)


class PlayGrows(FaultyMechanics):
    """Its gear has forty steps more play from then on."""

    def obey(self, target: int, now: float) -> None:
        """Go there with a looser gear."""
        if self.striking:
            _set_play(self.within, self.backlash_steps + 40.0)
        super().obey(target, now)


class MovedByOthers(FaultyMechanics):
    """Another program moves it on by thirty steps, ``after_s`` after it has arrived."""

    after_s = 0.1

    def position(self, now: float) -> int:
        """Where it is, or where the other program took it."""
        self._interfere(now)
        return super().position(now)

    def is_moving(self, now: float) -> bool:
        """Whether it turns, by whosever order."""
        self._interfere(now)
        return super().is_moving(now)

    def obey(self, target: int, now: float) -> None:
        """Go there, with the other program waiting."""
        self._waiting = self.striking
        super().obey(target, now)

    _waiting = False

    def _interfere(self, now: float) -> None:
        if self._waiting and now > self.within.arrival() + self.after_s:
            self._waiting = False
            self.within.move(self.within.position(now) + 30, now)


class OldPosition(FaultyMechanics):
    """Reports the place it came from until the motion has ended, and a second longer."""

    stale_s = 1.0
    _from = 0

    def obey(self, target: int, now: float) -> None:
        """Go there, and keep quiet about it."""
        self._from = self.within.position(now)
        super().obey(target, now)

    def position(self, now: float) -> int:
        """The old place for too long."""
        stale = self.striking and now < self.within.arrival() + self.stale_s
        return self._from if stale else super().position(now)


def _set_pace(focuser: FocuserMechanics, steps_per_s: float) -> None:
    """Change the motor's speed, through whatever faults lie on it."""
    focuser.steps_per_s = steps_per_s
    if isinstance(focuser, FaultyMechanics):
        _set_pace(focuser.within, steps_per_s)


def _set_play(focuser: FocuserMechanics, steps: float) -> None:
    """Change the gear's play, through whatever faults lie on it."""
    focuser.backlash_steps = steps
    if isinstance(focuser, FaultyMechanics):
        _set_play(focuser.within, steps)
