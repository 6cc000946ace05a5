"""Findings: what costs money and seems to be of no use, and who does not want to hear of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs.commands.base import DAY, config_option, mlspend, state_dir_at

if TYPE_CHECKING:
    from datetime import datetime

STATES = ("open", "muted", "resolved", "verified", "all")


@mlspend.group(invoke_without_command=True)
@config_option
@click.option("--team", help="Those of one team.")
@click.option("--detector", help="Those of one detector.")
@click.option("--state", type=click.Choice(STATES), default="open", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, every digit kept.")
@click.pass_context
def findings(  # noqa: PLR0913  (click gives each option an argument)
    context: click.Context,
    config_path: Path,
    *,
    team: str | None,
    detector: str | None,
    state: str,
    as_json: bool,
) -> None:
    """List what costs money and seems to be of no use, dearest first."""
    if context.invoked_subcommand is not None:
        return
    from jobs.finding import print_findings  # noqa: PLC0415

    wanted = {"owner_team": team, "detector": detector, "state": None if state == "all" else state}
    print_findings(state_dir_at(config_path), wanted, sys.stdout, as_json=as_json)


@findings.command()
@config_option
@click.argument("finding", metavar="ID")
@click.option("--until", type=DAY, required=True, help="The day on which it is open again.")
@click.option("--why", required=True, help="Why, for whoever reads it later.")
def mute(config_path: Path, finding: str, until: datetime, why: str) -> None:
    """Leave a finding out of totals and mails until a day; ID may be its first letters."""
    from jobs.finding import mute_finding  # noqa: PLC0415

    finding_id = mute_finding(state_dir_at(config_path), finding, until.date(), why)
    click.echo(f"{finding_id} is muted until {until.date()}")


@findings.command()
@config_option
@click.argument("finding", metavar="ID")
def unmute(config_path: Path, finding: str) -> None:
    """Count a muted finding again."""
    from jobs.finding import unmute_finding  # noqa: PLC0415

    click.echo(f"{unmute_finding(state_dir_at(config_path), finding)} is open again")
