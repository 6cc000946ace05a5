"""`mlspend sources`: what every source has landed, what it adds up to, and what is wrong with it.

The journal tells what landed and what the last night complained of, the headers of each table's
newest delivery what nobody reads: a column that a source has added, or one whose name has changed,
which is otherwise read as null. The newest generation tells which invoices differ.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

from jobs.blank_lines import blank_lines
from jobs.inputs import landed_of
from jobs.journal import Journal
from queries import ModelError
from queries.answers import visible
from queries.currencies import RATES
from queries.engines.duckdb import Limits, connect
from queries.generation import newest_generation
from queries.raw import undeclared_columns
from queries.read import open_generation, run_named
from reports.figures import exact
from reports.terminal import invoice_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from connectors.base import Table
    from jobs.config import Config
    from jobs.ledger import Entry
    from queries.engines.duckdb import Connection

_HEADS = ("source", "table", "units", "newest", "version", "landed", "state")


@dataclass(frozen=True, slots=True)
class _Line:
    """One table of one source."""

    source: str
    table: Table
    entries: Sequence[Entry]

    def cells(self) -> tuple[str, ...]:
        if not self.entries:
            return (self.source, self.table.name, "0", "", "", "", "nothing landed yet")
        newest = self._newest(self.entries)
        units = {entry.unit for entry in self.entries}
        out = sum(entry.state == "quarantined" for entry in self._newest_of_units())
        state = f"{out} of {len(units)} units left out" if out else "good"
        landed = max(entry.landed_at for entry in self.entries)
        return (
            self.source,
            self.table.name,
            str(len(units)),
            newest.unit,
            newest.version if len(newest.version) <= 20 else f"{newest.version[:19]}…",  # noqa: PLR2004
            f"{landed:%Y-%m-%d %H:%M}",
            state,
        )

    @staticmethod
    def _newest(entries: Sequence[Entry]) -> Entry:
        return max(entries, key=lambda entry: (entry.unit, entry.order))

    def unread(self, con: Connection, raw: Path) -> str:
        """Say which columns of the newest good delivery no model can see; empty where none."""
        good = [row for row in self.entries if row.state == "landed" and not row.is_collected]
        if not good:
            return ""
        newest = self._newest(good)
        try:
            columns = undeclared_columns(con, self.table, landed_of(newest, raw))
        except ModelError as error:
            return f"not looked into: {self.source} {self.table.name} {newest.unit}: {error}\n"
        names = ", ".join(visible(column) for column in columns)
        if not names:
            return ""
        return f"not read: {self.source} {self.table.name} {newest.unit}: {names}\n"

    def _newest_of_units(self) -> list[Entry]:
        best: dict[str, Entry] = {}
        for entry in sorted(self.entries, key=lambda entry: entry.order):
            best[entry.unit] = entry
        return list(best.values())

    def reasons(self) -> list[str]:
        return [
            visible(f"{entry.source} {entry.unit}: {entry.reason}")
            for entry in sorted(self._newest_of_units(), key=lambda entry: entry.unit)
            if entry.state == "quarantined"
        ]


def print_sources(config: Config, out: TextIO) -> None:
    """Write a line for every table of every source, then their bills, then what is wrong."""
    path = config.state_dir / "journal.sqlite"
    entries: list[Entry] = []
    bills: list[str] = []
    complaints: list[str] = []
    if path.exists():
        with Journal(path) as journal:
            entries = journal.deliveries()
            bills = _bills(config, journal, entries)
            complaints = _complaints(journal)
    lines = [
        _Line(
            source.name,
            table,
            [
                entry
                for entry in entries
                if (entry.source, entry.table) == (source.name, table.name)
            ],
        )
        for source in config.sources
        for table in source.connector.tables
    ]
    rows = [_HEADS, *(line.cells() for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.write("  ".join(cells).rstrip() + "\n")
    out.writelines(bills)
    out.writelines(f"left out: {reason}\n" for line in lines for reason in line.reasons())
    out.writelines(_unread(lines, config.state_dir / "raw"))
    out.writelines(_missing_rates(config))
    out.writelines(f"{line}\n" for line in invoice_lines(_published(config, "invoices")))
    out.writelines(complaints)


def _bills(config: Config, journal: Journal, entries: Sequence[Entry]) -> list[str]:
    """Say what the newest good delivery of every unit bills: lines, cost by currency, and gaps."""
    newest: dict[tuple[str, str, str], Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.order):
        if entry.state == "landed":
            newest[entry.unit_key] = entry
    rows: Counter[str] = Counter()
    costs: dict[tuple[str, str], Decimal] = {}
    gaps: dict[tuple[str, str, str], str] = {}
    for entry in newest.values():
        totals = journal.totals_of(entry.id)
        gaps[entry.unit_key] = blank_lines(totals)
        for total in totals:
            if total.measure == "billed_cost":
                rows[entry.source] += total.rows
                key = (entry.source, total.billing_currency)
                costs[key] = costs.get(key, Decimal(0)) + total.amount + total.beyond
    lines = []
    for source in config.sources:
        found = sorted(key for key in costs if key[0] == source.name)
        amounts = ", ".join(exact(costs[key], key[1]) for key in found)
        if amounts:
            lines.append(f"billed: {source.name}: {rows[source.name]:,} lines, {amounts}\n")
        lines += [
            f"no cost: {name} {unit}: {gap}\n"
            for (name, _, unit), gap in sorted(gaps.items())
            if gap and name == source.name
        ]
    return lines


def _complaints(journal: Journal) -> list[str]:
    """Return what the last night complained of, each problem on a line."""
    nights = [night for night in journal.nights() if night.command in ("nightly", "extract")]
    if not nights:
        return []
    lines = [line for line in nights[-1].problems.splitlines() if line.strip()]
    return [f"last night: {visible(line)}\n" for line in lines]


def _published(config: Config, query: str) -> list[dict[str, object]]:
    """Return what a named query finds in the newest generation; nothing before the first."""
    try:
        generation = newest_generation(config.state_dir)
    except ModelError:
        return []
    with open_generation(generation) as con:
        columns, rows = run_named(con, query, {})
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _missing_rates(config: Config) -> list[str]:
    """Say which exchange rates the newest generation lacks."""
    if not config.currency.report:
        return []
    return [
        f"missing: {row['source']}, {row['table_name']}: {row['note']}\n"
        for row in _published(config, "freshness")
        if row["source"] == RATES
    ]


def _unread(lines: Sequence[_Line], raw: Path) -> Iterator[str]:
    con = connect(Limits(threads=1))
    try:
        for line in lines:
            yield line.unread(con, raw)
    finally:
        con.close()
