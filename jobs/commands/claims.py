"""Claims: spend that nobody is known to own, and who takes it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs.commands.base import DAY, config_option, end, mlspend, open_night_of, state_dir_at, tell

if TYPE_CHECKING:
    from datetime import datetime


@mlspend.group(invoke_without_command=True)
@config_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def claim(context: click.Context, config_path: Path, *, as_json: bool) -> None:
    """Take spend that nobody owns; alone: list the claims, with their trail."""
    if context.invoked_subcommand is not None:
        return
    from jobs.claiming import print_claims  # noqa: PLC0415

    print_claims(state_dir_at(config_path), sys.stdout, as_json=as_json)


@claim.command()
@config_option
@click.option("--team", help="Who takes it.")
@click.option("--user", help="Who takes it.")
@click.option("--project", help="What takes it.")
@click.option("--resource-id", metavar="GLOB", help="Which resources.")
@click.option("--sub-account-id", metavar="GLOB", help="Of which accounts.")
@click.option("--service-name", metavar="GLOB", help="Of which services.")
@click.option("--source", metavar="GLOB", help="Of which configured bills.")
@click.option("--tag", metavar="KEY=GLOB", help="With which tag.")
@click.option("--from", "first", type=DAY, help="First day of use; by default always.")
@click.option("--until", "last", type=DAY, help="Day on which it ends; by default never.")
@click.option("--why", required=True, help="Why, for whoever reads it later.")
@click.option("--dry-run", is_flag=True, help="Enter nothing; show who would move.")
def add(
    config_path: Path,
    *,
    first: datetime | None,
    last: datetime | None,
    why: str,
    dry_run: bool,
    **given: str | None,
) -> None:
    """Claim lines of the bill, where nothing else says whose they are.

    All that is given must match. Tags, labels, rules and the map of accounts stand above a claim.
    """
    from jobs.claiming import enter_claim, made_of, unheard_of  # noqa: PLC0415

    wanted = made_of(given, first.date() if first else None, last.date() if last else None)
    for line in unheard_of(state_dir_at(config_path), wanted):
        tell(line)
    if not dry_run:
        number = enter_claim(state_dir_at(config_path), wanted, why)
        click.echo(f"claim {number} counts from the next build on")
        return
    from jobs.comparing import NEWEST, print_comparison, with_claim  # noqa: PLC0415

    with open_night_of(config_path, "compare") as night:
        print_comparison(night, NEWEST, sys.stdout, change=with_claim(wanted))
    end(night)


@claim.command()
@config_option
@click.argument("number", type=int)
@click.option("--why", required=True, help="Why, for whoever reads it later.")
def withdraw(config_path: Path, number: int, why: str) -> None:
    """End a claim as if it had never been; it stays on record."""
    from jobs.claiming import withdraw_claim  # noqa: PLC0415

    withdraw_claim(state_dir_at(config_path), number, why)
    click.echo(f"claim {number} no longer counts, from the next build on")
