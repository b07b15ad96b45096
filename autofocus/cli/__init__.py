"""The commands: parse, call, exit code."""

from autofocus.cli.app import main

__all__ = ["main"]
