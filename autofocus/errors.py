"""Everything that can go wrong, and the exit code of each branch.

::

    AutofocusError                  1  a bug of ours unless a branch below says otherwise
    ├── SettingsError               2  the user's settings or arguments; says file:line:column
    ├── DeviceError                 3  the camera's or the focuser's fault
    │   ├── DeviceUnreachable          nobody answers at the address
    │   ├── DeviceTimeout              it answered, but not within the deadline of the operation
    │   ├── DeviceRefused              it answered with an error
    │   ├── PositionNotReached         the focuser stopped elsewhere
    │   └── FocuserBusy                another run holds the focuser
    ├── NoFocusFound                4  the devices work; the data hold no focus (``reason`` says why)
    ├── GuidingError                5  the guider was lost or never settled
    ├── FrameError                  6  a file or an image that cannot be read
    ├── JournalError                7  the session cannot be written or read
    └── Aborted                   130  the user ended the run

A message is one sentence for a person: what is wrong, where, and how to mend it. Library exceptions are
translated at one place each (``raise … from cause``). This module imports nothing of ours, so that every
layer may raise from it.
"""

from __future__ import annotations

from typing import ClassVar


class AutofocusError(Exception):
    """The root of every error that autofocus raises on purpose."""

    exit_code: ClassVar[int] = 1
    outcome: ClassVar[str] = "failed"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason

    default_reason: ClassVar[str] = "internal"


class SettingsError(AutofocusError):
    """The settings or the arguments are wrong; every fault found is in ``faults``, one line each."""

    exit_code = 2
    default_reason = "settings"

    def __init__(self, message: str, *, faults: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults or (message,)


class DeviceError(AutofocusError):
    """A device failed; ``device`` and ``operation`` name which and at what.

    ``server`` is the address of a server that did not answer, empty where one did; ``mend`` is what to do about it,
    the last words of the message.
    """

    exit_code = 3
    default_reason = "device"

    def __init__(
        self,
        message: str,
        *,
        device: str = "",
        operation: str = "",
        number: int | None = None,
        server: str = "",
        mend: str = "",
    ) -> None:
        super().__init__(message)
        self.device = device
        self.operation = operation
        self.number = number
        self.server = server
        self.mend = mend


class DeviceUnreachable(DeviceError):
    """Nobody answers at the address, or the connection was lost."""


class DeviceTimeout(DeviceError):
    """The device did not finish within the deadline of the operation."""


class DeviceRefused(DeviceError):
    """The device answered with an error; ``number`` is ASCOM's error number where there was one."""


class PositionNotReached(DeviceError):
    """The focuser stopped short of, or far from, the position it was sent to."""


class FocuserBusy(DeviceError):
    """Another run on this machine holds the focuser."""

    default_reason = "busy"


class NoFocusFound(AutofocusError):
    """The devices work but no focus could be found; ``reason`` is one of CONTRACT's words."""

    exit_code = 4
    outcome = "no_focus"
    default_reason = "poor_fit"


class GuidingError(AutofocusError):
    """The guider was lost or did not settle, and the settings say to stop then."""

    exit_code = 5
    default_reason = "guiding"


class FrameError(AutofocusError):
    """A file or an image that cannot be read as a frame."""

    exit_code = 6
    default_reason = "frame"


class JournalError(AutofocusError):
    """A session cannot be written (disk full, folder unwritable) or read."""

    exit_code = 7
    default_reason = "storage"


class Aborted(AutofocusError):
    """The user ended the run."""

    exit_code = 130
    outcome = "aborted"
    default_reason = "interrupted"
