"""``simulate``: the bench over Alpaca, for whoever has no telescope at hand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Annotated, Any

import typer

from autofocus.cli.command import AsJson, print_json, print_line, say
from autofocus.cli.stopping import stopping
from autofocus.errors import Aborted

FOREVER_S = 3600.0
DISCOVERY_PORT = 32227  # Alpaca's own


def simulate(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0: any free one.")] = 0,
    instrument: Annotated[str, typer.Option(help="starex, uvex, alpy600, lhires, longslit or guidecam.")] = "starex",
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another night.")] = 1,
    speed: Annotated[
        float, typer.Option(min=1e-3, max=1e5, help="Exposures and moves take 1/SPEED of their time.")
    ] = 1.0,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Make the bench different: backlash_steps=40."),
    ] = None,
    phd2_port: Annotated[
        int | None,
        typer.Option("--phd2-port", min=0, max=65535, help="Also serve the bench's guider as PHD2 does; 0: any port."),
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME[:WHEN]", help="Misbehave: stuck, reset:/20, ... (docs/reliability.md)."),
    ] = None,
    discovery_port: Annotated[
        int,
        typer.Option("--discovery-port", min=0, max=65535, help="UDP port on which discovery is answered; 0: none."),
    ] = DISCOVERY_PORT,
    as_json: AsJson = False,
) -> int:
    """Serve the simulated bench over Alpaca until Ctrl-C: camera 0 and focuser 0 of one telescope, under one sky."""
    from autofocus import wiring
    from autofocus.devices.clock import RealClock

    clock = RealClock()
    server = wiring.bench_server(
        instrument,
        seed,
        speed=speed,
        assignments=assignments or (),
        port=port,
        faults=faults or (),
        discovery_port=discovery_port or None,
    )
    with stopping(clock.stop), server, ExitStack() as beside:
        guided = None if phd2_port is None else beside.enter_context(wiring.guide_server(server, phd2_port)).address
        found_at = discovery_port if server.discoverable else None
        told: dict[str, Any] = {"instrument": instrument, "seed": seed, "speed": speed, "faults": faults or []}
        told |= {"address": server.address, "truth_address": server.truth_address, "phd2_address": guided}
        if as_json:
            print_json({**told, "discovery_port": found_at})
        else:
            _tell(told, found_at)
        if discovery_port and not server.discoverable:
            say(f"discovery is not answered: another program holds UDP port {discovery_port} for itself")
        with suppress(Aborted):
            while True:
                clock.sleep(FOREVER_S)
    return 0


def _tell(told: Mapping[str, Any], found_at: int | None) -> None:
    """The addresses on stdout for programs; for a person what is served, and what to type in another terminal."""
    address, guided = told["address"], told["phd2_address"]
    print_line(address)
    if guided is not None:
        print_line(guided)
    also = "" if guided is None else ", PHD2's protocol at the second address"
    say(f"{told['instrument']}, seed {told['seed']}: camera 0 and focuser 0{also}; Ctrl-C ends it")
    say(f"focus it:  autofocus run --set camera.address={address} --set focuser.address={address}")
    if found_at == DISCOVERY_PORT:
        say("or first:  autofocus devices --write scope.yaml")
