"""How long the display stretch and the report take: ``python benchmarks/pictures.py [SESSION]``.

CPU time, the least of several turns. The stretch includes the reduction to the page's size; the bound beside it is one
pass over the frame (`numpy.add.reduce`), below which nothing that looks at every pixel can come.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from autofocus.model import Frame
from autofocus.views.account import read_account
from autofocus.views.report import report_html
from autofocus.views.stretch import encode, stretch

CAMERAS = (
    ("IMX174, 1936 x 1216, 16 bit", (1216, 1936), "u2"),
    ("IMX533, 3008 x 3008, 16 bit", (3008, 3008), "u2"),
    ("IMX533, 32 bit float", (3008, 3008), "f4"),
    ("IMX455, 9576 x 6388, 16 bit", (6388, 9576), "u2"),
    ("8 bit, 3008 x 3008", (3008, 3008), "u1"),
)
TURNS = 7


def least_ms(act: Callable[[], object], turns: int = TURNS) -> float:
    spent = []
    for _ in range(turns):
        begun = time.process_time()
        act()
        spent.append(time.process_time() - begun)
    return 1e3 * min(spent)


def spectrum(shape: tuple[int, int], depth: str) -> Frame:
    some = np.random.default_rng(1).normal(120.0, 6.0, (64, shape[1])).astype(depth)
    raw = np.tile(some, (shape[0] // 64 + 1, 1))[: shape[0]]
    raw[shape[0] // 2 - 3 : shape[0] // 2 + 3] += np.asarray(100, dtype=depth)
    return Frame(raw=raw)


def main() -> None:
    print(f"{'frame':32s} {'stretch':>9s} {'one pass':>9s} {'PNG':>8s} {'JPEG':>8s}   picture")
    for name, shape, depth in CAMERAS:
        frame = spectrum(shape, depth)
        trace = [(float(x), shape[0] / 2) for x in np.linspace(0, shape[1] - 1, 64)]
        shown = stretch(frame, trace)
        times = [
            least_ms(lambda: stretch(frame, trace)),  # noqa: B023  called at once
            least_ms(lambda: np.add.reduce(frame.raw, axis=None)),  # noqa: B023
            least_ms(lambda: encode(shown.pixels), 3),  # noqa: B023
            least_ms(lambda: encode(shown.pixels, "jpeg"), 3),  # noqa: B023
        ]
        size = " x ".join(map(str, reversed(shown.pixels.shape)))
        print(f"{name:32s} {times[0]:6.1f} ms {times[1]:6.1f} ms {times[2]:5.0f} ms {times[3]:5.0f} ms   {size}")
    if len(sys.argv) > 1:
        account = read_account(Path(sys.argv[1]))
        text = report_html(account)
        print(
            f"report of {len(account.measurements)} frames: {least_ms(lambda: report_html(account), 3):.0f} ms,",
            end=" ",
        )
        print(f"{len(text.encode()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
