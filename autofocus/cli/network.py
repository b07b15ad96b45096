"""``devices``: who answers on the network, and a scope.yaml made of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autofocus.cli.command import AsJson, print_line, say
from autofocus.errors import DeviceUnreachable
from autofocus.scopetemplate import Choice, write
from autofocus.views.lines import printable

if TYPE_CHECKING:
    from autofocus.devices.discovery import FoundDevice

KINDS = ("camera", "focuser")
DiscoveryPort = Annotated[
    int,
    typer.Option("--discovery-port", min=1, max=65535, help="UDP port of discovery, where it was changed."),
]


def devices(
    *,
    wait_s: Annotated[float, typer.Option("--wait", min=0.1, max=60.0, help="Seconds to wait for answers.")] = 1.0,
    target: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="SCOPE.yaml",
            help="Write a commented settings file with the camera and focuser found; never over an existing one.",
        ),
    ] = None,
    discovery_port: DiscoveryPort = 32227,
    as_json: AsJson = False,
) -> None:
    """Discover Alpaca servers, and list their cameras and focusers as scope.yaml takes them."""
    from autofocus.devices.clock import RealClock
    from autofocus.devices.discovery import find_devices

    found = find_devices(RealClock(), wait_s, discovery_port)
    if as_json:
        print_line(json.dumps([asdict(device) for device in found.devices]))
    else:
        for device in found.devices:
            print_line(printable(f"{device.kind + ':':<9}{_section(device)}  # {_called(device)}"))
    for server in found.silent:
        say(printable(f"{server} answers discovery but does not say what it serves; ask for its devices there"))
    if not found.devices and not found.silent:
        say("no Alpaca server answered; a fixed address in scope.yaml needs no discovery (docs/hardware.md)")
    if target is not None:
        settings, _ = write(target, _chosen(found.devices, target))
        say(f"{settings} is written; now: autofocus check --config {settings}")


def _section(device: FoundDevice) -> str:
    """A device as a section of scope.yaml takes it."""
    return f'{{address: "{device.address}", device_number: {device.number}}}'


def _chosen(found: Sequence[FoundDevice], target: Path) -> dict[str, Choice]:
    """The devices that go into the file: the first of each kind, of a server that has both if there is one."""
    missing = [kind for kind in KINDS if not any(device.kind == kind for device in found)]
    if missing:
        raise DeviceUnreachable(
            f"no {' and no '.join(missing)} answered, so {target} is not written; connect the driver in its Alpaca"
            " server and try again, or write the file with 'autofocus init' and give the address by hand"
        )
    serving = {kind: {device.address for device in found if device.kind == kind} for kind in KINDS}
    both = serving["camera"] & serving["focuser"]
    chosen = {}
    for kind in KINDS:
        first, *others = sorted(
            (device for device in found if device.kind == kind), key=lambda device: device.address not in both
        )
        notes = [f"Found: {_called(first)}", *(f"Also found: {_called(other)}: {_section(other)}" for other in others)]
        chosen[kind] = Choice(first.address, first.number, tuple(map(printable, notes)))
    return chosen


def _called(device: FoundDevice) -> str:
    return f"{device.name or 'without a name'}{f', UniqueID {device.unique_id}' if device.unique_id else ''}"
