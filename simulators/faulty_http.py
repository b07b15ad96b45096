"""Answers that are late, lost, damaged or no Alpaca at all: a middleware before the bench's Alpaca server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.occasions import Occasions

FOR_EVER_S = 1e6
WEB_PAGE = b"<!DOCTYPE html><html><title>router</title><body>\x1b[31mPlease log in</body></html>"


@dataclass(frozen=True, slots=True)
class Request:
    """One request: by which connection it came, what it asks, the way to an answer, and the wait for its end."""

    client_port: int
    operation: str
    answer: Callable[[], Awaitable[Answer]]
    gone: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"


class Dropped(Exception):
    """The connection ends in place of the answer; ``after`` bytes of it."""

    def __init__(self, after: bytes = b"") -> None:
        super().__init__()
        self.after = after


Spoil = Callable[[Request], Awaitable[Answer]]


@dataclass(slots=True)
class HttpFault:
    """Spoils some requests of some operations (none named: of all)."""

    occasions: Occasions
    spoil: Spoil
    operations: frozenset[str] = frozenset()
    seen: int = field(default=0, init=False)

    def strikes(self, operation: str) -> bool:
        """Whether this request, counted among those that it may concern, is one to be spoilt."""
        if self.operations and operation not in self.operations:
            return False
        self.seen += 1
        return self.occasions.include(self.seen)


class FaultyHttp:
    """The middleware; what asks for the bench's truth always passes."""

    def __init__(self, app: ASGIApp, faults: list[HttpFault], drop: Callable[[int], None]) -> None:
        self._app = app
        self._faults = faults
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        operation = str(scope.get("path", "")).rpartition("/")[2]
        concerned = scope["type"] == "http" and not scope["path"].startswith("/simulator")
        striking = [fault for fault in self._faults if fault.strikes(operation)] if concerned else []
        if not striking:
            await self._app(scope, receive, send)
            return
        request = Request(
            scope["client"][1], operation, lambda: _answer(self._app, scope, receive), lambda: _gone(receive)
        )
        try:
            answer = await striking[0].spoil(request)
        except Dropped as how:
            if how.after:
                await _send(send, Answer(200, how.after, b"application/imagebytes"), claimed=2 * len(how.after))
                await asyncio.sleep(0.05)
            self._drop(request.client_port)
            await request.gone()
            return
        await _send(send, answer)


async def _answer(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """What the bench answers, whole."""
    parts: list[Message] = []

    async def keep(message: Message) -> None:
        parts.append(message)

    await app(scope, receive, keep)
    body = b"".join(part.get("body", b"") for part in parts[1:])
    headers = dict(parts[0].get("headers", ()))
    return Answer(parts[0]["status"], body, headers.get(b"content-type", b""))


async def _gone(receive: Receive) -> None:
    """Wait until the connection has ended."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, answer: Answer, claimed: int | None = None) -> None:
    length = len(answer.body) if claimed is None else claimed
    headers = [(b"content-type", answer.content_type), (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": claimed is not None})


def instead(answer: Answer) -> Spoil:
    """Answer this, and do not carry the request out."""

    async def spoil(_: Request) -> Answer:
        return answer

    return spoil


def late(seconds: float) -> Spoil:
    """Carry the request out at once and answer too late."""

    async def spoil(request: Request) -> Answer:
        answer = await request.answer()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(request.gone(), seconds)  # who asked may lose patience
        return answer

    return spoil


async def cut_off(_: Request) -> Answer:
    """Reset the connection; the request is not carried out."""
    raise Dropped


async def lose_answer(request: Request) -> Answer:
    """Carry the request out and reset the connection."""
    await request.answer()
    raise Dropped


async def cut_in_the_middle(request: Request) -> Answer:
    """Send half of the answer and reset the connection."""
    answer = await request.answer()
    raise Dropped(answer.body[: max(len(answer.body) // 2, 1)])


async def short_body(request: Request) -> Answer:
    """Leave out the last third of the answer, with a header that says so."""
    answer = await request.answer()
    return Answer(answer.status, answer.body[: 2 * len(answer.body) // 3], answer.content_type)


async def not_a_number(request: Request) -> Answer:
    """Answer NaN in place of the value."""
    answer = await request.answer()
    reply = json.loads(answer.body)
    return Answer(answer.status, json.dumps(reply | {"Value": float("nan")}).encode(), answer.content_type)


async def refuse_with_400(request: Request) -> Answer:
    """Say what is not implemented as INDI's server does: with HTTP 400 and the number of InvalidValue."""
    answer = await request.answer()
    if not answer.body.startswith(b"{"):
        return answer
    reply = json.loads(answer.body)
    if reply.get("ErrorNumber") != 0x400:
        return answer
    wrong = {"ErrorNumber": 0x401, "ErrorMessage": f"Method not implemented: {request.operation}"}
    return Answer(400, json.dumps(reply | wrong).encode(), answer.content_type)


async def foreign_text(request: Request) -> Answer:
    """Answer with an error whose text would clear a terminal and ring its bell."""
    answer = await request.answer()
    said = "\x1b[2J\x1b]0;owned\x07busy\r\nHTTP/1.1 200"
    if not answer.body.startswith(b"{"):
        return answer
    return Answer(200, json.dumps(json.loads(answer.body) | {"ErrorNumber": 0x500, "ErrorMessage": said}).encode())
