"""The page in a browser: a run watched live, stopped and started from it, red, on a phone, under hostile names."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.system import bench

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
ROOT = Path(__file__).parent.parent.parent
SHOTS = Path(os.environ.get("AUTOFOCUS_ARTEFACTS", ROOT / "artefacts"))
SMALL = ("sensor_px=1200x800", "cooling_c_per_h=0")
LONGEST_MS = 40_000
HOSTILE = "<img src=x onerror=window.ran=1>"

pytestmark = [
    pytest.mark.system,
    # where the whole suite is asked for, a missing browser is a fault and not a reason to look away
    pytest.mark.skipif(
        not Path(CHROMIUM).exists() and not os.environ.get("CI"), reason="Debian's chromium is not installed"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@contextlib.contextmanager
def paged(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command with its page, and where that is."""
    process = subprocess.Popen(
        [*bench.AUTOFOCUS, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env=bench.environment(home), cwd=home,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    reading = threading.Thread(target=process.stderr.read, daemon=True)
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("page: "):
                break
        else:
            raise AssertionError("".join(said))
        reading.start()
        yield process, line.removeprefix("page: ").strip()
    finally:
        process.terminate()
        process.wait(timeout=30)
        if reading.ident is not None:
            reading.join()
        for stream in (process.stdout, process.stderr):
            stream.close()


@dataclass
class Watched:
    """What was seen of one run."""

    result: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    overflow: dict[int, float] = field(default_factory=dict)
    numeral_px: float = 0.0
    night: bytes = b""
    remembered: bool = False
    sounded: str = ""


def listen(page: Any, watched: Watched) -> None:
    page.on("request", lambda request: watched.asked.append(request.url))
    page.on("console", lambda message: watched.complaints.append(message.text))
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))


SEEN = """() => ({
  points: document.querySelectorAll('#curves .point').length,
  trace: document.querySelector('#frame-lines .trace')?.points.length ?? 0,
  windows: document.querySelectorAll('#frame-lines .window').length,
  profile: document.querySelector('#profile .profile')?.points.length ?? 0,
  fit: document.querySelector('#profile .fit')?.points.length ?? 0,
  picture: document.getElementById('frame-image').naturalWidth,
  doing: document.getElementById('doing').textContent,
  position: document.getElementById('position').textContent,
  tail: document.querySelectorAll('#tail li').length,
})"""


@pytest.fixture(scope="module")
def watched(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    home = tmp_path_factory.mktemp("watched")
    seen = Watched()
    page = browser.new_context(viewport={"width": 1920, "height": 1080}).new_page()
    page.set_default_timeout(LONGEST_MS)
    listen(page, seen)
    with bench.simulate(home, 1, SMALL, ["--speed", "12"]) as address:
        words = bench.write_config(home, address, ["web.port=0", "measure.plate_scale_arcsec_per_px=0.89"])
        with paged(home, "run", "--web", "--json", *words) as (process, url):
            page.goto(url)
            page.locator("#curves .point").nth(7).wait_for(state="attached")
            seen.before = page.evaluate(SEEN)
            page.screenshot(path=SHOTS / "page-running.png")
            page.reload()
            page.locator("#curves .point").nth(7).wait_for(state="attached")
            seen.after = page.evaluate(SEEN)
            seen.numeral_px = page.evaluate("parseFloat(getComputedStyle(document.getElementById('nsig')).fontSize)")
            page.keyboard.press("n")
            seen.night = page.screenshot(path=SHOTS / "page-night.png")
            other = page.context.new_page()
            other.goto(url, wait_until="commit")
            other.locator("html.night").wait_for()
            seen.remembered = other.evaluate("localStorage.getItem('autofocus.night')") == "on"
            other.close()
            page.keyboard.press("n")
            page.locator("html[data-sounded]").wait_for()
            page.locator("html[data-outcome=focused]").wait_for()
            out, _ = process.communicate(timeout=60)
    seen.result = json.loads(out)
    seen.sounded = page.evaluate("document.documentElement.dataset.sounded")
    seen.texts = {
        name: page.locator(f"#{name}").inner_text() for name in ("position", "fwhm", "nsig", "phase", "doing")
    }
    page.screenshot(path=SHOTS / "page.png")
    for width in (360, 768, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(300)
        seen.overflow[width] = page.evaluate("document.documentElement.scrollWidth")
        page.screenshot(path=SHOTS / f"page-{width}.png", full_page=True)
    page.close()
    return seen


def test_the_page_ends_with_the_numbers_of_the_result(watched: Watched) -> None:
    result = watched.result
    last = result["confirmed"]
    assert result["outcome"] == "focused"
    assert watched.texts == {
        "position": str(result["position"]),
        "fwhm": f"{last['fwhm_px']:.2f}",
        "nsig": f"{last['nsig']:.1f}",
        "phase": "focused",
        "doing": result["message"],
    }
    assert watched.sounded == "focused"


def test_a_reload_in_mid_run_shows_all_that_was_there(watched: Watched) -> None:
    for seen in (watched.before, watched.after):
        assert (seen["windows"], seen["trace"]) == (2, 64)
        assert seen["profile"] > 100  # steps: three corners a pixel
        assert seen["fit"] > 40
        assert seen["picture"] == 600  # 1200 pixels, two by two
        assert seen["doing"]
        assert seen["position"].isdigit()
    assert watched.after["points"] >= watched.before["points"] >= 8
    assert watched.after["tail"] >= watched.before["tail"] > 3


def test_numbers_can_be_read_at_three_metres(watched: Watched) -> None:
    assert watched.numeral_px >= 0.06 * 1920


def test_night_has_neither_green_nor_blue_and_is_remembered(watched: Watched) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(watched.night)).convert("RGB"))
    assert pixels[..., 1:].max() == 0
    assert pixels[..., 0].max() > 150
    assert watched.remembered


