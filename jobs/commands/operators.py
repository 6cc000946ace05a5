"""Commands for those who run mlspend: setting up, looking after, and putting right."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs.commands.base import config_option, log_option, mlspend, progress_of
from jobs.state import DEFAULT_CONFIG, DEFAULT_STATE

if TYPE_CHECKING:
    from jobs.operations.setting_up import Found


@mlspend.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def doctor(config_path: Path, *, as_json: bool) -> None:
    """Look at all that a night depends on, and say how to put right what is wrong.

    Nothing is changed or landed. Exit code 1 where something is wrong.
    """
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.operations.doctor import print_findings  # noqa: PLC0415

    sys.exit(0 if print_findings(read_config(config_path), sys.stdout, as_json=as_json) else 1)


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


@mlspend.command()
@config_option
@click.option("--aws-cur", help="Where the AWS Cost and Usage Report lands: s3://... or a folder.")
@click.option("--focus", help="Where bills in the FOCUS format lie: s3://... or a folder.")
@click.option("--mlflow", help="MLflow: its server, its PostgreSQL or its SQLite file.")
@click.option("--prometheus", help="The address of Prometheus.")
@click.option("--state-dir", help="Where everything is kept; by default state beside the file.")
@click.option("--yes", is_flag=True, help="Ask nothing: take what is given and what is found.")
@click.option("--force", is_flag=True, help="Write over a config file that is there.")
def init(  # noqa: PLR0913  (click gives each option an argument)
    config_path: Path,
    *,
    aws_cur: str | None,
    focus: str | None,
    mlflow: str | None,
    prometheus: str | None,
    state_dir: str | None,
    yes: bool,
    force: bool,
) -> None:
    """Look for what can be read from here, and write a config file.

    On a terminal it asks; elsewhere, and with --yes, it takes what is given and what it finds.
    """
    from jobs.operations import setting_up  # noqa: PLC0415

    named = {"aws_cur": aws_cur, "focus": focus, "mlflow": mlflow, "prometheus": prometheus}
    given = [setting_up.Found(kind, place, "given") for kind, place in named.items() if place]
    if config_path.exists() and not force:
        raise click.UsageError(f"{config_path} is there already; --force writes over it")
    found = setting_up.look_around(click.echo)
    chosen = setting_up.choose(found, given)
    if sys.stdin.isatty() and not yes:
        chosen, state_dir = _ask(chosen, state_dir)
    if not chosen:
        raise click.UsageError(
            "nothing to read was found or given: name a bill by --aws-cur or --focus, or try "
            "`mlspend nightly --demo`"
        )
    text = setting_up.text_for(config_path, chosen, found, state_dir or DEFAULT_STATE)
    setting_up.write_config(config_path, text, force=force)
    click.echo(f"written: {config_path} (readable by you alone)")
    option = "" if str(config_path) == DEFAULT_CONFIG else f" --config {config_path}"
    click.echo(f"next:    mlspend doctor{option} && mlspend nightly{option}")


def _ask(chosen: list[Found], state_dir: str | None) -> tuple[list[Found], str]:
    """Let the person at the terminal mend what was found; an empty answer leaves a source out."""
    from jobs.operations.setting_up import KINDS, Found  # noqa: PLC0415

    click.echo("Enter takes what stands in brackets; - leaves a source out.")
    answers = []
    for kind in KINDS:
        before = next((one.place for one in chosen if one.kind == kind), "-")
        place = click.prompt(f"{kind}: folder or address", default=before).strip()
        if place not in ("", "-"):
            answers.append(Found(kind, place, "given"))
    return answers, click.prompt("state_dir", default=state_dir or DEFAULT_STATE)
