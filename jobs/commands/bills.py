"""Commands about bills as files: held against the FOCUS specification."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jobs.commands.base import mlspend

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@mlspend.command()
@click.argument("file", type=_FILE)
@click.option(
    "--version",
    type=click.Choice(["1.0", "1.1", "1.2", "1.3", "1.4"]),
    help="The version to hold it against; by default the one its columns speak of.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def validate(file: Path, version: str | None, *, as_json: bool) -> None:
    """Hold a FOCUS bill against the specification.

    FILE is CSV, gzipped CSV or Parquet, from anybody. Exit code 1 where it breaks a rule that must
    be kept; advice alone ends with 0.
    """
    from jobs.validating import print_report  # noqa: PLC0415

    sys.exit(0 if print_report(file, version, sys.stdout, as_json=as_json) else 1)
