"""No guider: nothing is waited for beyond the focuser's own settling."""

from __future__ import annotations

from autofocus.ports import GuidingState


class NoGuider:
    """Stands where nobody guides, or nobody tells; every frame counts as guided."""

    def open(self) -> None:
        """Nothing to connect."""

    def settle(self) -> GuidingState:
        """Settled at once."""
        return GuidingState()

    def exposure_started(self) -> None:
        """Nothing to watch."""

    def exposure_ended(self) -> GuidingState:
        """Never lost."""
        return GuidingState()

    def close(self) -> None:
        """Nothing to disconnect."""
