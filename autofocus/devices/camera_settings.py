"""A camera's settings: found, remembered, made ours for a run, and put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from autofocus.devices.alpaca import Door
from autofocus.devices.replies import is_not_implemented
from autofocus.devices.values import texts, whole
from autofocus.errors import DeviceError, DeviceRefused
from autofocus.settings import CameraSettings

# The order in which settings are put back: a mode may change the sensor's size, binning what a subframe counts in.
_LEVELS = ("ReadoutMode", "Gain", "Offset", "BinX", "BinY")
_SUBFRAME = ("StartX", "StartY", "NumX", "NumY")


@dataclass(frozen=True, slots=True)
class Subframe:
    """What part of the sensor is read, in binned pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(slots=True)
class CameraSetup:
    """Applies scope.yaml's settings to a camera and remembers what they were."""

    door: Door
    wanted: CameraSettings
    found: dict[str, int] = field(default_factory=dict)
    gain: int | None = None
    offset: int | None = None
    readout_mode: str | None = None
    binning: tuple[int, int] = (1, 1)
    subframe: Subframe = Subframe(0, 0, 0, 0)
    narrowed: Subframe | None = None

    def remember(self) -> None:
        """Note every setting as found; what the camera does not offer is left out."""
        values = {member: self.door.optional(member, whole) for member in _LEVELS + _SUBFRAME}
        self.found = {member: value for member, value in values.items() if value is not None}

    def apply(self) -> None:
        """Make the settings ours; what the user left open stays as found, a foreign subframe or binning does not."""
        self._apply_readout_mode()
        self.gain = self._apply_level("Gain", self.wanted.gain)
        self.offset = self._apply_level("Offset", self.wanted.offset)
        self._apply_binning()
        self._apply_subframe()

    def restore(self) -> list[DeviceError]:
        """Put back what differs from what was found; the errors of what could not be."""
        errors: list[DeviceError] = []
        steps: list[Callable[[], None]] = [partial(self._restore_level, member) for member in _LEVELS]
        for step in [*steps, self._restore_subframe]:
            try:
                step()
            except DeviceRefused as error:
                errors.append(error)
            except DeviceError as error:
                return [*errors, error]  # lost: each further request would only wait in vain
        return errors

    def _restore_level(self, member: str) -> None:
        if member in self.found and self.door.optional(member, whole) != self.found[member]:
            self.door.write(member, self.found[member])

    def _restore_subframe(self) -> None:
        if all(member in self.found for member in _SUBFRAME):
            self.use(Subframe(*(self.found[member] for member in _SUBFRAME)))

    def _apply_readout_mode(self) -> None:
        wanted = self.wanted.readout_mode
        names = self.door.optional("ReadoutModes", texts) or []
        if wanted is not None:
            number = wanted if isinstance(wanted, int) else _index(names, wanted)
            if number is None or (names and not 0 <= number < len(names)):
                offered = ", ".join(names) or "no readout modes"
                raise self._refused("ReadoutMode", f"has no readout mode {wanted!r}; it offers {offered}")
            self._write("ReadoutMode", number, "readout_mode")
        current = self.door.optional("ReadoutMode", whole)
        self.readout_mode = names[current] if current is not None and 0 <= current < len(names) else None

    def _apply_level(self, member: str, wanted: int | None) -> int | None:
        """Gain or offset: a number of the driver's own, or an index into the names it offers."""
        if wanted is not None:
            names = self.door.optional(member + "s", texts)
            low, high = self.door.optional(member + "Min", whole), self.door.optional(member + "Max", whole)
            if names is not None and not 0 <= wanted < len(names):
                # Where the driver lists its values by name, the user may have written the name: 800 for "ISO 800".
                index = _index([name.split()[-1] if name.split() else "" for name in names], str(wanted))
                if index is None:
                    raise self._refused(member, f"offers {member.lower()} 0 to {len(names) - 1} ({', '.join(names)})")
                wanted = index
            elif low is not None and high is not None and not low <= wanted <= high:
                raise self._refused(member, f"takes {member.lower()} from {low} to {high}, not {wanted}")
            self._write(member, wanted, member.lower())
        return self.door.optional(member, whole)

    def _apply_binning(self) -> None:
        most = self.door.optional("MaxBinX", whole) or 1
        if self.wanted.binning > most:
            raise self._refused("BinX", f"bins at most {most}-fold; set camera.binning")
        for member in ("BinX", "BinY"):
            if (self.door.optional(member, whole) or 1) != self.wanted.binning:
                self._write(member, self.wanted.binning, "binning")
        x, y = (self.door.optional(member, whole) or 1 for member in ("BinX", "BinY"))
        if x != self.wanted.binning or y != self.wanted.binning:
            raise self._refused("BinX", f"stays at binning {x} x {y} although {self.wanted.binning} was set")
        self.binning = (x, y)

    def _apply_subframe(self) -> None:
        width = self.door.read("CameraXSize", whole) // self.binning[0]
        height = self.door.read("CameraYSize", whole) // self.binning[1]
        part = self.narrowed or Subframe(0, 0, width, height)
        if isinstance(self.wanted.roi, tuple):
            part = Subframe(*self.wanted.roi)
            inside = part.x >= 0 and part.y >= 0 and part.width > 0 and part.height > 0
            if not inside or part.x + part.width > width or part.y + part.height > height:
                raise self._refused("StartX", f"has {width} x {height} binned pixels; set camera.roi inside them")
        self.use(part)

    def narrow(self, part: Subframe) -> None:
        """Read only ``part`` from now on, also after a server came back."""
        self.narrowed = part
        self.use(part)

    def use(self, part: Subframe) -> None:
        """Read only ``part`` of the sensor from now on."""
        # The corner first goes to the origin, so that no step in between reaches over the edge.
        steps = (("StartX", 0), ("StartY", 0), ("NumX", part.width), ("NumY", part.height))
        for member, value in (*steps, ("StartX", part.x), ("StartY", part.y)):
            if self.door.optional(member, whole) != value:
                self._write(member, value, "roi")
        # A driver may round a subframe to what its sensor can read; what it says is what will come.
        x, y = (self.door.optional(member, whole) or 0 for member in ("StartX", "StartY"))
        self.subframe = Subframe(x, y, self.door.read("NumX", whole), self.door.read("NumY", whole))
        if self.subframe.width <= 0 or self.subframe.height <= 0:
            raise self._refused("NumX", "says that it reads no pixels")

    def _write(self, member: str, value: int, key: str) -> None:
        try:
            self.door.write(member, value)
        except DeviceRefused as error:
            if is_not_implemented(error):
                raise self._refused(member, f"has no {member} to set; set camera.{key} to its default") from error
            raise

    def _refused(self, member: str, what: str) -> DeviceRefused:
        return DeviceRefused(f"The {self.door.device} {what}.", device=self.door.device, operation=member)


def _index(names: list[str], wanted: str) -> int | None:
    folded = [name.casefold() for name in names]
    return folded.index(wanted.casefold()) if wanted.casefold() in folded else None
