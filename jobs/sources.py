"""`mlspend sources`: what every source has landed, what it adds up to, and what is wrong with it.

The journal tells what landed and what the last night complained of, the headers of each table's
newest delivery what nobody reads: a column that a source has added, or one whose name has changed,
which is otherwise read as null. The newest generation tells which invoices differ.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

from jobs.blank_lines import blank_lines
from jobs.inputs import landed_of
from jobs.journal import Journal
from jobs.ledger import billed_in
from jobs.reconciling import ask, asked_lines
from jobs.restatements import rows_of
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
    from datetime import datetime

    from connectors.base import Table
    from jobs.config import Config
    from jobs.ledger import Entry
    from queries.engines.duckdb import Connection

_HEADS = ("source", "table", "units", "newest", "version", "landed", "state")
_WIDEST_VERSION = 20


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What one table of one source has landed."""

    source: str
    table: str
    units: int = 0
    newest_unit: str = ""
    version: str = ""
    landed_at: datetime | None = None
    """UTC, without a zone; none where nothing has landed."""
    left_out: int = 0
    """Units whose newest delivery does not count."""
    reasons: list[str] = field(default_factory=list)
    """Why they do not."""

    def cells(self) -> tuple[str, ...]:
        """Return the table's line, cell by cell."""
        if self.landed_at is None:
            return (self.source, self.table, "0", "", "", "", "nothing landed yet")
        is_long = len(self.version) > _WIDEST_VERSION
        return (
            self.source,
            self.table,
            str(self.units),
            self.newest_unit,
            f"{self.version[: _WIDEST_VERSION - 1]}…" if is_long else self.version,
            f"{self.landed_at:%Y-%m-%d %H:%M}",
            f"{self.left_out} of {self.units} units left out" if self.left_out else "good",
        )


@dataclass(frozen=True, slots=True)
class BillFacts:
    """What the newest good delivery of every unit of a source bills."""

    source: str
    line_count: int
    billed_cost: dict[str, Decimal]
    """By currency."""
    no_cost: dict[str, str]
    """Unit -> how many of its lines do not say what they cost, where there are any."""

    def lines(self) -> list[str]:
        """Say it."""
        amounts = ", ".join(exact(cost, currency) for currency, cost in self.billed_cost.items())
        gaps = [f"note: {self.source} {unit}: {gap}" for unit, gap in self.no_cost.items()]
        return [f"billed: {self.source}: {self.line_count:,} lines, {amounts}", *gaps]


@dataclass(frozen=True, slots=True)
class UnreadFacts:
    """What no model can see of the newest good delivery of a table."""

    source: str
    table: str
    unit: str
    columns: list[str]
    problem: str = ""
    """Why it could not be looked into."""

    def line(self) -> str:
        """Say it."""
        where = f"{self.source} {self.table} {self.unit}"
        if self.problem:
            return f"not looked into: {where}: {self.problem}"
        return f"not read: {where}: {', '.join(visible(column) for column in self.columns)}"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that `mlspend sources` tells without asking anybody."""

    tables: list[TableFacts]
    bills: list[BillFacts]
    unread: list[UnreadFacts]
    missing_rates: list[dict[str, object]]
    """Exchange rates that the newest generation lacks, as rows of the cookbook's `freshness`."""
    invoices: list[dict[str, object]]
    """Rows of the cookbook's `invoices`."""
    last_night: list[str]
    """What it complained of."""


def print_sources(config: Config, out: TextIO, *, is_asked: bool, as_json: bool) -> int:
    """Write what has landed and, if the sources are to be asked, what they say.

    Returns: the exit code; 1 where a source that was asked cannot be read.
    """
    facts = facts_of(config)
    if as_json:
        answers = ask(config) if is_asked else None
        told = asdict(facts) | (asdict(answers) if answers else {})
        out.write(json.dumps(told, indent=1, default=_text, ensure_ascii=False) + "\n")
        return answers.exit_code if answers else 0
    out.writelines(f"{line}\n" for line in _lines(facts))
    if not is_asked:
        return 0
    answers = ask(config)
    out.writelines(f"{line}\n" for line in asked_lines(answers))
    return answers.exit_code


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def facts_of(config: Config) -> Facts:
    """Gather what is known of every source."""
    path = config.state_dir / "journal.sqlite"
    entries: list[Entry] = []
    bills: list[BillFacts] = []
    complaints: list[str] = []
    if path.exists():
        with Journal(path) as journal:
            entries = journal.deliveries()
            bills = _bills(config, journal, entries)
            complaints = _complaints(journal)
    by_table: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        by_table.setdefault((entry.source, entry.table), []).append(entry)
    landed = [
        (source.name, table, by_table.get((source.name, table.name), []))
        for source in config.sources
        for table in source.connector.tables
    ]
    return Facts(
        tables=[_table(name, table, of_table) for name, table, of_table in landed],
        bills=bills,
        unread=_unread(config, landed),
        missing_rates=_missing_rates(config),
        invoices=_published(config, "invoices"),
        last_night=complaints,
    )


