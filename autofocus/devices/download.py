"""Fetching one image: within a deadline, of the size that was asked for, and once more when it came damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autofocus.devices.alpaca import Door
from autofocus.devices.imagebytes import MAX_PIXELS, decode, decode_json
from autofocus.devices.values import truth
from autofocus.errors import DeviceError, DeviceRefused, FrameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autofocus.devices.channel import Answer

# The most a pixel can take: in JSON, three planes of "-2147483648, " in brackets.
_BYTES_PER_PIXEL = 48
_ENVELOPE_BYTES = 1 << 16


class Download:
    """Fetches the image that a camera holds."""

    def __init__(self, door: Door, within_s: float) -> None:
        self._door = door
        self._within_s = within_s

    def fetch(self, width: int, height: int) -> tuple[NDArray[Any], tuple[str, ...]]:
        """The image as (rows, columns) = (height, width), and what is to be known of it.

        A fetch that fails in the network or comes damaged is tried again while the deadline lasts. Raises
        `FrameError` for an image that stays damaged, a branch of `DeviceError` for anything else.
        """
        if width * height > MAX_PIXELS:
            raise self._unusable(f"claims images of {width} x {height} pixels")
        clock = self._door.clock
        end = clock.monotonic() + self._within_s
        for left in range(self._door.deadlines.repeats, -1, -1):
            try:
                answer = self._door.image(max(end - clock.monotonic(), 0.1), self._limit(width, height))
                return self._checked(self._decoded(answer), width, height)
            except FrameError as error:
                if left == 0 or clock.monotonic() >= end:
                    raise self._unusable(f"sent a damaged image: {error.message.rstrip('.')}") from error
            except DeviceRefused:
                raise
            except DeviceError:
                if left == 0 or clock.monotonic() >= end:
                    raise
                self._door.read("ImageReady", truth)  # finds a lost server again, or says that it is gone
            clock.sleep(self._door.deadlines.pause_s)
        raise AssertionError("the loop above always returns or raises")

    def _limit(self, width: int, height: int) -> int:
        return _ENVELOPE_BYTES + width * height * _BYTES_PER_PIXEL

    def _decoded(self, answer: Answer) -> NDArray[Any]:
        # Some servers leave the Content-Type out or add a charset, so the body itself decides: JSON begins with "{".
        if not 200 <= answer.status < 300 or bytes(answer.body[:64]).lstrip()[:1] in (b"{", b"<", b""):
            return decode_json(answer.body, self._door.device, answer.status)
        return decode(answer.body, self._door.device)

    def _checked(self, image: NDArray[Any], width: int, height: int) -> tuple[NDArray[Any], tuple[str, ...]]:
        rows, columns = image.shape
        if (rows, columns) == (height, width):
            return image, ()
        if (rows, columns) == (width, height):
            return np.ascontiguousarray(image.T), ("the server sent the image with rows and columns exchanged",)
        raise FrameError(f"{columns} x {rows} pixels came where {width} x {height} were asked for.")

    def _unusable(self, what: str) -> FrameError:
        mend = "restart its server, and see that no other program changes its subframe or binning"
        return FrameError(f"The {self._door.device} {what}; {mend}.")
