"""Whether a curve says more than noise would."""

from __future__ import annotations

from autofocus.model import CurveFit


def chance_of_noise(curve: CurveFit) -> float:
    """How often values that do not depend on position would fit a curve so well.

    The F-test of three parameters against one: the chance of F with 2 and n - 3 degrees of freedom is
    (1 - R²)^((n - 3) / 2). 1 where R² or the degrees of freedom say nothing.
    """
    if curve.r_squared is None or curve.points <= 3:
        return 1.0
    return float(min(1.0, max(0.0, 1.0 - curve.r_squared) ** ((curve.points - 3) / 2)))
