"""`mlspend sources`: what every source has landed, and what of it nobody reads.

The journal tells the first, the headers of each table's newest delivery the second: a column that a
source has added, or one whose name has changed, which is otherwise read as null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from jobs.inputs import landed_of
from jobs.journal import Journal
from queries import ModelError
from queries.answers import visible
from queries.currencies import RATES
from queries.engines.duckdb import Limits, connect
from queries.generation import newest_generation
from queries.raw import undeclared_columns
from queries.read import open_generation, run_named

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
        return sorted(
            {entry.reason for entry in self._newest_of_units() if entry.state == "quarantined"}
        )


def print_sources(config: Config, out: TextIO) -> None:
    """Write a line for every table of every source, then what is left out, and what is not read."""
    path = config.state_dir / "journal.sqlite"
    entries: list[Entry] = []
    if path.exists():
        with Journal(path) as journal:
            entries = journal.deliveries()
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
    out.writelines(f"left out: {reason}\n" for line in lines for reason in line.reasons())
    out.writelines(_unread(lines, config.state_dir / "raw"))
    out.writelines(_missing_rates(config))


def _missing_rates(config: Config) -> list[str]:
    """Say which exchange rates the newest generation lacks."""
    if not config.currency.report:
        return []
    try:
        generation = newest_generation(config.state_dir)
    except ModelError:  # no night has published anything yet
        return []
    with open_generation(generation) as con:
        columns, rows = run_named(con, "freshness", {})
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    return [
        f"missing: {row['source']}, {row['table_name']}: {row['note']}\n"
        for row in records
        if row["source"] == RATES
    ]


def _unread(lines: Sequence[_Line], raw: Path) -> Iterator[str]:
    con = connect(Limits(threads=1))
    try:
        for line in lines:
            yield line.unread(con, raw)
    finally:
        con.close()