def _lines(facts: Facts) -> Iterator[str]:
    """Yield a line for every table of every source, then their bills, then what is wrong."""
    rows = [_HEADS, *(table.cells() for table in facts.tables)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    yield from (line for bill in facts.bills for line in bill.lines())
    yield from (f"left out: {reason}" for table in facts.tables for reason in table.reasons)
    yield from (unread.line() for unread in facts.unread)
    for rate in facts.missing_rates:
        yield f"missing: {rate['source']}, {rate['table_name']}: {rate['note']}"
    yield from invoice_lines(facts.invoices)
    yield from (f"last night: {visible(line)}" for line in facts.last_night)


def _table(source: str, table: Table, entries: Sequence[Entry]) -> TableFacts:
    if not entries:
        return TableFacts(source, table.name)
    newest = _newest(entries)
    by_unit = {entry.unit: entry for entry in sorted(entries, key=lambda entry: entry.order)}
    out = [entry for entry in by_unit.values() if entry.state == "quarantined"]
    return TableFacts(
        source=source,
        table=table.name,
        units=len(by_unit),
        newest_unit=newest.unit,
        version=newest.version,
        landed_at=max(entry.landed_at for entry in entries),
        left_out=len(out),
        reasons=[
            visible(f"{source} {entry.unit}: {entry.reason}")
            for entry in sorted(out, key=lambda entry: entry.unit)
        ],
    )


def _newest(entries: Sequence[Entry]) -> Entry:
    return max(entries, key=lambda entry: (entry.unit, entry.order))


def _bills(config: Config, journal: Journal, entries: Sequence[Entry]) -> list[BillFacts]:
    """Return lines, cost by currency and gaps of every source that bills."""
    newest: dict[tuple[str, str, str], Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.order):
        if entry.state == "landed":
            newest[entry.unit_key] = entry
    rows: Counter[str] = Counter()
    costs: dict[str, dict[str, Decimal]] = {}
    gaps: dict[str, dict[str, str]] = {}
    for entry in sorted(newest.values(), key=lambda entry: entry.unit):
        totals = journal.totals_of(entry.id)
        gap = blank_lines(totals)
        if gap:
            gaps.setdefault(entry.source, {})[entry.unit] = gap
        rows[entry.source] += rows_of(totals)
        for currency, cost in billed_in(totals).items():
            of_source = costs.setdefault(entry.source, {})
            of_source[currency] = of_source.get(currency, Decimal(0)) + cost
    return [
        BillFacts(name, rows[name], dict(sorted(costs[name].items())), gaps.get(name, {}))
        for name in (source.name for source in config.sources)
        if name in costs
    ]


def _complaints(journal: Journal) -> list[str]:
    """Return what the last night complained of, each problem on a line."""
    nights = [night for night in journal.nights() if night.command in ("nightly", "extract")]
    return [line for line in nights[-1].problems.splitlines() if line.strip()] if nights else []


def _published(config: Config, query: str) -> list[dict[str, object]]:
    """Return what a named query finds in the newest generation; nothing before the first."""
    try:
        generation = newest_generation(config.state_dir)
    except ModelError:
        return []
    with open_generation(generation) as con:
        columns, rows = run_named(con, query, {})
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _missing_rates(config: Config) -> list[dict[str, object]]:
    if not config.currency.report:
        return []
    return [row for row in _published(config, "freshness") if row["source"] == RATES]


def _unread(
    config: Config, landed: Sequence[tuple[str, Table, Sequence[Entry]]]
) -> list[UnreadFacts]:
    con = connect(Limits(threads=1))
    try:
        found = [_unread_of(con, config, *each) for each in landed]
    finally:
        con.close()
    return [unread for unread in found if unread is not None]


def _unread_of(
    con: Connection, config: Config, source: str, table: Table, entries: Sequence[Entry]
) -> UnreadFacts | None:
    good = [entry for entry in entries if entry.state == "landed" and not entry.is_collected]
    if not good:
        return None
    newest = _newest(good)
    try:
        columns = undeclared_columns(con, table, landed_of(newest, config.state_dir / "raw"))
    except ModelError as error:
        return UnreadFacts(source, table.name, newest.unit, [], str(error))
    return UnreadFacts(source, table.name, newest.unit, list(columns)) if columns else None
