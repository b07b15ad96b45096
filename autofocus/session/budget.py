"""The hard limits of a run: exposures and time, kept by sending the search fewer measurements than it asked for."""

from __future__ import annotations

from autofocus.errors import NoFocusFound
from autofocus.model import Measurement, Sample
from autofocus.session.ledger import Ledger
from autofocus.session.stream import Stream
from autofocus.settings import SearchSettings

PATIENCE = 3  # empty answers in a row before a search that does not end by itself is ended


class Budget:
    """Says whether one more sample fits; ``ended`` names the limit that was met, as a reason of CONTRACT."""

    def __init__(self, settings: SearchSettings, stream: Stream, ledger: Ledger) -> None:
        self._settings = settings
        self._stream = stream
        self._ledger = ledger
        self._beside_s: list[float] = []
        self._empty = 0
        self.ended: str | None = None

    def may_take(self, sample: Sample) -> bool:
        """May this exposure begin? It must also end, at the cost of the ones before it, inside the time."""
        if self._ledger.exposures >= self._settings.max_exposures:
            self.ended = "exposure_limit"
        elif self._stream.elapsed_s + (sample.exposure_s or 0.0) + self._usual_s() > self._settings.time_limit_s:
            self.ended = "time_limit"
        else:
            return True
        return False

    def spend(self, measurements: tuple[Measurement, ...]) -> None:
        """Learn what samples cost; raise `NoFocusFound` if a search keeps asking after its budget ended."""
        self._beside_s += [max(taken.cost_s - (taken.exposure_s or 0.0), 0.0) for taken in measurements]
        self._empty = 0 if measurements else self._empty + 1
        if self._empty >= PATIENCE and self.ended is not None:
            limit = "time" if self.ended == "time_limit" else "exposures"
            raise NoFocusFound(f"The {limit} allowed ended before a focus was found.", reason=self.ended)

    def _usual_s(self) -> float:
        """What a sample takes beside its exposure, in the mean so far."""
        return sum(self._beside_s) / len(self._beside_s) if self._beside_s else 0.0
