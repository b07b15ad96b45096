"""The page's server without a browser: who is admitted, what is told, and that nothing of it holds up a run."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autofocus.model import BestFocus, FocusCurves, Measurement
from autofocus.session import events
from autofocus.session.state import SessionState
from autofocus.views.web.access import Access, kept_token
from autofocus.views.web.board import Board
from autofocus.views.web.commands import Commands
from autofocus.views.web.recorded import last_session
from autofocus.views.web.server import PageServer

TOKEN = "t" * 40


@pytest.fixture
def board() -> Board:
    return Board(SessionState(phase="ready", doing="Ready"))


@pytest.fixture
def commands(board: Board) -> Commands:
    return Commands(board)


@pytest.fixture
def page(board: Board, commands: Commands) -> Iterator[PageServer]:
    with PageServer(board, commands, host="127.0.0.1", port=0) as server:
        yield server


@pytest.fixture
def guarded(board: Board, commands: Commands) -> Iterator[PageServer]:
    with PageServer(board, commands, host="127.0.0.1", port=0, token=TOKEN) as server:
        yield server


def ask(
    page: PageServer, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Host": f"127.0.0.1:{page.port}", **named})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def command(page: PageServer, name: str, body: Any = None, **headers: str) -> int:
    given = {"Content_Type": "application/json", **headers}
    return ask(page, f"/commands/{name}", "POST", json.dumps({} if body is None else body), **given)[0]


def told(page: PageServer, until: str = "closing") -> list[tuple[str, Any]]:
    """The news of the page up to the first of this kind."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.request("GET", "/events")
    answer, heard, kind = connection.getresponse(), [], ""
    while line := answer.readline().decode():
        if line.startswith("event: "):
            kind = line[7:].strip()
        elif line.startswith("data: "):
            heard.append((kind, json.loads(line[6:])))
            if kind == until:
                break
    connection.close()
    return heard


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8330", "LOCALHOST:9"])
def test_names_of_this_machine_are_answered(page: PageServer, host: str) -> None:
    assert ask(page, "/", Host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "192.0.2.7", "localhost.evil", "[::1"])
def test_other_names_are_refused(page: PageServer, host: str) -> None:
    assert ask(page, "/", Host=host)[0] == 400


def test_without_the_token_nothing_is_shown_beyond_loopback(guarded: PageServer) -> None:
    for path in ("/", "/events", "/page.js", "/frames/x", "/?token=wrong", "/events?token=" + TOKEN):
        status, _, content = ask(guarded, path)
        assert status == 403, path
        assert TOKEN.encode() not in content
    assert command(guarded, "stop") == 403
    assert ask(guarded, "/", Cookie=f"autofocus-{guarded.port}=wrong")[0] == 403
    assert ask(guarded, "/", Host="evil.example", Authorization=f"Bearer {TOKEN}")[0] == 400


def test_the_token_of_the_printed_address_becomes_a_cookie(guarded: PageServer) -> None:
    assert guarded.url.endswith(f"/?token={TOKEN}")
    status, headers, _ = ask(guarded, f"/?token={TOKEN}")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert ask(guarded, "/", Cookie=cookie.partition(";")[0])[0] == 200
    assert ask(guarded, "/", Authorization=f"Bearer {TOKEN}")[0] == 200


def test_with_a_token_addresses_are_names_but_strange_domains_are_not() -> None:
    access = Access("0.0.0.0", 8330, TOKEN)
    assert access.knows("192.168.1.20:8330")
    assert not access.knows("rebound.example:8330")
    assert not Access("127.0.0.1", 8330).knows("192.168.1.20:8330")


def test_a_token_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "page-token"
    token = kept_token(path)
    assert len(token) >= 40
    assert kept_token(path) == token
    if os.name != "nt":
        assert path.stat().st_mode & 0o077 == 0


def test_commands_come_from_our_own_page(page: PageServer, commands: Commands) -> None:
    done: list[Any] = []
    commands.offer({"stop": done.append}, lasting=True)
    assert command(page, "stop", Origin="http://evil.example") == 403
    assert command(page, "stop", Origin="null") == 403
    assert command(page, "stop", Content_Type="text/plain") == 403
    assert ask(page, "/commands/stop")[0] == 405
    assert done == []
    assert command(page, "stop", {"a": 1}, Origin=f"http://127.0.0.1:{page.port}") == 200
    assert done == [{"a": 1}]


def test_a_command_is_performed_once_and_nonsense_not_at_all(page: PageServer, commands: Commands) -> None:
    def start(asked: Any) -> None:
        if asked.get("objective") != "snr":
            raise ValueError("objective")

    commands.offer({"start": start})
    assert command(page, "start", {"objective": "rm -rf"}) == 400
    assert command(page, "start", ["snr"]) == 400
    assert ask(page, "/commands/start", "POST", "[" * 9000, Content_Type="application/json")[0] == 413
    assert command(page, "stop") == 409
    assert command(page, "start", {"objective": "snr"}) == 200
    assert command(page, "start", {"objective": "snr"}) == 409


