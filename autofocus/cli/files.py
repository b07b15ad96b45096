"""``init``: the settings file to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autofocus.scopetemplate import write


def init(
    path: Annotated[Path, typer.Argument(help="Where to write it; an existing file is never overwritten.")] = Path(
        "scope.yaml"
    ),
) -> None:
    """Write a commented scope.yaml, every key with its default, and the schema that editors complete from."""
    settings, schema = write(path)
    typer.echo(f"{settings}: give the addresses of your camera and focuser, then: autofocus check --config {settings}")
    typer.echo(f"{schema}: lets an editor complete and check the keys")
