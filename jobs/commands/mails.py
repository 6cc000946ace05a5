"""The command for digests: write them, look at them, send them, and see what became of them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from jobs.commands.base import (
    config_option,
    date_option,
    end,
    log_option,
    mlspend,
    open_night_of,
    state_dir_at,
)


@mlspend.command()
@config_option
@log_option
@date_option
@click.option("--send", is_flag=True, help="Mail them; otherwise they are written as files.")
@click.option("--to", "only", multiple=True, metavar="WHO", help="A mail address or user id.")
@click.option("--status", is_flag=True, help="List what was mailed, and what came of it.")
@click.option("--json", "as_json", is_flag=True, help="The list as JSON.")
def mail(  # noqa: PLR0913  (click gives each option an argument)
    config_path: Path,
    date: datetime | None,
    *,
    send: bool,
    only: tuple[str, ...],
    status: bool,
    as_json: bool,
) -> None:
    """Write everybody's digest of the newest generation; with --send, mail it.

    Nobody gets the digest of a day or week twice, however often this runs.
    """
    if status:
        _print_status(config_path, as_json=as_json)
        return
    from jobs.mailing import mail_digests  # noqa: PLC0415

    with open_night_of(config_path, "mail") as night:
        if not night.config.mail.is_on:
            raise click.UsageError("[mail] of the config file names nobody to mail")
        today = date.date() if date else datetime.now(UTC).date()
        tally = mail_digests(night, today, is_sent=send, only=only)
    click.echo("no cost yet: there is nothing to say" if tally is None else tally.line())
    end(night)


def _print_status(config_path: Path, *, as_json: bool) -> None:
    from jobs.journal import Journal  # noqa: PLC0415
    from jobs.journal.mails import Mails  # noqa: PLC0415

    with Journal(state_dir_at(config_path) / "journal.sqlite") as journal:
        rows = Mails(journal).rows()
    if as_json:
        told = [
            {
                "report_id": row.report_id,
                "recipient": row.recipient,
                "state": row.state,
                "answer": row.answer,
                "tries": row.tries,
                "intended_at": row.intended_at.isoformat(),
            }
            for row in rows
        ]
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return
    for row in rows:
        click.echo(
            f"{row.intended_at:%Y-%m-%d %H:%M}  {row.state:8}  {row.recipient}  {row.report_id}"
            + (f"  {row.answer}" if row.answer and row.state != "sent" else "")
        )
    if not rows:
        click.echo("nothing was mailed yet")
