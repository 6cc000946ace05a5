"""The command that writes the fictitious company."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jobs.commands.base import mlspend

if TYPE_CHECKING:
    from pathlib import Path


@mlspend.command()
@click.argument("folder", type=click.Path(file_okay=False))
def demo(folder: str) -> None:
    """Write the fictitious company and its truth into FOLDER."""
    config = write_demo_at(folder)
    click.echo(f"Run a night on it with: mlspend nightly --config {config}")


def write_demo_at(folder: str) -> Path:
    """Write the fictitious company into a folder; return its config file."""
    from jobs.demo_night import write_demo  # noqa: PLC0415
    from jobs.progress import progress_on  # noqa: PLC0415

    with progress_on(sys.stderr) as progress:
        return write_demo(folder, progress)
