"""The report in a browser, from disk: it draws, loads nothing, obeys nobody, and fits a phone and a wide screen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autofocus.views.report import write_report

pytestmark = pytest.mark.system


@pytest.fixture
def opened(browser, session):
    """The report in a page, with all that it asked for and complained of."""
    path = write_report(session)
    page = browser.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append("a dialog"), dialog.dismiss()))
    page.goto(path.as_uri())
    page.wait_for_selector("#curves .main-svg")
    yield page, asked, said
    page.close()


def test_the_curves_are_drawn_and_nothing_is_loaded_or_complained_of(opened):
    page, asked, said = opened
    assert said == []
    outside = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []
    assert len([url for url in asked if url.startswith("file:")]) == 1
    # six frames on both panels, and the star of each curve
    assert page.locator("#curves .points path.point").count() == 14
    assert page.locator("#curves .annotation").text_content() == "best 9373.0 ± 2.6 (snr)"
    assert page.locator("h1").inner_text().startswith("Best focus 9373 ± 2.6")
    assert all(page.evaluate("[...document.images].map(image => image.naturalWidth > 0)"))
    page.evaluate("Plotly.Fx.hover('curves', [{curveNumber: 2, pointNumber: 0}])")
    assert "FWHM" in page.locator("#curves .hoverlayer").text_content()
    assert said == []
    # a script that slipped past every escape would not run
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    script = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
    page.evaluate(script)
    page.wait_for_timeout(100)
    assert page.evaluate("window.ran") is None


def test_nothing_stands_out_of_a_phone_or_a_wide_screen(opened, tmp_path):
    page, _, _ = opened
    folder = Path(os.environ.get("AUTOFOCUS_ARTEFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for width in (360, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=folder / f"report-{width}.png", full_page=True)
        assert (folder / f"report-{width}.png").stat().st_size > 20_000
