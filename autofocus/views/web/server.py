"""The page's server: starlette under uvicorn in a thread of its own, its news as server-sent events."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from functools import cache, partial
from importlib.resources import files
from typing import Any, Self

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from autofocus.views.web.access import Access, Doorkeeper
from autofocus.views.web.board import Board, View
from autofocus.views.web.commands import Commands

LOOK_S = 0.1  # how often a viewer's stream looks for news
BEAT_S = 5.0  # without news the state is told again, so that a page knows that we live and what time it is
RETRY_MS = 1000
FAREWELL_S = 1.5  # how long viewers may take to hear the end
LONGEST_BODY = 4096
MOST_VIEWERS = 64
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
STATIC = (
    "index.html",
    "page.css",
    "page.js",
    "night.js",
    "numbers.js",
    "curves.js",
    "frame.js",
    "sound.js",
    "icon.svg",
)


class PageServer:
    """Serves a board; a context manager. ``url`` is what a person opens."""

    def __init__(self, board: Board, commands: Commands, *, host: str, port: int, token: str | None = None) -> None:
        self._board, self._commands = board, commands
        self._closing = False
        self._viewers = 0
        self._socket = listening_socket(host, port)
        self._access = Access(host, int(self._socket.getsockname()[1]), token)
        self.url = self._access.url
        self.application = Starlette(
            routes=[
                Route("/", partial(_static, "index.html")),
                *(Route(f"/{name}", partial(_static, name)) for name in STATIC),
                Route("/plotly.js", partial(_static, "plotly.js")),
                Route("/events", self._events),
                Route("/frames/{name}", self._frame),
                Route("/commands/{name}", self._command, methods=["POST"]),
            ],
            middleware=[Middleware(Doorkeeper, access=self._access)],
        )
        config = uvicorn.Config(
            self.application, log_level="critical", lifespan="off", access_log=False, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)

    @property
    def port(self) -> int:
        """The port that answers."""
        return self._access.port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Tell the viewers what is last to tell, then end."""
        self._closing = True
        deadline = time.monotonic() + FAREWELL_S
        while self._viewers and time.monotonic() < deadline and self._thread.is_alive():
            time.sleep(LOOK_S / 4)
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    async def _events(self, _request: Request) -> Response:
        if self._viewers >= MOST_VIEWERS:
            return PlainTextResponse("too many viewers", 503)
        return StreamingResponse(
            self._news(),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def _news(self) -> AsyncIterator[str]:
        """All that is known at first, then what is new, then the end."""
        self._viewers += 1
        try:
            yield f"retry: {RETRY_MS}\n\n"
            shown: View | None = None
            told_s = 0.0
            while True:
                closing, view = self._closing, self._board.view
                if view is not shown or time.monotonic() - told_s > BEAT_S:
                    yield _message("state", self._board.state_object(view))
                    for kind, what in await anyio.to_thread.run_sync(self._drawn, shown, view):
                        yield _message(kind, what)
                    shown, told_s = view, time.monotonic()
                if closing and self._board.view is view:
                    yield _message("closing", {})
                    return
                await asyncio.sleep(LOOK_S)
        finally:
            self._viewers -= 1

    def _drawn(self, shown: View | None, view: View) -> list[tuple[str, Any]]:
        """The figure and the frame, where they changed."""
        before, now = None if shown is None else shown.state, view.state
        made: list[tuple[str, Any]] = []
        if before is None or before.points is not now.points or before.curves is not now.curves:
            made.append(("curves", self._board.curves_object(now)))
        new = before is None or before.latest_frame != now.latest_frame or before.session != now.session
        if new:
            made.append(("frame", now.latest_frame and self._board.frame_object(view, now.latest_frame)))
        return made

    async def _frame(self, request: Request) -> Response:
        make = partial(self._board.frame_object, self._board.view, request.path_params["name"])
        made = await anyio.to_thread.run_sync(make)
        if made is None:
            return PlainTextResponse("no such frame", 404)
        return JSONResponse(made, headers={"cache-control": "no-store"})

    async def _command(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BODY:
                return PlainTextResponse("the body is too long", 413)
        try:
            asked = json.loads(body or b"{}")
            if not isinstance(asked, dict):
                raise TypeError("a command's body is an object")
            done = self._commands.perform(request.path_params["name"], asked)
        except (ValueError, TypeError, RecursionError) as fault:
            return PlainTextResponse(f"not understood: {fault}", 400)
        return JSONResponse({"done": done}, 200 if done else 409)


def _message(kind: str, what: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps(what, allow_nan=False, separators=(',', ':'))}\n\n"


async def _static(name: str, request: Request) -> Response:
    content, tag = _file(name)
    kind = TYPES[name.rpartition(".")[2]]
    # asked anew each time, answered from the browser's own copy while it is the same
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)


@cache
def _file(name: str) -> tuple[bytes, str]:
    """A file of the page and its tag; plotly's script comes from the installed package, nothing from the internet."""
    place = files("plotly") / "package_data" / "plotly.min.js"
    if name != "plotly.js":
        place = files("autofocus.views.web") / "static" / name
    content = place.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:24]}"'


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; OSError where the port is taken or the address is not ours."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    if sys.platform != "win32":  # there it would let another program take the port over
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(64)
    except OSError:
        listening.close()
        raise
    return listening
