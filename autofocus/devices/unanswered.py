"""A request without an Alpaca answer: what is wrong and what to do about it, each fault in its own words."""

from __future__ import annotations

from collections.abc import Callable

from autofocus.devices.channel import Address, Late, NobodyThere, NoRoute, NoSuchHost, NotSent, Refused, TooLarge
from autofocus.devices.replies import HTTP_OK, UNAUTHORIZED, MalformedReply, plain
from autofocus.errors import DeviceError, DeviceRefused, DeviceTimeout, DeviceUnreachable

# What is wrong and its mend, told the kind of device and the address.
_NETWORK: dict[type[NotSent], Callable[[str, Address], tuple[str, str]]] = {
    Refused: lambda kind, address: (
        f"the machine is there, but no program listens on port {address.port} (connection refused)",
        f"start its Alpaca server, or correct the port in {kind}.address",
    ),
    NoSuchHost: lambda kind, address: (
        f"no machine is known by the name {plain(address.host)}",
        f"correct {kind}.address, or give the IP address in its place",
    ),
    NoRoute: lambda _, address: (
        f"no network leads to {plain(address.host)}",
        "see that both machines are in the same network (cable, Wi-Fi, VPN) and switched on",
    ),
    NobodyThere: lambda kind, address: (
        f"{plain(address.host)} does not answer at all",
        f"see that the machine is switched on, that {kind}.address is right, and that no firewall blocks the port",
    ),
}


def unanswered(
    error: OSError | MalformedReply, kind: str, number: int, address: Address, operation: str
) -> DeviceError:
    """Our error for a fault of the network or of the server."""
    device = f"{kind} {number} at {address}"
    if isinstance(error, MalformedReply):
        what, mend = _malformed(error, kind, number, address, operation)
        words = f"The {device} {what}; {mend}."
        return DeviceUnreachable(words, device=device, operation=operation, mend=mend)
    if isinstance(error, TooLarge):
        mend = "restart its server"
        words = f"The {device} answered {operation} with {error}; {mend}."
        return DeviceRefused(words, device=device, operation=operation, mend=mend)
    cause, mend = plain(error), "see whether the server still runs and the network is up"
    if isinstance(error, NotSent):
        explain = _NETWORK.get(type(error))
        cause, mend = (cause, f"see that {kind}.address is right") if explain is None else explain(kind, address)
    elif isinstance(error, Late):
        mend = "see whether the server or the network is overloaded or the driver hangs"
    made = DeviceTimeout if isinstance(error, Late) else DeviceUnreachable
    words = f"The {device} did not answer {operation}: {cause}; {mend}."
    return made(words, device=device, operation=operation, server=str(address), mend=mend)


def _malformed(error: MalformedReply, kind: str, number: int, address: Address, operation: str) -> tuple[str, str]:
    if error.is_web_page:
        code = "" if error.status == HTTP_OK else f", HTTP {error.status}"
        what = f"cannot be asked for {operation}: no Alpaca server answers there (a web page does{code})"
        return what, f"correct host and port in {kind}.address"
    mend = f"see that {address} is an Alpaca server with a {kind} {number}"
    if error.status in UNAUTHORIZED:
        mend = f"give {kind}.address as user:password@host:port"
    return f"answered {operation} with {plain(error)}", mend
