"""What the page costs a run: whole runs on the bench without it, and with it and three viewers.

``python -m benchmarks.web_cost`` runs each twice in turn at real exposures divided by ``--speed`` and compares the time
each run itself says it took. Beyond 3 % it fails (exit code 1). On a real night exposures are that many times longer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path

VIEWERS = 3
ALLOWED = 0.03
CONFIG = Path(__file__).parent.parent / "config" / "simulator.yaml"


def view(url: str) -> None:
    """Listen to the page's news to its end, as a browser does."""
    with urllib.request.urlopen(f"{url}events", timeout=60) as news:  # noqa: S310  our own page on loopback
        while news.readline():
            pass


def seconds_per_exposure(speed: float, *, web: bool) -> float:
    """One run: how long it took, for each exposure."""
    with tempfile.TemporaryDirectory() as folder:
        sets = {"simulator.speed": speed, "session.directory": folder, "web.port": 0}
        words = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
        command = [sys.executable, "-m", "autofocus", "run", "--json", "--config", str(CONFIG), *words]
        process = subprocess.Popen(
            [*command, *(["--web"] if web else [])], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if process.stdout is None or process.stderr is None:
            raise AssertionError("both streams are piped")
        for line in process.stderr:
            if line.startswith("page: "):
                url = line.removeprefix("page: ").strip()
                for _ in range(VIEWERS):
                    threading.Thread(target=view, args=(url,), daemon=True).start()
        result = json.loads(process.stdout.read())
        process.wait()
    return float(result["timing"]["total_s"]) / int(result["exposures"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both and the difference."""
    parser = argparse.ArgumentParser(description="the cost of the page")
    parser.add_argument("--speed", type=float, default=5.0, help="exposures take 1/SPEED of their ten seconds")
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args(arguments)
    without, with_page = [], []
    for _ in range(asked.rounds):
        without.append(seconds_per_exposure(asked.speed, web=False))
        with_page.append(seconds_per_exposure(asked.speed, web=True))
    plain, paged = statistics.median(without), statistics.median(with_page)
    more = paged / plain - 1.0
    print(
        f"without the page {plain:.3f} s per exposure, with it and {VIEWERS} viewers {paged:.3f} s: {100 * more:+.1f} %"
    )
    return 1 if more > ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
