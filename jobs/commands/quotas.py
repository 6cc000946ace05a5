"""Quotas: who would be stopped, stopping them, letting them go, and the gate for schedulers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs.commands.base import config_option, mlspend, state_dir_at

if TYPE_CHECKING:
    from decimal import Decimal


@mlspend.command()
@config_option
@click.option("--plan", "what", flag_value="plan", help="Show the newest plan; the default.")
@click.option("--act", "what", flag_value="act", help="Do what it says.")
@click.option("--undo", "what", flag_value="undo", help="Let everybody go who is stopped.")
@click.option(
    "--only", multiple=True, metavar="LEVER/TARGET", help="Undo this one; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON: plan, reasons, outcomes.")
def enforce(config_path: Path, what: str | None, only: tuple[str, ...], *, as_json: bool) -> None:
    """Stop new work where a quota says so, as the newest plan has it.

    A plan is made each night. One that is old, or rests on data that are late or wrong, stops
    nobody. What runs is never touched. Whatever was interrupted is finished by doing it again, and
    nothing is done twice.

    Exit codes: 0 done; 1 a target was not changed or nobody knows, or the plan cannot be acted on;
    2 misuse; 75 another mlspend is at work.
    """
    if only and what != "undo":
        raise click.UsageError("--only goes with --undo")
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.quotas.enforcing import act, show_plan, undo  # noqa: PLC0415

    config = read_config(config_path)
    if what == "act":
        sys.exit(act(config, sys.stdout, as_json=as_json))
    if what == "undo":
        sys.exit(undo(config, only or None, sys.stdout, as_json=as_json))
    sys.exit(show_plan(config, sys.stdout, as_json=as_json))


def _amount(_: click.Context, parameter: click.Parameter, text: str) -> Decimal:
    """Read a number above 0."""
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415

    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 < value <= 1_000_000:  # noqa: PLR2004
        raise click.BadParameter("give a number above 0, at most 1,000,000", param=parameter)
    return value


@mlspend.command()
@config_option
@click.option("--team", help="Whose work it is.")
@click.option("--user", help="Who starts it, by user id; without --team, for the team they are in.")
@click.option("--project", help="What it is for.")
@click.option("--gpus", required=True, callback=_amount, help="How many it holds.")
@click.option("--hours", required=True, callback=_amount, help="For how long.")
@click.option("--gpu-class", help="A part of the GPU's name, such as A100.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON, every digit kept.")
def gate(  # noqa: PLR0913  (click gives each option an argument)
    config_path: Path,
    *,
    team: str | None,
    user: str | None,
    project: str | None,
    gpus: Decimal,
    hours: Decimal,
    gpu_class: str | None,
    as_json: bool,
) -> None:
    """Tell whether work may start under the quotas that stop work.

    What is let through is reserved until the bill can be expected to show it.

    Exit codes: 0 allowed, 3 denied, 4 nobody can know (enforcement.gate_on_unknown makes a 0 or
    a 3 of it), 2 misuse.
    """
    named = {"team": team, "user": user, "project": project}
    members = {dimension: member for dimension, member in named.items() if member}
    if not members:
        raise click.UsageError("say whose work it is: --team, --user or --project")
    from jobs.quotas.gate import Request, ask_gate  # noqa: PLC0415

    answer = ask_gate(state_dir_at(config_path), Request(members, gpus, hours, gpu_class))
    click.echo(answer.as_json() if as_json else answer.reason)
    sys.exit(answer.exit_code)
