"""The report: one file that says the verdict first, loads nothing, and lets nothing from outside become markup."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from autofocus.errors import JournalError
from autofocus.session.series import analyze
from autofocus.views.account import account_of, read_account
from autofocus.views.figures import focus_figure
from autofocus.views.report import plotly_javascript, report_html, save, write_report
from tests.views.conftest import CURVES, SERIES, fwhm_at, nsig_at


class Page(HTMLParser):
    """What a browser would find: tags with attributes, and the visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._inside = [], [], []
        self.scripts = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        inside = self._inside[-1] if self._inside else ""
        (self.scripts if inside == "script" else self.texts).append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def page(session):
    return Page(write_report(session).read_text(encoding="utf-8"))


def test_the_verdict_comes_first_and_the_price_after_it(session):
    text = write_report(session).read_text(encoding="utf-8")
    body = text[text.index("<body>") :]
    assert body.index("Best focus 9373 ± 2.6 (snr).") < body.index("<p")
    # at 9373: FWHM 5.0 px against 4.0 (0.9"/px), NSIG 496.8 against 500
    assert fwhm_at(9373.0) == pytest.approx(5.0)
    assert nsig_at(9373.0) == pytest.approx(496.8)
    assert "Best 9373.0 ± 2.6: 1 % of the light and 0.9&quot; given up against the two extremes." in body


def test_nothing_is_loaded_and_only_our_two_scripts_run(page):
    for _tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            assert attributes.get(name, "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    run = [script for script in page.scripts if not script.lstrip().startswith("{")]
    assert [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in run] == allowed
    assert "unsafe-inline" not in policy.partition("script-src")[2]


def test_what_comes_from_outside_stays_text(session):
    text = write_report(session).read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    # the camera's name, the warning (above and in the story), the verdict of frame 3, the address in the settings
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 5
    assert len(Page(text).all("script")) == 3


def test_the_figure_in_the_page_is_the_figure_of_the_session(page):
    data = next(script for script in page.scripts if script.lstrip().startswith("{"))
    assert json.loads(data) == focus_figure(SERIES, CURVES)


def test_the_strips_are_stacked_by_position_and_show_what_was_measured(page):
    rows = re.findall(r"^(9\d\d\d)$", "\n".join(page.texts), re.MULTILINE)
    assert rows[-6:] == ["9300", "9330", "9360", "9373", "9390", "9420"]
    pictures = [attrs["src"].partition(",")[2] for attrs in page.all("img")]
    assert len(pictures) == 7  # six strips, and the frame nearest to best focus
    strips = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))).astype(float) for one in pictures[:6]]
    width = {rows[-6:][n]: (strip.mean(axis=1) > strip.mean(axis=1).max() / 2).sum() for n, strip in enumerate(strips)}
    assert width["9330"] < width["9390"] < width["9420"]  # FWHM 4.5, 6.4 and 9.5 px
    # one stretch for all: the sky is equally grey in every strip
    sky = [np.median(strip[0]) for strip in strips]
    assert max(sky) - min(sky) < 12


def test_the_bar_adds_up_to_the_run(page):
    widths = [float(re.search(r"width:([\d.]+)%", one["style"])[1]) for one in page.all("span") if "style" in one]
    assert widths == [60.0, 15.0, 7.5, 17.5]  # 48, 12 and 6 of 80 s, and the rest
    assert "80.0 s in all" in " ".join(page.texts)


def test_the_gap_between_the_optima_is_explained(page):
    said = " ".join(page.texts)
    assert "FWHM and NSIG disagree by 33 steps" in said
    assert "collimator" in said
    assert "colours" in said
    assert "1 frame was taken while guiding was unsettled or lost" in said
    assert "twice as wide as its neighbours" in said


def test_a_killed_session_has_a_report_that_says_so(killed):
    said = " ".join(Page(write_report(killed).read_text(encoding="utf-8")).texts)
    assert "The session was killed" in said
    assert "9420" in said


def test_no_session_no_report(tmp_path):
    (tmp_path / "events.jsonl").write_text("")
    with pytest.raises(JournalError, match="holds no session"):
        read_account(tmp_path)
    with pytest.raises(JournalError, match="cannot be read"):
        read_account(tmp_path / "nowhere")
    with pytest.raises(JournalError, match="cannot be written"):
        save(b"", tmp_path / "nowhere" / "report.html")


def test_an_analysed_series_has_a_report_without_pictures():
    result = analyze(SERIES)
    made = {"outcome": result.outcome, "reason": None, "message": result.message, "warnings": []}
    text = report_html(account_of("series.csv", result, made))
    page = Page(text)
    assert page.all("img") == []
    assert "trace" not in [said.strip() for said in page.texts]
    assert result.message in " ".join(page.texts)


def test_plotly_comes_from_the_installed_package():
    script = plotly_javascript()
    assert "Plotly" in script[:5_000_000]
    assert len(script) > 1_000_000
