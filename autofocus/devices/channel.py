"""One HTTP session to one Alpaca server, with a deadline over the whole of every exchange."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3

from autofocus.errors import SettingsError

DEFAULT_PORT = 11111
_CHUNK = 1 << 20
# Windows has numbers of its own for these beside those of POSIX.
_UNREACHABLE = {
    getattr(errno, name)
    for name in ("EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EHOSTDOWN", "WSAEHOSTUNREACH", "WSAENETUNREACH")
    if hasattr(errno, name)
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. The password stays out of ``repr``, URLs and every text."""

    scheme: str
    host: str
    port: int
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``[http://][user:password@]host[:port]``; raise `SettingsError` when it is none."""
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            host, port = parts.hostname or "", parts.port or DEFAULT_PORT
        except ValueError:
            host, port = "", 0
        if not host or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query:
            raise SettingsError("The address of an Alpaca server has the form host:port, for example 127.0.0.1:11111.")
        credentials = None
        if parts.username is not None:
            credentials = (unquote(parts.username), unquote(parts.password or ""))
        # The IPv6 answer for "localhost" costs two seconds on Windows when the server listens on IPv4 alone.
        return cls(parts.scheme, "127.0.0.1" if host == "localhost" else host, port, credentials)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self}"


class NotSent(OSError):
    """No connection came about: the server cannot have seen the request."""


class Refused(NotSent):
    """The machine is there and nothing listens on the port."""


class NoSuchHost(NotSent):
    """No machine of that name is known."""


class NoRoute(NotSent):
    """No network leads to the machine."""


class NobodyThere(NotSent):
    """The machine does not answer at all: it is off, or a firewall is silent."""


class Lost(OSError):
    """The connection broke after the request may have been sent."""


class Late(OSError):
    """No complete answer within the deadline; the request may have been carried out."""


class TooLarge(OSError):
    """The answer is larger than anything that was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole."""

    status: int
    content_type: str
    body: bytearray


class Channel:
    """One requests session behind a lock: requests' sessions are not for two threads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._session = requests.Session()
        # A proxy between us and a box on the local network only ever loses requests.
        self._session.trust_env = False
        self._session.auth = address.credentials

    def exchange(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any],
        *,
        within_s: float,
        limit: int = 1 << 22,
        stall_s: float | None = None,
        accept: str = "application/json",
        keep_going: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Send one request and read the whole answer within ``within_s``.

        ``stall_s`` bounds the pauses once the answer has begun to come; ``keep_going`` is called between
        pieces and may raise. Raises `NotSent`, `Lost`, `Late` or `TooLarge`.
        """
        end = time.monotonic() + within_s
        if not self._lock.acquire(timeout=within_s):
            raise Late(f"no turn within {within_s:g} s")
        try:
            with self._send(method, path, fields, max(end - time.monotonic(), 0.01), accept) as response:
                body = self._read(response, end, limit, stall_s or within_s, keep_going)
                return Answer(response.status_code, response.headers.get("Content-Type", ""), body)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _translated(error, within_s) from error
        except OSError as error:
            raise error if isinstance(error, Late | TooLarge) else Lost(_short(error)) from error
        finally:
            self._lock.release()

    def _send(
        self, method: str, path: str, fields: Mapping[str, Any], timeout: float, accept: str
    ) -> requests.Response:
        return self._session.request(
            method,
            self.address.url + path,
            params=dict(fields) if method == "GET" else None,
            data=dict(fields) if method != "GET" else None,
            headers={"Accept": accept, "Accept-Encoding": "identity"},
            timeout=timeout,
            stream=True,
            allow_redirects=False,
        )

    def _read(
        self, response: requests.Response, end: float, limit: int, stall_s: float, keep_going: Callable[[], None]
    ) -> bytearray:
        body = bytearray()
        while True:
            keep_going()
            left = end - time.monotonic()
            if left <= 0:
                raise Late(f"{len(body)} bytes came, then the time was over")
            _set_timeout(response, min(left, stall_s) if body else left)
            piece = response.raw.read1(_CHUNK, decode_content=True)
            if not piece:
                return body
            body += piece
            if len(body) > limit:
                raise TooLarge(f"more than {limit} bytes")

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()


def _set_timeout(response: requests.Response, seconds: float) -> None:
    """Shorten the socket's wait to what is left: requests' own timeout begins anew with every read."""
    connection = response.raw.connection
    sock = getattr(connection, "sock", None)
    if sock is not None:
        sock.settimeout(seconds)


def _translated(error: Exception, within_s: float) -> OSError:
    if isinstance(error, requests.ConnectTimeout):
        return NobodyThere(f"no connection within {within_s:.3g} s")
    if isinstance(error, requests.Timeout | urllib3.exceptions.ReadTimeoutError):
        return Late(f"no answer within {within_s:.3g} s")
    unconnected = _found(error, urllib3.exceptions.NewConnectionError)
    if unconnected is not None:
        return _why_unconnected(unconnected)
    return Lost("the connection broke: " + _short(error))


def _why_unconnected(error: BaseException) -> NotSent:
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return NoSuchHost("no machine of that name is known")
    cause = error.__cause__
    if isinstance(cause, ConnectionRefusedError):
        return Refused("connection refused")
    if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
        return NoRoute("no network leads there")
    return NotSent(f"no connection: {_short(cause or error)}")


def _found(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The error of this kind among an error's reasons and causes."""
    while error is not None:
        reason = getattr(error, "reason", None)
        for one in (error, reason):
            if isinstance(one, kind):
                return one
        inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
        error = inner or error.__cause__
    return None


def _short(error: BaseException) -> str:
    inner = error
    while inner.args and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    return f"{type(inner).__name__}"
