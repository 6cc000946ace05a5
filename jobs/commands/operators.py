"""Commands for those who run mlspend: setting up, looking after, and putting right."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jobs.commands.base import config_option, mlspend


@mlspend.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def status(config_path: Path, *, as_json: bool) -> None:
    """Show the last night, how fresh each source is, and what is kept.

    Exit code 1 where the last night failed, or the last good one is too long ago.
    """
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.operations.status import print_status  # noqa: PLC0415

    sys.exit(0 if print_status(read_config(config_path), sys.stdout, as_json=as_json) else 1)
