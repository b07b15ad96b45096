"""An Alpaca focuser, absolute or relative, that knows where it stands."""

from __future__ import annotations

from autofocus.devices.alpaca import Door
from autofocus.devices.deadlines import Deadlines
from autofocus.devices.lookout import Lookout
from autofocus.devices.motion import Motion
from autofocus.devices.replies import INVALID_OPERATION, is_not_implemented
from autofocus.devices.values import number, text, truth, whole
from autofocus.errors import DeviceError, DeviceRefused, PositionNotReached
from autofocus.ports import Clock, FocuserFacts
from autofocus.settings import FocuserSettings

_NO_SENSOR_C = -126.0  # drivers without a thermometer report -127 or less


class AlpacaFocuser:
    """A focuser behind an Alpaca server, as `autofocus.ports.Focuser` describes it."""

    def __init__(
        self,
        settings: FocuserSettings,
        clock: Clock,
        deadlines: Deadlines | None = None,
        lookout: Lookout | None = None,
    ) -> None:
        self._settings = settings
        self._door = Door("focuser", settings.address, settings.device_number, clock, deadlines or Deadlines(), lookout)
        self._motion = Motion(self._door, settings)
        self._facts = FocuserFacts(name=self._door.device)
        self._compensated = False

    @property
    def facts(self) -> FocuserFacts:
        """What it said of itself when it was opened."""
        return self._facts

    @property
    def found_compensated(self) -> bool:
        """Whether temperature compensation was on when it was opened, and is to be switched on again."""
        return self._compensated

    def open(self) -> None:
        """Connect if need be, wait until it rests, switch temperature compensation off."""
        self._door.connect()
        self._motion.begin()
        can_halt = self._can_halt()
        self._compensated = self._switch_compensation_off()
        self._facts = self._ask_facts(can_halt)
        self._door.on_return = self._after_return

    def position(self) -> int:
        """Where it stands, asked of the device."""
        return self._motion.position()

    def move(self, position: int) -> int:
        """Go there in one motion without backlash compensation; return the position read back at rest."""
        self._refuse_beyond_limits(position)
        return self._motion.move(position, self._facts.max_increment)

    def halt(self) -> None:
        """Stop a motion at once, if the device can; never waits behind a camera's download."""
        self._motion.halt()

    def temperature(self) -> float | None:
        """Its temperature in °C, or None."""
        value = self._door.optional("Temperature", number)
        return value if value is not None and value > _NO_SENSOR_C else None

    def close(self) -> None:
        """Restore temperature compensation, disconnect only what `open` connected; raise the first fault at the end."""
        errors: list[DeviceError] = []
        try:
            if self._compensated:
                self._door.write("TempComp", True)
        except DeviceError as error:
            errors.append(error)
        try:
            self._door.disconnect()
        except DeviceError as error:
            errors.append(error)
        if errors:
            raise errors[0]

    def _can_halt(self) -> bool:
        """Halt at rest does nothing, and tells whether the device has it: there is no other way to ask."""
        try:
            self._door.call("Halt")
        except DeviceRefused as error:
            return not is_not_implemented(error) and error.number == INVALID_OPERATION
        return True

    def _switch_compensation_off(self) -> bool:
        """Compensation moves the focuser during the run, and blocks Move on old drivers; was it on?"""
        on = bool(self._door.optional("TempCompAvailable", truth) and self._door.optional("TempComp", truth))
        if on:
            self._door.write("TempComp", False)
        return on

    def _after_return(self) -> None:
        """The server was lost and came back: make it as it was, and see that it still counts as before."""
        if self._compensated:
            self._switch_compensation_off()
        self._motion.verify_after_return()

    def _refuse_beyond_limits(self, position: int) -> None:
        low, high = self._facts.low, self._facts.high
        below, above = low is not None and position < low, high is not None and position > high
        if below or above:
            key, limit = ("min_position", low) if below else ("max_position", high)
            raise PositionNotReached(
                f"Position {position} of the {self._door.device} lies beyond its limit {limit}; "
                f"change focuser.{key} if the focuser may go there.",
                device=self._door.device,
                operation="Move",
            )

    def _ask_facts(self, can_halt: bool) -> FocuserFacts:
        ask = self._door.optional
        low, high = self._limits()
        increment = ask("MaxIncrement", whole)
        step_um = self._settings.microns_per_step or ask("StepSize", number)
        return FocuserFacts(
            name=ask("Name", text) or self._door.device,
            unique_id=self._door.unique_id,
            absolute=self._motion.absolute,
            low=low,
            high=high,
            max_increment=increment if increment is not None and increment > 0 else None,
            microns_per_step=step_um if step_um is not None and step_um > 0 else None,
            can_halt=can_halt,
            has_temperature=self.temperature() is not None,
        )

    def _limits(self) -> tuple[int | None, int | None]:
        """The travel limits: the settings', and within them the driver's 0 to MaxStep where its scale is that."""
        low, high = self._settings.min_position, self._settings.max_position
        most = self._door.optional("MaxStep", whole)
        here = self._motion.position()
        # On an encoder's scale, which runs below 0, and on a relative focuser's count 0 and MaxStep mean nothing.
        if not self._motion.absolute or here < 0 or most is None or most <= 0 or here > most:
            return low, high
        own_scale = low is not None and low < 0
        low = low if own_scale else max(low or 0, 0)
        return low, most if high is None else min(high, most)
