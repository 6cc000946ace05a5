"""What every command shares: the group they belong to, their options, and how they end."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from jobs.state import DEFAULT_CONFIG, state_dir_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.night import Night
    from jobs.progress import LogFormat, Progress

HELP_WIDTH = 80


ORDER = (
    "nightly extract build check prove report mail findings claim enforce gate sql explain lineage "
    "export sources validate init doctor status restore demo"
)
"""Every command, as help lists them: a night's steps, what reads, what operates."""


class _InOrder(click.Group):
    """Lists commands in the order of `ORDER`, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return sorted(self.commands, key=ORDER.split().index)


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


class _Log:
    """How the command tells what it does, once that is known."""

    style: LogFormat | None = None


log = _Log()


def _take_style(_context: click.Context, _option: click.Parameter, value: LogFormat | None) -> None:
    log.style = value


log_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="How to tell what is done; by default as [operations] log_format says.",
    expose_value=False,
    callback=_take_style,
)


def _given_to_the_group(context: click.Context, option: click.Parameter, value: Path) -> Path:
    """Take the file that stands before a subcommand, as in `claim --config FILE add`."""
    group = context.parent.params if context.parent else {}
    is_given = context.get_parameter_source(option.name or "") is not ParameterSource.DEFAULT
    return value if is_given else group.get("config_path", value)


config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    callback=_given_to_the_group,
    help="The config file; config.example.toml shows every key.",
)
DAY = click.DateTime(["%Y-%m-%d"])
date_option = click.option(
    "--date",
    type=DAY,
    help="The day the report is filed under; by default today, UTC.",
)


@contextmanager
def open_night_of(config_path: Path, command: str) -> Iterator[Night]:
    """Read the config file and open a night on it."""
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.night import open_night  # noqa: PLC0415
    from jobs.settings.operations import operations_of  # noqa: PLC0415

    with progress_of(operations_of(config_path).log_format) as progress:
        config = read_config(config_path)
        with open_night(config, progress, command) as night:
            yield night


@contextmanager
def progress_of(configured: LogFormat) -> Iterator[Progress]:
    """Yield what a command tells with: as its option says, else as configured."""
    from jobs.progress import progress_on  # noqa: PLC0415

    log.style = log.style or configured
    with progress_on(sys.stderr, log.style) as progress:
        yield progress


def tell(text: str, event: str = "progress", **figures: object) -> None:
    """Tell something on standard error, outside of a night."""
    if log.style == "json":
        from jobs.progress import json_line  # noqa: PLC0415

        text = json_line(text, event, figures)
    click.echo(text, err=True)


def state_dir_at(config_path: Path) -> Path:
    """Return the state folder; where the file does not tell, let the config reader say why."""
    state_dir = state_dir_of(config_path)
    if state_dir is None:
        from jobs.config import read_config  # noqa: PLC0415

        state_dir = read_config(config_path).state_dir
    return state_dir


def end(night: Night) -> None:
    """End the command; its exit code tells whether anything was wrong."""
    count = len(night.problems)
    if count:
        problems = "1 problem" if count == 1 else f"{count} problems"
        tell(f"{problems}, told above; what could be read counts", "end", problems=count)
        sys.exit(1)
