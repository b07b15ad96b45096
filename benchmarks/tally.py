"""What a set of nights came to: one line of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FALSE_SIGMAS = 5.0


@dataclass(frozen=True, slots=True)
class Night:
    """How one search ended: where the tube stands against the truth, and what it cost."""

    focused: bool
    error_steps: float
    stated_steps: float
    exposures: int
    minutes: float
    light_lost: float = float("nan")
    reason: str = ""
    bound_steps: float = float("nan")

    @property
    def false(self) -> bool:
        """A focus further from the truth than five times its stated error."""
        return self.focused and abs(self.error_steps) > FALSE_SIGMAS * self.stated_steps


@dataclass(frozen=True, slots=True)
class Tally:
    """Errors in steps over the nights that were focused.

    ``pull`` is the root of the mean square of error / stated error, ``to_bound`` of error / the bound of its frames.
    """

    nights: int
    failures: int
    false: int
    rms: float
    p95: float
    pull: float
    exposures: float
    minutes: float
    light_lost: float
    to_bound: float


def tally(nights: Sequence[Night]) -> Tally:
    """Sum up; errors are NaN where no night was focused."""
    good = [night for night in nights if night.focused]
    errors = np.array([night.error_steps for night in good])
    stated = np.array([night.stated_steps for night in good])
    bounds = np.array([night.bound_steps for night in good])
    some = bool(good)
    return Tally(
        nights=len(nights),
        failures=len(nights) - len(good),
        false=sum(night.false for night in good),
        rms=float(np.sqrt(np.mean(errors**2))) if some else float("nan"),
        p95=float(np.percentile(np.abs(errors), 95)) if some else float("nan"),
        pull=float(np.sqrt(np.mean((errors / stated) ** 2))) if some else float("nan"),
        exposures=float(np.mean([night.exposures for night in nights])),
        minutes=float(np.mean([night.minutes for night in nights])),
        light_lost=float(np.mean([night.light_lost for night in good])) if some else float("nan"),
        to_bound=float(np.sqrt(np.mean(errors**2) / np.mean(bounds**2))) if some else float("nan"),
    )