def test_nothing_stands_out_of_a_phone_or_a_wide_screen(watched: Watched) -> None:
    assert all(wide <= width for width, wide in watched.overflow.items()), watched.overflow


def test_no_request_leaves_the_machine_and_nothing_is_complained_of(watched: Watched) -> None:
    elsewhere = [url for url in watched.asked if not url.startswith(("http://127.0.0.1:", "data:"))]
    assert elsewhere == []
    # once the program has ended, looking for it again is refused
    assert [said for said in watched.complaints if "ERR_CONNECTION_REFUSED" not in said] == []


def test_runs_are_started_and_stopped_from_the_page(browser: Any, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(LONGEST_MS)
    with bench.simulate(tmp_path, 2, SMALL, ["--speed", "15"]) as address:
        before = bench.truth(address)["position"]
        words = ["serve", *bench.write_config(tmp_path, address, ["web.port=0"])]
        with paged(tmp_path, *words) as (process, url):
            page.goto(url)
            page.locator("#start").wait_for()
            page.screenshot(path=SHOTS / "page-ready.png")
            assert page.locator("#doing").inner_text().startswith("Ready")
            page.get_by_label("most light").check()
            page.locator("#start-button").click()
            page.locator("#curves .point").nth(3).wait_for(state="attached")
            assert post(url, "start", {"objective": "snr"}) == 409  # one run at a time
            page.locator("#stop-button").click()
            page.locator("html[data-outcome=aborted]").wait_for()
            assert page.locator("#position").inner_text() == str(before)
            assert bench.truth(address)["position"] == before
            page.locator("#start").wait_for()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
            page.get_by_text("the program has ended").wait_for()
        # the same address again: the page comes back by itself, with the session that is on the disk
        port = url.rstrip("/").rpartition(":")[2]
        with paged(tmp_path, *words, "--set", f"web.port={port}"):
            page.locator("#link.good").wait_for()
            assert page.locator("#phase").inner_text() == "stopped"
            assert page.locator("#curves .point").count() >= 4
    (folder,) = (tmp_path / "sessions").iterdir()
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert (result["outcome"], result["objective"], result["position"]) == ("aborted", "nsig", before)
    page.close()


def post(url: str, name: str, what: dict[str, Any]) -> int:
    """The status of a command sent past the page."""
    request = urllib.request.Request(
        f"{url}commands/{name}", json.dumps(what).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def test_hostile_names_of_stars_and_files_stay_text(browser: Any, tmp_path: Path) -> None:
    seen = Watched()
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(LONGEST_MS)
    listen(page, seen)
    folder = tmp_path / "frames"
    folder.mkdir()
    named = HOSTILE if os.name != "nt" else "img"
    with paged(tmp_path, "watch", str(folder), "--web", "--set", "web.port=0", "--polling") as (_, url):
        page.goto(url)
        page.get_by_text("Waiting for the first frame").first.wait_for()
        write_frame(folder / f"{named}-9400.fits", "HD 1", 9400)
        page.locator("#picture img[src^=data]").wait_for()
        write_frame(folder / f"{named}-9380.fits", HOSTILE, 9380)
        page.locator("#tail").get_by_text("another star").first.wait_for()
        assert HOSTILE in page.locator("#tail").inner_text()
        assert named in page.locator("#frame-title").inner_text()
        page.locator("#curves .point").first.hover(force=True)
        page.wait_for_timeout(200)
        assert page.locator("#tail img, #frame-title img, #curves img").count() == 0
        assert page.evaluate("window.ran") is None
        page.screenshot(path=SHOTS / "page-watch.png")
    assert not [said for said in seen.complaints if "ERR_CONNECTION_REFUSED" not in said]
    page.close()


def write_frame(path: Path, star: str, position: int) -> None:
    """A frame with a trace, written beside and renamed."""
    from astropy.io import fits

    rng = np.random.default_rng(position)
    rows = np.arange(300)[:, None]
    light = 4000.0 * np.exp(-((rows - 150.0) ** 2) / 18.0)
    header = fits.Header([("EXPTIME", 5.0), ("OBJECT", star), ("FOCUSPOS", position)])
    beside = path.with_name("beside.tmp")
    fits.PrimaryHDU((500.0 + light + 5.0 * rng.standard_normal((300, 900))).astype("u2"), header).writeto(beside)
    beside.rename(path)
