"""INDIGO's U-curve, with one frame a sample in place of its stack of three, which is kinder to its count."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.looking import Looks, Points

SAMPLES = 10
WITHIN = 1.2


def u_curve(looks: Looks, spacing: float) -> float | None:
    """Find the direction, go to the far side, slide a window of ten samples until the best is in its first half."""
    points: Points = []
    here = looks.width(looks.start, points)
    there = looks.width(looks.start + spacing, points)
    if here is None or there is None:
        return None
    toward = 1.0 if there < here else -1.0
    position = looks.start - toward * (SAMPLES // 2 + 1) * spacing
    window: Points = []
    for _ in range(10 * SAMPLES):
        looks.width(position, window)
        window = window[-SAMPLES:]
        if len(window) == SAMPLES and int(np.argmin([y for _, y in window])) <= SAMPLES // 2:
            break
        position += toward * spacing
    else:
        return None
    return _vertex(looks, window)


def _vertex(looks: Looks, window: Points) -> float | None:
    x, y = np.array(sorted(window)).T
    middle, scale = float(x.mean()), float(np.ptp(x)) / 2.0
    fine = np.linspace(-1.0, 1.0, 2001)
    answer = middle + scale * float(fine[np.argmin(np.polyval(np.polyfit((x - middle) / scale, y, 4), fine))])
    if not x[1] <= answer <= x[-2]:
        return None
    last = looks.measure(answer)
    return answer if last is not None and last.fwhm_px <= WITHIN * float(y.min()) else None
