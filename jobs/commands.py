"""The commands, in the order in which a night runs them, then those that read.

Each imports what it needs when it runs. `jobs/help.txt` is this group's help, kept by a test.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs.state import DEFAULT_CONFIG, state_dir_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from jobs.nightly import Night
    from queries.sandbox import Format

HELP_WIDTH = 80


class _InOrder(click.Group):
    """Lists commands as they are written, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH},
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name=None, version="0.1.0", prog_name="mlspend")
@click.pass_context
def mlspend(context: click.Context, *, debug: bool) -> None:
    """Know what machine learning costs, by person, team, project, model and dataset.

    `mlspend nightly --demo` shows all of it on a fictitious company.

    Exit codes: 0 done, 1 data wrong, 2 misuse, 75 another mlspend is at work.
    """
    context.obj = debug


_config = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The config file; config.example.toml shows every key.",
)
_DAY = click.DateTime(["%Y-%m-%d"])
_date = click.option(
    "--date",
    type=_DAY,
    help="The day the report is filed under; by default today, UTC.",
)


@mlspend.command()
@_config
@click.option(
    "--demo",
    is_flag=False,
    flag_value="",
    type=click.Path(file_okay=False),
    help="Write a fictitious company into this folder (demo, where none is given) and run on it.",
)
@_date
def nightly(config_path: Path, demo: str | None, date: datetime | None) -> None:
    """Run one night: extract, build, check, publish, report."""
    if demo is not None:
        config_path = _write_demo(demo)
    with _night(config_path, "nightly") as night:
        night.extract()
        night.build_and_publish()
        site = night.report(date.date() if date else None)
    if demo is not None or night.is_published:
        from jobs.summary import print_summary  # noqa: PLC0415

        print_summary(night.config, site, sys.stdout)
    _end(night)


@mlspend.command()
@_config
def extract(config_path: Path) -> None:
    """Fetch what is new of every source into the raw store."""
    with _night(config_path, "extract") as night:
        night.extract()
    _end(night)


@mlspend.command()
@_config
def build(config_path: Path) -> None:
    """Build what changed, check it, and publish a generation."""
    with _night(config_path, "build") as night:
        night.build_and_publish()
    _end(night)


@mlspend.command()
@_config
def check(config_path: Path) -> None:
    """Check the raw files and the published generation again."""
    with _night(config_path, "check") as night:
        night.check()
    _end(night)


@mlspend.command()
@_config
@_date
def report(config_path: Path, date: datetime | None) -> None:
    """Write the site of the newest generation."""
    with _night(config_path, "report") as night:
        site = night.report(date.date() if date else None, again=True)
    click.echo(site)
    _end(night)


@mlspend.command()
@_config
@click.argument("query", required=False)
@click.option("--named", metavar="NAME", help="Run a query of the cookbook.")
@click.option("--list", "is_list", is_flag=True, help="List the cookbook.")
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter."
)
@click.option("--csv", "style", flag_value="csv", help="Answer in CSV.")
@click.option("--json", "style", flag_value="json", help="Answer in JSON.")
def sql(  # noqa: PLR0913  (click gives each option an argument)
    config_path: Path,
    query: str | None,
    named: str | None,
    *,
    is_list: bool,
    params: tuple[str, ...],
    style: Format | None,
) -> None:
    """Ask the newest generation: one select, or a query of the cookbook.

    QUERY is SQL, or `-` to read it from standard input.
    """
    from jobs.asking import ask, list_cookbook  # noqa: PLC0415

    if is_list:
        list_cookbook(sys.stdout)
        return
    if (query is None) == (named is None):
        raise click.UsageError("give either a query or --named; --list names the cookbook")
    text = sys.stdin.read() if query == "-" else query
    sys.exit(ask(_state_dir(config_path), text, named, params, style or "table"))


@mlspend.command()
@_config
@click.argument("what", metavar="DIMENSION=MEMBER")
@click.option("--from", "first", type=_DAY, help="First day; by default the first there is.")
@click.option("--to", "last", type=_DAY, help="Last day, inclusive; by default the newest.")
@click.option("--json", "as_json", is_flag=True, help="The tree as JSON, every digit kept.")
def explain(
    config_path: Path,
    what: str,
    first: datetime | None,
    last: datetime | None,
    *,
    as_json: bool,
) -> None:
    """Show what a figure is made of, down to the raw files.

    DIMENSION is user, team, project, model, dataset or service: team=vision, user='(idle)'.
    """
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.explaining import print_explanation  # noqa: PLC0415

    days = (first.date() if first else None, last.date() if last else None)
    print_explanation(read_config(config_path), what, days, sys.stdout, as_json=as_json)


@mlspend.command()
@_config
def sources(config_path: Path) -> None:
    """Show what every source has landed, and what is wrong with it."""
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.sources import print_sources  # noqa: PLC0415

    print_sources(read_config(config_path), sys.stdout)


@mlspend.command()
@click.argument("folder", type=click.Path(file_okay=False))
def demo(folder: str) -> None:
    """Write the fictitious company and its truth into FOLDER."""
    config = _write_demo(folder)
    click.echo(f"Run a night on it with: mlspend nightly --config {config}")


def _write_demo(folder: str) -> Path:
    from jobs.demo_night import write_demo  # noqa: PLC0415
    from jobs.progress import progress_on  # noqa: PLC0415

    with progress_on(sys.stderr) as progress:
        return write_demo(folder, progress)


@contextmanager
def _night(config_path: Path, command: str) -> Iterator[Night]:
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.nightly import open_night  # noqa: PLC0415
    from jobs.progress import progress_on  # noqa: PLC0415

    config = read_config(config_path)
    with progress_on(sys.stderr) as progress, open_night(config, progress, command) as night:
        yield night


def _state_dir(config_path: Path) -> Path:
    """Return the state folder; where the file does not tell, let the config reader say why."""
    state_dir = state_dir_of(config_path)
    if state_dir is None:
        from jobs.config import read_config  # noqa: PLC0415

        state_dir = read_config(config_path).state_dir
    return state_dir


def _end(night: Night) -> None:
    """End the command; its exit code tells whether anything was wrong."""
    count = len(night.problems)
    if count:
        problems = "1 problem" if count == 1 else f"{count} problems"
        click.echo(f"{problems}, told above; what could be read counts", err=True)
        sys.exit(1)


def run() -> None:
    """Run the command line; errors that explain themselves are told without a traceback."""
    try:
        code = mlspend.main(prog_name="mlspend", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except Exception as error:
        from jobs.errors import describe, exit_code_of, is_expected  # noqa: PLC0415

        if "--debug" in sys.argv or not is_expected(error):
            raise
        click.echo(describe(error), err=True)
        sys.exit(exit_code_of(error))
    sys.exit(code)
