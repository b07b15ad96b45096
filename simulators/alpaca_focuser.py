"""The bench's focuser as an Alpaca device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.alpaca_protocol import Device, Getter, Parameters, not_implemented
from simulators.bench import Bench


class AlpacaFocuserDevice(Device):
    """Focuser, interface version 4: absolute or relative, with or without thermometer, Halt and StepSize."""

    kind = "focuser"

    def __init__(self, bench: Bench) -> None:
        own, options = bench.instrument, bench.options
        super().__init__(
            f"Bench focuser ({own.name})", f"Focuser of the bench: {own.description}", bench.unique_id("focuser")
        )
        self._bench = bench
        self._temp_comp = options.temp_comp and options.has_temperature
        self._compensated_c = bench.sky.temperature(bench.now())
        longest = options.max_increment or own.max_step
        self.gets |= {
            "absolute": lambda: options.absolute,
            "ismoving": self._is_moving,
            "maxincrement": lambda: longest,
            "maxstep": lambda: own.max_step if options.absolute else longest,
            "position": self._position,
            "stepsize": self._step_size,
            "tempcomp": self._get_temp_comp,
            "tempcompavailable": lambda: options.has_temperature,
            "temperature": self._temperature,
        }
        self.puts |= {"halt": self._halt, "move": self._move, "tempcomp": self._set_temp_comp}
        self._longest = longest

    def state(self) -> Mapping[str, Getter]:
        """What DeviceState gathers."""
        return {"IsMoving": self._is_moving, "Position": self._position, "Temperature": self._temperature}

    def get(self, member: str) -> Any:
        """The value of a property; temperature compensation acts whenever somebody looks."""
        self._follow_temperature()
        return super().get(member)

    def _is_moving(self) -> bool:
        return self._bench.focuser.is_moving(self._bench.now())

    def _position(self) -> int:
        if not self._bench.options.absolute:
            raise not_implemented("Position (a relative focuser)")
        return self._bench.focuser.position(self._bench.now())

    def _step_size(self) -> float:
        if not self._bench.options.has_step_size:
            raise not_implemented("StepSize")
        return self._bench.instrument.microns_per_step

    def _temperature(self) -> float:
        if not self._bench.options.has_temperature:
            raise not_implemented("Temperature")
        return round(self._bench.sky.temperature(self._bench.now()), 2)

    def _get_temp_comp(self) -> bool:
        return self._temp_comp

    def _set_temp_comp(self, given: Parameters) -> None:
        wanted = given.boolean("TempComp")
        self._require_connection()
        if not self._bench.options.has_temperature:
            raise not_implemented("TempComp")
        self._compensated_c = self._bench.sky.temperature(self._bench.now())
        self._temp_comp = wanted

    def _follow_temperature(self) -> None:
        """Move by whole steps as the temperature asks, while compensation is on and nothing else moves."""
        now = self._bench.now()
        if not self._temp_comp or self._bench.focuser.is_moving(now):
            return
        per_degree = self._bench.instrument.temperature_steps_per_c
        steps = round(per_degree * (self._bench.sky.temperature(now) - self._compensated_c))
        if steps:
            self._compensated_c += steps / per_degree
            self._bench.focuser.move(self._bench.focuser.position(now) + steps, now)

    def _halt(self, _: Parameters) -> None:
        self._require_connection()
        if not self._bench.options.can_halt:
            raise not_implemented("Halt")
        self._bench.focuser.halt(self._bench.now())

    def _move(self, given: Parameters) -> None:
        """Beyond its limits it goes to the limit, as ASCOM's conformance checker wants it."""
        asked = given.integer("Position")
        self._require_connection()
        now = self._bench.now()
        here = self._bench.focuser.position(now)
        by = asked - here if self._bench.options.absolute else asked
        self._bench.focuser.move(here + min(max(by, -self._longest), self._longest), now)
