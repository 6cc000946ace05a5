"""`mlspend sources`: what every source has landed, read from the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from jobs.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.config import Config
    from jobs.ledger import Entry

_HEADS = ("source", "table", "units", "newest", "version", "landed", "state")


@dataclass(frozen=True, slots=True)
class _Line:
    """One table of one source."""

    source: str
    table: str
    entries: Sequence[Entry]

    def cells(self) -> tuple[str, ...]:
        if not self.entries:
            return (self.source, self.table, "0", "", "", "", "nothing landed yet")
        newest = max(self.entries, key=lambda entry: (entry.unit, entry.order))
        units = {entry.unit for entry in self.entries}
        out = sum(entry.state == "quarantined" for entry in self._newest_of_units())
        state = f"{out} of {len(units)} units left out" if out else "good"
        landed = max(entry.landed_at for entry in self.entries)
        return (
            self.source,
            self.table,
            str(len(units)),
            newest.unit,
            newest.version if len(newest.version) <= 20 else f"{newest.version[:19]}…",  # noqa: PLR2004
            f"{landed:%Y-%m-%d %H:%M}",
            state,
        )

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
    """Write a line for every table of every source, then why anything is left out."""
    path = config.state_dir / "journal.sqlite"
    entries: list[Entry] = []
    if path.exists():
        with Journal(path) as journal:
            entries = journal.deliveries()
    lines = [
        _Line(
            source.name,
            table.name,
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
