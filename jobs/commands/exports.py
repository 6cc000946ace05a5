"""Commands that write files for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs.commands.base import DAY, config_option, mlspend

if TYPE_CHECKING:
    from datetime import datetime


@mlspend.group()
def export() -> None:
    """Write attributed cost as a file for other tools."""


@export.command()
@config_option
@click.option(
    "--version",
    type=click.Choice(["1.4", "1.2"]),
    default="1.4",
    show_default=True,
    help="The version of FOCUS; 1.2 has the allocation columns as x_.",
)
@click.option("--from", "first", type=DAY, help="First day; by default the first there is.")
@click.option("--to", "last", type=DAY, help="Last day, inclusive; by default the newest.")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def focus(
    config_path: Path, version: str, first: datetime | None, last: datetime | None, out: Path
) -> None:
    """Write attributed cost as FOCUS, a row for every part of a bill line.

    OUT ends in .parquet, .csv or .csv.gz. It adds up to the bill, by charge period as by billing
    period, and `mlspend validate` finds nothing in it that breaks the version.
    """
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.exporting import write_focus  # noqa: PLC0415

    days = (first.date() if first else None, last.date() if last else None)
    rows = write_focus(read_config(config_path), version, days, out.absolute())
    click.echo(f"{out}: {rows:,} rows, FOCUS {version}")
