"""``devices``: who answers on the network."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from autofocus.cli.command import AsJson, say
from autofocus.views.lines import printable


def devices(
    *,
    wait_s: Annotated[float, typer.Option("--wait", min=0.1, max=60.0, help="Seconds to wait for answers.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Discover Alpaca servers, and list their cameras and focusers as scope.yaml takes them."""
    from autofocus.devices.clock import RealClock
    from autofocus.devices.discovery import find_devices

    found = find_devices(RealClock(), wait_s)
    if as_json:
        typer.echo(json.dumps([asdict(device) for device in found]))
        return
    for device in found:
        words = f'{{address: "{device.address}", device_number: {device.number}}}'
        typer.echo(printable(f"{device.kind + ':':<9}{words}  # {device.name}"))
    if not found:
        say("no Alpaca server answered; a fixed address in scope.yaml needs no discovery (docs/hardware.md)")
