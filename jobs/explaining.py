"""`mlspend explain`: a figure, the rules that made it, and the raw files it rests on."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

import click

from jobs.journal import Journal
from queries.answers import TableAnswer
from queries.explain import explain
from queries.generation import newest_generation
from queries.read import open_generation
from reports.terminal import exact

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date
    from pathlib import Path

_SHOWN = ("service_name", "line_class", "cost_kind", "method", "rule", "effective_cost")


def print_explanation(
    state_dir: Path, what: str, days: tuple[date | None, date | None], out: TextIO
) -> None:
    """Explain `<dimension>=<member>`, currency by currency.

    Raises: ModelError where nothing is published, or there is no such cost.
    """
    dimension, sign, member = what.partition("=")
    if not sign:
        raise click.UsageError(f'"{what}" is not DIMENSION=MEMBER, such as team=vision')
    with open_generation(newest_generation(state_dir)) as con:
        parts = explain(con, dimension, member, days)
    for currency in sorted({str(part["billing_currency"]) for part in parts}):
        own = [part for part in parts if part["billing_currency"] == currency]
        total = sum((Decimal(str(part["effective_cost"])) for part in own), Decimal(0))
        out.write(f"{dimension} {member} cost {exact(total)} {currency}, made of\n\n")
        TableAnswer(out).write(_SHOWN, [[part[column] for column in _SHOWN] for part in own])
        out.write("\n")
    bills = {(str(part["source"]), str(part["billing_period"])[:7]) for part in parts}
    out.write("from these bills, as delivered\n\n")
    TableAnswer(out).write(
        ("source", "bill", "landed", "file", "below raw/"), _files_of(state_dir, bills)
    )


def _files_of(state_dir: Path, bills: Collection[tuple[str, str]]) -> Sequence[Sequence[str]]:
    """Return the files of the deliveries in force that bill these invoices."""
    with Journal(state_dir / "journal.sqlite") as journal:
        totals = journal.totals()
        newest = {
            entry.unit_key: entry
            for entry in sorted(journal.deliveries(), key=lambda entry: entry.order)
            if entry.state == "landed"
        }
    rows = []
    for entry in newest.values():
        billed = {(entry.source, total.billing_period) for total in totals.get(entry.id, ())}
        for source, period in sorted(billed & set(bills)):
            landed = f"{entry.landed_at:%Y-%m-%d %H:%M}"
            rows += [(source, period, landed, file.name, file.path) for file in entry.files]
    return sorted(rows)
