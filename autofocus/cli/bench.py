"""``simulate``: the bench over Alpaca, for whoever has no telescope at hand."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from autofocus.cli.command import AsJson, print_json, print_line
from autofocus.cli.stopping import stopping
from autofocus.errors import Aborted

FOREVER_S = 3600.0


def simulate(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0: any free one.")] = 0,
    instrument: Annotated[str, typer.Option(help="starex, uvex, alpy600, lhires or longslit.")] = "starex",
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
    as_json: AsJson = False,
) -> int:
    """Serve the simulated bench over Alpaca until Ctrl-C: camera 0 and focuser 0 of one telescope, under one sky."""
    from autofocus import wiring
    from autofocus.devices.clock import RealClock

    clock = RealClock()
    server = wiring.bench_server(
        instrument, seed, speed=speed, assignments=assignments or (), port=port, faults=faults or ()
    )
    with stopping(clock.stop), server, ExitStack() as beside:
        guided = None if phd2_port is None else beside.enter_context(wiring.guide_server(server, phd2_port)).address
        if as_json:
            said = {"address": server.address, "instrument": instrument, "seed": seed, "speed": speed}
            print_json(said | {"truth_address": server.truth_address, "faults": faults or [], "phd2_address": guided})
        else:
            print_line(server.address)
            if guided is not None:
                print_line(guided)
            also = "" if guided is None else ", PHD2's protocol at the second address"
            typer.echo(f"{instrument}, seed {seed}: camera 0 and focuser 0{also}; Ctrl-C ends it", err=True)
        try:
            while True:
                clock.sleep(FOREVER_S)
        except Aborted:
            return 0
