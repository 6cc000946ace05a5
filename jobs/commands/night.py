"""A night and its steps, each of which may be run again with the same result."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from jobs.commands.base import (
    config_option,
    date_option,
    end,
    log_option,
    mlspend,
    open_night_of,
    tell,
)
from jobs.commands.demo import write_demo_at

if TYPE_CHECKING:
    from datetime import datetime


@mlspend.command()
@config_option
@log_option
@click.option(
    "--demo",
    is_flag=False,
    flag_value="",
    type=click.Path(file_okay=False),
    help="Write a fictitious company into this folder (demo, where none is given) and run on it.",
)
@date_option
@click.option("--send", is_flag=True, help="Mail the digests that are due.")
def nightly(config_path: Path, demo: str | None, date: datetime | None, *, send: bool) -> None:
    """Run one night: extract, build, check, publish, plan, report, mail."""
    if demo is not None:
        config_path = write_demo_at(demo)
    from jobs import extracting  # noqa: PLC0415
    from jobs import nightly as steps  # noqa: PLC0415
    from jobs.operations.watch import watched  # noqa: PLC0415

    with watched(config_path, tell) as watch, open_night_of(config_path, "nightly") as night:
        watch.night = night
        extracting.extract(night)
        steps.build_and_publish(night)
        day = date.date() if date else None
        steps.plan_quotas(night, day)
        site = steps.report(night, day)
        mails = steps.mail(night, day, is_sent=send)
    if demo is not None or night.is_published:
        from jobs.summary import print_summary  # noqa: PLC0415

        print_summary(night.config, site, sys.stdout)
    if mails is not None:
        click.echo(f"Mails:    {mails.line()}")
    end(night)


@mlspend.command()
@config_option
@log_option
def extract(config_path: Path) -> None:
    """Fetch what is new of every source into the raw store."""
    from jobs import extracting  # noqa: PLC0415

    with open_night_of(config_path, "extract") as night:
        extracting.extract(night)
    end(night)


@mlspend.command()
@config_option
@log_option
@click.option("--compare-to", metavar="GENERATION", help="Publish nothing; show who would move.")
@click.option(
    "--rules",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --compare-to: take owners from this file, a draft of ownership.toml.",
)
@click.option("--json", "as_json", is_flag=True, help="With --compare-to: as JSON, every digit.")
def build(config_path: Path, compare_to: str | None, rules: Path | None, *, as_json: bool) -> None:
    """Build what changed, check it, and publish a generation.

    GENERATION is a number, or `newest`: with it nothing is published, and the costs of owners that
    the build would give are held against those of that generation.
    """
    if compare_to is None:
        if rules is not None or as_json:
            raise click.UsageError("--rules and --json go with --compare-to")
        from jobs import nightly as steps  # noqa: PLC0415

        with open_night_of(config_path, "build") as night:
            steps.build_and_publish(night)
    else:
        from jobs.comparing import print_comparison, with_rules  # noqa: PLC0415

        with open_night_of(config_path, "compare") as night, TemporaryDirectory() as folder:
            change = with_rules(rules, Path(folder)) if rules else None
            print_comparison(night, compare_to, sys.stdout, change=change, as_json=as_json)
    end(night)


@mlspend.command()
@config_option
@log_option
def check(config_path: Path) -> None:
    """Check the raw files and the published generation again."""
    from jobs import nightly as steps  # noqa: PLC0415

    with open_night_of(config_path, "check") as night:
        steps.check(night)
    end(night)


@mlspend.command()
@config_option
@log_option
@date_option
def report(config_path: Path, date: datetime | None) -> None:
    """Write the site of the newest generation."""
    from jobs import nightly as steps  # noqa: PLC0415

    with open_night_of(config_path, "report") as night:
        site = steps.report(night, date.date() if date else None, again=True)
    if site is not None:
        click.echo(site)
    end(night)
