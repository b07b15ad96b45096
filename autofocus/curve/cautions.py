"""What a user should know of a run besides its answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autofocus.curve.ensemble import Ensemble
from autofocus.curve.hyperbola import Array
from autofocus.curve.series import LIGHT, Series
from autofocus.model import BestFocus, Measurement

DIP = 0.03  # of the lower hump: a shallower dip may be noise, and matters to nobody
UNSTEADY = 0.1  # scatter of the transparency


def cautions(
    measurements: Sequence[Measurement], series: Series, ensemble: Ensemble, best: BestFocus, each_side: int
) -> tuple[str, ...]:
    """Sentences on frames without light, an open side, unsteady light, and light with two humps."""
    said = []
    lit = [index for index in series.index if measurements[index].mode == "spectrum"]
    unsettled = sum(1 for index in lit if not np.isnan(measurements[index].nsig)) - int(series.has[:, LIGHT].sum())
    if unsettled > 0:
        said.append(f"{unsettled} frame(s) give their width alone: guiding, clouds or the window spoiled their signal")
    if not best.bracketed:
        said.append(f"fewer than {each_side} positions lie beyond the best focus on one side: not bracketed")
    if not series.has[:, LIGHT].any():
        return tuple(said)
    scatter = float(ensemble.best.scatter[1])
    if scatter >= UNSTEADY:
        said.append(f"the light scatters by about {scatter:.0%} from frame to frame (clouds?): the error allows for it")
    if has_two_humps(ensemble.mean()[np.abs(ensemble.x) <= 1.0, LIGHT]):
        said.append("the light has two humps: the star stands beside the middle of the slit; centre it and repeat")
    return tuple(said)


def has_two_humps(light: Array) -> bool:
    """Whether a curve (nodes,) falls by more than `DIP` and rises again by as much."""
    ascent, descent = np.maximum.accumulate(light), np.maximum.accumulate(light[::-1])[::-1]
    return bool(np.any(light < (1.0 - DIP) * np.minimum(ascent, descent)))
