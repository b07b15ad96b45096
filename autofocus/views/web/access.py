"""Who may see the page and command the telescope: names we answer to, the token beyond loopback, and our own origin.

A site that a browser happens to visit can send requests to this machine, even under a name of its own that points
here; so the Host must be one of ours, and what changes anything must come from our own page.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = ("GET", "HEAD")
COOKIE_DAYS = 30
# Plotly brings styles of its own; scripts come from here alone, and never from within the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Access:
    """What the page asks of a request; without a ``token`` only loopback reaches it."""

    host: str
    port: int
    token: str | None = None

    @property
    def cookie(self) -> str:
        """The cookie's name; browsers do not tell ports apart, so it does."""
        return f"autofocus-{self.port}"

    @property
    def url(self) -> str:
        """What a person opens."""
        host = shown_host(self.host)
        named = f"[{host}]" if ":" in host else host
        return f"http://{named}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def knows(self, host: str | None) -> bool:
        """Whether the Host of a request is a name of ours; the port may be a tunnel's."""
        with contextlib.suppress(ValueError):
            name = (urlsplit(f"//{host or ''}").hostname or "").rstrip(".").lower()
            if name in ("localhost", self.host.lower()):
                return True
            if self.token is None:
                return is_loopback(name)
            return _is_address(name) or name in own_names()
        return False

    def admits(self, given: str | None) -> bool:
        """Whether this is the token."""
        return self.token is None or (given is not None and secrets.compare_digest(given.encode(), self.token.encode()))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host.lower() == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def own_names() -> frozenset[str]:
    """The names under which others on the network know this machine."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return frozenset({name, short, f"{short}.local", f"{short}.lan", f"{short}.fritz.box"} - {""})


def shown_host(host: str) -> str:
    """The address to open: of a wildcard, the one by which others reach this machine."""
    if host not in ("0.0.0.0", "::", ""):  # noqa: S104  compared with, not bound to
        return host
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect(("192.0.2.1", 9))  # a datagram socket: nothing is sent
        return str(asked.getsockname()[0])
    return socket.gethostname()


def kept_token(path: Path) -> str:
    """The token of this user, made once: an open page finds its way back after a restart."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        kept = path.read_text(encoding="ascii").strip()
        if len(kept) >= 32:
            return kept
    made = secrets.token_urlsafe(32)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(made + "\n")
    return made


class Doorkeeper:
    """Refuses what `Access` does not admit, before anything else sees it; adds the headers that protect the page."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in HEADERS.items()),
                ]
            await send(message)

        answer = self._answer(scope)
        await (answer or self._app)(scope, receive, guarded)

    def _answer(self, scope: Scope) -> Response | None:
        """What is said instead of the page, or None."""
        if scope["type"] != "http":
            return PlainTextResponse("only HTTP is spoken here", 400)
        headers = Headers(scope=scope)
        if not self._access.knows(headers.get("host")):
            return PlainTextResponse("this is not a name of this machine", 400)
        if scope["method"] not in READING and not _from_our_page(headers):
            return PlainTextResponse("commands come from the page itself", 403)
        if self._access.token is None:
            return None
        offered = parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[0]
        if offered is not None and scope["path"] == "/" and self._access.admits(offered):
            return self._welcomed()
        if self._access.admits(self._carried(headers) or ""):
            return None
        return PlainTextResponse("open the page by the address that autofocus printed: it carries the token", 403)

    def _welcomed(self) -> Response:
        """The token moves from the address, which is shown and remembered, into a cookie."""
        answer = RedirectResponse("/", 303)
        token = self._access.token or ""
        age_s = COOKIE_DAYS * 86400
        answer.set_cookie(self._access.cookie, token, max_age=age_s, httponly=True, samesite="lax")
        return answer

    def _carried(self, headers: Headers) -> str | None:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return bearer.strip()
        with contextlib.suppress(CookieError):
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._access.cookie)
            return None if cookie is None else cookie.value
        return None


def _from_our_page(headers: Headers) -> bool:
    """Whether a command was sent by our own page; no other origin may send this type without being asked about."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
