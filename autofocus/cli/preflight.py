"""``check``: is everything ready for the night?"""

from __future__ import annotations

from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated

import typer

from autofocus.cli.command import AsJson, Config, Sets, print_json, run_settings
from autofocus.cli.stopping import stopping
from autofocus.errors import SettingsError

if TYPE_CHECKING:
    from autofocus.preflight import Finding

SIGNS = {"pass": "ok  ", "warn": "warn", "fail": "FAIL"}


def check(
    *,
    config: Config = None,
    overrides: Sets = None,
    expose: Annotated[bool, typer.Option("--expose", help="Also take and measure one frame.")] = False,
    as_json: AsJson = False,
) -> int:
    """Look everything over without moving the focuser: settings, devices, limits, guider, disk."""
    from autofocus.devices.clock import RealClock
    from autofocus.preflight import Finding, Preflight

    try:
        settings = run_settings(config, overrides)
    except SettingsError as error:
        mend = "correct the line named; 'autofocus init' writes a file in which every key is explained"
        return _show(
            [Finding("settings", "fail", fault, mend, error.exit_code) for fault in error.faults], as_json=as_json
        )
    clock = RealClock()
    begun = [Finding("settings", "pass", f"{config or 'scope.yaml'} is valid")]
    with stopping(clock.stop):
        findings = Preflight(settings, clock, expose, begun).perform()
    return _show(findings, as_json=as_json)


def _show(findings: list[Finding], *, as_json: bool) -> int:
    """The table, or one object; the exit code of the first failure."""
    code = next((finding.exit_code for finding in findings if finding.verdict == "fail"), 0)
    if as_json:
        checks = [{key: value for key, value in asdict(finding).items() if key != "exit_code"} for finding in findings]
        print_json({"ok": not code, "checks": checks})
        return code
    from autofocus.views.lines import printable

    width = max(len(finding.name) for finding in findings)
    for finding, following in zip_longest(findings, findings[1:]):
        typer.echo(printable(f"{SIGNS[finding.verdict]}  {finding.name:<{width}}  {finding.detail}"))
        # a mend that serves several faults in a row is said once, beneath the last
        if finding.mend and not (following and following.mend == finding.mend):
            typer.echo(printable(f"      {'':<{width}}  mend: {finding.mend}"))
    return code
