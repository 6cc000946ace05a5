"""Commands that only read: the newest generation, and what has landed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from jobs.commands.base import DAY, config_option, mlspend, state_dir_at

if TYPE_CHECKING:
    from datetime import datetime

    from queries.sandbox import Format


@mlspend.command()
@config_option
@click.argument("query", required=False)
@click.option("--named", metavar="NAME", help="Run a query of the cookbook.")
@click.option("--list", "is_list", is_flag=True, help="List the cookbook.")
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter."
)
@click.option("--audience", default="", metavar="NAME", help="Ask what this audience may see.")
@click.option("--csv", "style", flag_value="csv", help="Answer in CSV.")
@click.option("--json", "style", flag_value="json", help="Answer in JSON.")
def sql(  # noqa: PLR0913  (click gives each option an argument)
    config_path: Path,
    query: str | None,
    named: str | None,
    *,
    is_list: bool,
    audience: str,
    params: tuple[str, ...],
    style: Format | None,
) -> None:
    """Ask the newest generation: one select, or a query of the cookbook.

    QUERY is SQL, or `-` to read it from standard input.
    """
    from jobs.asking import ask, list_cookbook  # noqa: PLC0415
    from queries.generation import newest_generation  # noqa: PLC0415

    if is_list:
        list_cookbook(sys.stdout)
        return
    if (query is None) == (named is None):
        raise click.UsageError("give either a query or --named; --list names the cookbook")
    text = sys.stdin.read() if query == "-" else query
    generation = newest_generation(state_dir_at(config_path), audience)
    sys.exit(ask(generation, text, named, params, style or "table"))


@mlspend.command()
@config_option
@click.argument("what", metavar="DIMENSION=MEMBER")
@click.argument("member", required=False, default=None, metavar="")
@click.option("--version", help="Of a model or dataset; '' is what no version is known for.")
@click.option("--from", "first", type=DAY, help="First day; by default the first there is.")
@click.option("--to", "last", type=DAY, help="Last day, inclusive; by default the newest.")
@click.option("--json", "as_json", is_flag=True, help="The tree as JSON, every digit kept.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write one page to pass on, with people as everybody may see them.",
)
def explain(  # noqa: PLR0913  (click gives each option an argument)
    config_path: Path,
    what: str,
    member: str | None,
    *,
    version: str | None,
    first: datetime | None,
    last: datetime | None,
    as_json: bool,
    page: Path | None,
) -> None:
    """Show what a figure is made of, down to the raw files.

    DIMENSION is user, team, project, model, dataset, service or run: team=vision,
    user='(idle)', run=<run_id, or any system's id>. `run ID` is the same
    as `run=ID`; a run is shown with the records that systems have of it.
    model=NAME --version 3 is what that version cost of it, and so with a dataset.
    model_full_cost and dataset_full_cost hold what a member was made from, too.
    """
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.explaining import asked_of, print_explanation, write_explanation  # noqa: PLC0415

    days = (first.date() if first else None, last.date() if last else None)
    asked = asked_of(what if member is None else f"{what}={member}", version, days)
    if page is None:
        print_explanation(read_config(config_path), asked, sys.stdout, as_json=as_json)
        return
    if as_json:
        raise click.UsageError("--json is for the terminal, --html is a file: leave out one")
    write_explanation(read_config(config_path), asked, page.absolute())
    click.echo(page)


@mlspend.command()
@config_option
@click.argument("column", metavar="TABLE.COLUMN")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="How many models down to show.",
)
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
@click.pass_context
def lineage(
    context: click.Context, config_path: Path, column: str, depth: int, *, as_json: bool
) -> None:
    """Show which columns of which sources a column is computed from.

    TABLE.COLUMN is any of a mart, such as marts.runs.effective_cost, or below. With a config file,
    the configured sources alone are looked at.
    """
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.tracing import print_lineage  # noqa: PLC0415

    is_given = context.get_parameter_source("config_path") is not ParameterSource.DEFAULT
    is_read = is_given or config_path.exists()
    kinds = {each.kind for each in read_config(config_path).sources} if is_read else ()
    print_lineage(column, kinds, depth, sys.stdout, as_json=as_json)


@mlspend.command()
@config_option
@click.option("--ask", is_flag=True, help="Ask each source: may it be read, what was billed?")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, every digit kept.")
def sources(config_path: Path, *, ask: bool, as_json: bool) -> None:
    """Show what every source has landed, and what is wrong with it."""
    from jobs.config import read_config  # noqa: PLC0415
    from jobs.sources import print_sources  # noqa: PLC0415

    config = read_config(config_path)
    sys.exit(print_sources(config, sys.stdout, is_asked=ask, as_json=as_json))