def test_no_script_from_within_the_page_and_no_other_machine(page: PageServer) -> None:
    status, headers, content = ask(page, "/")
    policy = headers["content-security-policy"]
    assert status == 200
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    text = content.decode()
    assert "http" not in text
    assert " on" not in text.replace(" one", "").replace(" only", "")
    assert text.count("<script") == text.count("<script src=") == 3


def test_files_are_asked_for_once(page: PageServer) -> None:
    status, headers, content = ask(page, "/plotly.js")
    assert status == 200
    assert len(content) > 1_000_000
    assert ask(page, "/plotly.js", If_None_Match=headers["etag"])[0] == 304
    for path in ("/../board.py", "/%2e%2e/board.py", "/static/page.js", "/frames/..%2f..%2fevents.jsonl"):
        assert ask(page, path)[0] == 404


def test_viewers_hear_all_at_first_and_the_end(page: PageServer, board: Board) -> None:
    measurement = Measurement(file="0001-9400.fits", position=9400.0, fwhm_px=5.0, nsig=float("nan"), phase="sweep")
    board(events.SampleMeasured(elapsed_s=3.0, number=1, target=9400, name="0001-9400", measurement=measurement))
    heard = dict(told(page, until="frame"))
    assert heard["state"]["fwhm_px"] == 5.0
    assert heard["state"]["nsig"] is None
    assert heard["frame"] is None  # nobody holds its picture
    assert heard["curves"]["names"] == {"1": "0001-9400"}

    page._closing = True
    assert [kind for kind, _ in told(page)][-1] == "closing"


def test_the_server_ends_at_once_though_somebody_listens(board: Board, commands: Commands) -> None:
    with PageServer(board, commands, host="127.0.0.1", port=0) as page:
        connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
        connection.request("GET", "/events")
        answer = connection.getresponse()
        answer.readline()
        board(events.SessionEnded(outcome="focused", reason=None, message="done", position=9400))
        began = time.monotonic()
    assert time.monotonic() - began < 3.0
    news = answer.read().decode()
    connection.close()
    assert '"outcome":"focused"' in news
    assert news.rstrip().endswith("event: closing\ndata: {}")


def test_hearing_an_event_costs_a_run_nothing_to_speak_of(board: Board) -> None:
    series = [Measurement(file=f"{n}.fits", position=9000.0 + n, fwhm_px=5.0, nsig=100.0) for n in range(200)]
    began = time.perf_counter()
    for number, one in enumerate(series):
        board(events.SampleMeasured(number=number, target=9000, name=one.file, measurement=one))
        board(events.CurveFitted(curves=FocusCurves()))
    assert (time.perf_counter() - began) / 400 < 2e-3  # some 20 µs on an idle machine


def test_the_last_session_is_found_on_disk(session: Path, killed: Path) -> None:
    found = last_session(session.parent)
    assert found is not None
    state, pictures = found
    assert state.session == session.name
    shown = Board(state)
    shown.show(state, pictures)
    frame = shown.frame_object(shown.view, state.latest_frame or "")
    assert frame is not None
    assert frame["image"].startswith("data:image/jpeg;base64,")
    assert len(frame["window"]) == 2
    assert shown.frame_object(shown.view, "../events") is None
    told_all = json.dumps(shown.state_object(shown.view), allow_nan=False)
    assert "\u202e" not in json.loads(told_all)["camera"]
    assert last_session(session / "nothing") is None


def test_best_focus_is_told_with_what_decided_it(board: Board) -> None:
    best = BestFocus("fwhm", 5209.0, 2.2, 5202.0, 5215.0)
    board.show(SessionState(objective="snr", curves=FocusCurves(best=best)))
    assert board.state_object(board.view)["objective"] == "fwhm"
    board.show(SessionState(objective="snr"))
    assert board.state_object(board.view)["objective"] == "snr"


def test_guiding_is_told(board: Board) -> None:
    board(events.SessionStarted(settings={"guider": {"kind": "phd2"}}, start_position=9400))
    board(events.Settled(position=9400, waited_s=3.21, shift_px=1.5))
    guider = board.state_object(board.view)["guider"]
    assert guider == {"kind": "phd2", "said": "settled after 3.2 s, the move shifted the star by 1.5 px", "good": True}
    board(events.Settled(position=9410, settled=False, why="star lost"))
    assert board.state_object(board.view)["guider"]["said"] == "did not settle: star lost"
