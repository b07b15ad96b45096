"""A frame equal in every pixel to the one before: an old frame sent again, or a simulator without noise."""

from __future__ import annotations

_VARIED = 1.02  # an exposure that much longer gives another frame, if the camera exposes at all
_CLEARED = 2  # so often must that have been so before equal frames are believed: with noise one success proves nothing


class Repeats:
    """Refuses frames that repeat the last one, until the camera has shown that it draws what it is asked for.

    After a repeated frame the next exposure is a little longer. Equal again, it was an old frame; different, the
    camera may simply draw the same picture whenever asked for the same exposure, as simulators do.
    """

    def __init__(self) -> None:
        self._last = b""
        self._suspected = False
        self._varied = False
        self._cleared = 0

    def exposure_s(self, asked_s: float, longest_s: float | None) -> float:
        """How long to expose where ``asked_s`` was asked for."""
        self._varied = self._suspected
        if not self._varied:
            return asked_s
        longer = asked_s * _VARIED
        return longer if longest_s is None or longer <= longest_s else asked_s / _VARIED

    def admit(self, fingerprint: bytes | None) -> bool:
        """Whether a frame with this fingerprint is a new one; one without (a single value fills it) is."""
        if fingerprint is None:
            return True
        if fingerprint == self._last and self._cleared < _CLEARED:
            self._suspected = True
            return False
        if fingerprint != self._last and self._varied:
            self._cleared += 1
        self._suspected = self._varied = False
        self._last = fingerprint
        return True
