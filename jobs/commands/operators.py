"""Commands for those who run mlspend: setting up, looking after, and putting right."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jobs.commands.base import config_option, log_option, mlspend, progress_of


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


@mlspend.command()
@config_option
@log_option
@click.option(
    "--from",
    "backup",
    type=click.Path(path_type=Path),
    help="The copy of the journal to put back; by default the newest sound one.",
)
@click.option("--generation", type=int, help="Point readers to this older generation instead.")
def restore(config_path: Path, backup: Path | None, generation: int | None) -> None:
    """Put back a copy of the journal, or an older generation.

    The journal that is there is set aside, and nothing is mailed twice. An older generation is
    what readers see until the next night publishes a newer one.
    """
    if backup is not None and generation is not None:
        raise click.UsageError("give either --from or --generation")
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.operations.restoring import restore_generation, restore_journal  # noqa: PLC0415

    config = read_config(config_path)
    with progress_of(config.operations.log_format) as progress:
        if generation is not None:
            restore_generation(config, generation, progress)
        else:
            restore_journal(config, backup, progress)
