"""What an Alpaca server's reply means: its value, or the error of ours that says what went wrong."""

from __future__ import annotations

import json
from typing import Any

from autofocus.errors import DeviceRefused

NOT_IMPLEMENTED = 0x400
INVALID_VALUE = 0x401
NOT_CONNECTED = 0x407
INVALID_OPERATION = 0x40B

HTTP_OK = 200
UNAUTHORIZED = (401, 403)
_SERVER_ERRORS = 500
_TEXT_LIMIT = 200
# Drivers behind COM report their errors as HRESULTs: ASCOM's own block, E_NOTIMPL and .NET's NotSupported.
_ASCOM_HRESULT = 0x80040000
_HRESULTS_NOT_IMPLEMENTED = (0x80004001, 0x80131515)
# ActionNotImplemented, and a number some servers use for any member they lack.
_ALSO_NOT_IMPLEMENTED = (0x40C, 0x40D)

_MENDS = {
    NOT_IMPLEMENTED: "this driver does not offer it",
    INVALID_VALUE: "the value lies outside what the driver takes",
    0x402: "the driver wants a value set first; look into its set-up window",
    NOT_CONNECTED: "connect the device in its server, and see that no other program disconnects it",
    INVALID_OPERATION: "the device cannot do this now; see whether another program is using it",
    0x40E: "another program cancelled it",
}
_MEND_DRIVER = "look into the driver's own window or log, or power-cycle the device"


def plain(text: object) -> str:
    """Foreign text as one short line without control characters, fit for a terminal."""
    line = "".join(character if character.isprintable() else " " for character in str(text))
    line = " ".join(line.split())
    return line if len(line) <= _TEXT_LIMIT else line[: _TEXT_LIMIT - 1] + "…"


def ascom_number(number: int, text: str, status: int) -> int:
    """ASCOM's error number behind the many forms in which servers send it."""
    unsigned = number & 0xFFFFFFFF
    if unsigned & 0xFFFFF000 == _ASCOM_HRESULT:
        number = unsigned & 0xFFF
    lacking = (
        unsigned in _HRESULTS_NOT_IMPLEMENTED
        or number in _ALSO_NOT_IMPLEMENTED
        # INDI's server says "not implemented" with the number of InvalidValue and HTTP 400.
        or (number == INVALID_VALUE and status == 400)
        or "not implemented" in text.lower()
    )
    return NOT_IMPLEMENTED if lacking else number


def refusal(device: str, operation: str, number: int, text: str, status: int = 200) -> DeviceRefused:
    """The error for a reply that carries an ASCOM error."""
    number = ascom_number(number, text, status)
    said = plain(text) or f"error {number:#x}" if number else plain(text)
    mend = _MENDS.get(number, _MEND_DRIVER)
    return DeviceRefused(
        f"The {device} refused {operation}: {said} ({mend}).", device=device, operation=operation, number=number
    )


def is_not_implemented(error: BaseException) -> bool:
    """Whether the device said that it does not offer what was asked."""
    return isinstance(error, DeviceRefused) and error.number == NOT_IMPLEMENTED


def is_final(error: DeviceRefused) -> bool:
    """Whether asking again is pointless: ASCOM's reserved numbers are answers, driver errors may pass."""
    return error.number is not None and 0x400 <= error.number <= 0x4FF


class MalformedReply(ValueError):
    """The reply is not Alpaca: a web page, broken JSON, missing keys, an HTTP error."""

    def __init__(self, message: str, status: int, *, is_web_page: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_web_page = is_web_page


def read_reply(
    body: bytes | bytearray, status: int, device: str, operation: str, *, numbered: bool = True
) -> dict[str, Any]:
    """The reply's JSON object when it reports success; raise `DeviceRefused` or `MalformedReply` otherwise.

    Replies of the management API are not ``numbered``: they carry no ErrorNumber.
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        reply = None
    # Some servers wrap what they cannot do in an HTTP error with Alpaca's own body inside.
    if isinstance(reply, dict) and _error_number(reply) is not None:
        number, text = _error_number(reply) or 0, str(reply.get("ErrorMessage") or "")
        # A message with number 0 is an error too (Alpaca API reference, section 6.1).
        if number != 0 or text.strip():
            raise refusal(device, operation, number, text, status)
        if 200 <= status < 300:
            return reply
    if not numbered and isinstance(reply, dict) and "Value" in reply and 200 <= status < 300:
        return reply
    text = plain(body[:2000].decode("utf-8", "replace"))
    # A proxy before an Alpaca server may also answer with pages: that it wants a password, or that nobody is behind it.
    wanted = status < _SERVER_ERRORS and status not in UNAUTHORIZED
    page = wanted and text.lower().startswith(("<!doctype", "<html"))
    raise MalformedReply(_describe(text, status, reply), status, is_web_page=page)


def _error_number(reply: dict[str, Any]) -> int | None:
    number = reply.get("ErrorNumber")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _describe(text: str, status: int, reply: object) -> str:
    if not 200 <= status < 300:
        return f"HTTP {status}" + (f" ({text})" if text else "")
    if text.lower().startswith(("<!doctype", "<html")):
        return "a web page in place of an Alpaca reply"
    if isinstance(reply, dict):
        return "a reply without ErrorNumber"
    return f"no JSON but {text!r}" if text else "an empty reply"
