"""Commands about bills as files: held against FOCUS, and added up again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jobs.commands.base import config_option, mlspend

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


@mlspend.command()
@config_option
@click.option("--source", default="", metavar="NAME", help="Of this source alone.")
@click.option("--all", "is_all", is_flag=True, help="Of every version that is kept, old ones too.")
def prove(config_path: Path, source: str, *, is_all: bool) -> None:
    """Add every bill up again, line by line, and compare with the books.

    Of each unit that the newest generation rests on, in plain decimals, by code that shares nothing
    with what made the books. Exit code 1 where a sum differs.
    """
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.journal import Journal  # noqa: PLC0415
    from jobs.night import raw_store_of  # noqa: PLC0415
    from jobs.progress import NoProgress  # noqa: PLC0415
    from jobs.proving import print_proof  # noqa: PLC0415

    config = read_config(config_path)
    names = [each.name for each in config.sources]
    if source and source not in names:
        raise click.UsageError(f"there is no source {source}; there are {', '.join(names)}")
    with Journal(config.state_dir / "journal.sqlite") as journal:
        store = raw_store_of(config, journal, NoProgress())
        sys.exit(print_proof(store, names, sys.stdout, source=source, is_all=is_all))
