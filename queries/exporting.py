"""Attributed cost as a FOCUS file: bill lines cut as attribution cut them, line by line.

Postings know who a cost goes to, bill lines know what a FOCUS row must say. Both are in the lake;
here they meet, some days at a time, so that memory is bounded by a day's lines. Every row's cost is
a cell of a table whose margins are known (`exported/cells.sql`): the file adds up to the bill and,
posting by posting, to what the marts show.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from queries import ModelError
from queries.catalog import HOME
from queries.engines.duckdb import literal, literals, name
from queries.explanation import open_books
from queries.focus.model import columns_of
from queries.lake import StoredTable, sync
from queries.manifest import Manifest
from queries.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from queries.build import BuildInput
    from queries.engines.duckdb import Connection

FORMATS = {
    ".parquet": "format parquet, compression zstd",
    ".csv": "format csv, header true",
    ".csv.gz": "format csv, header true, compression gzip",
}
_ROWS = 1_000_000
"""Bill lines that are worked on at a time; a day is never cut."""
_MEASURES = ("effective_cost", "billed_cost")
_GROUP = "charge_date, source, billing_currency, group_hash"


@dataclass(frozen=True, slots=True)
class Export:
    """What is asked for."""

    version: str
    """1.4 or 1.2."""
    target: Path
    from_date: date | None = None
    to_date: date | None = None
    """Inclusive, by charge date; none: all there is."""
    is_named: bool = True
    """Whether people may be named."""


def format_of(target: Path) -> str | None:
    """Return how DuckDB writes a file of this name; none where the name does not tell."""
    fitting = [suffix for suffix in FORMATS if target.name.lower().endswith(suffix)]
    return FORMATS[max(fitting, key=len)] if fitting else None


def export_focus(given: BuildInput, generation: Path, wanted: Export) -> int:
    """Write the file under a temporary name, then rename it; return how many rows it has.

    Raises: ModelError where nothing was attributed in those days, or the file would not close.
    """
    con = open_books(given, generation)
    try:
        with TemporaryDirectory(prefix=".export-", dir=wanted.target.parent) as folder:
            parts = _Writer(con, given, wanted, folder).write()
            half = wanted.target.with_name(f".{wanted.target.name}.{os.getpid()}.half")
            try:
                rows = _join(con, parts, half, wanted)
                sync(half)
                half.replace(wanted.target)
            finally:
                half.unlink(missing_ok=True)
    finally:
        con.close()
    sync(wanted.target.parent)
    return rows


class _Writer:
    """Writes the days one batch after the other, each to a file of its own."""

    def __init__(self, con: Connection, given: BuildInput, wanted: Export, folder: str) -> None:
        self.con, self.given, self.wanted, self.folder = con, given, wanted, folder
        self.manifest = given.previous or Manifest()
        self.warehouse = Warehouse(
            con, given.models, given.settings.params, given.lake, self.manifest
        )

    def write(self) -> list[str]:
        """Return the files that were written.

        Raises: ModelError where there is nothing to write, or a batch does not close.
        """
        _prepare(self.con, self.given.settings.tag_keys.get("user", ()))
        parts = []
        for number, days in enumerate(self._batches()):
            self._take(days)
            path = f"{self.folder}/{number}.parquet"
            columns = ", ".join(_columns(self.wanted.version))
            rows = _text("rows").replace("$is_named", str(self.wanted.is_named).lower())
            self.con.execute(
                f"copy (select {columns} from ({rows})) to {literal(path)} "
                "(format parquet, compression zstd, compression_level 1)"
            )
            parts.append(path)
        if not parts:
            raise ModelError(
                "no cost was attributed in those days",
                where=f"{self.wanted.from_date or 'the first day'} to "
                f"{self.wanted.to_date or 'the last'}",
                fix="`mlspend sql --named books` shows the months that there are",
            )
        return parts

    def _batches(self) -> Iterator[list[str]]:
        """Yield days, in order, whose lines are few enough to be worked on together."""
        counts = self.con.execute(
            "select charge_date, count(*) from staging.cost_lines "
            "where charge_date between coalesce($first, date '0001-01-01') "
            "and coalesce($last, date '9999-12-31') group by all order by all",
            {"first": self.wanted.from_date, "last": self.wanted.to_date},
        ).fetchall()
        batch: list[str] = []
        held = 0
        for day, count in counts:
            if batch and held + count > _ROWS:
                yield batch
                batch, held = [], 0
            batch.append(day.isoformat())
            held += count
        if batch:
            yield batch

    def _take(self, days: Sequence[str]) -> None:
        """Cut the lines of some days into `cells`, and prove that nothing was lost."""
        con = self.con
        self.warehouse.show_staged(days)
        stored = self.manifest.stored.get("attribution.postings", StoredTable())
        scan = stored.scan(self.given.lake, days)
        if scan is None:
            raise ModelError(
                f"there are bill lines from {days[0]} to {days[-1]}, but no postings",
                where="attribution.postings",
                fix="run `mlspend nightly` again",
            )
        con.execute(f"create or replace view attribution.postings as {scan}")
        con.execute(
            "create or replace temp table exported_lines as "
            f"select row_number() over () as line_no, * from ({_text('lines')})"
        )
        con.execute(f"create or replace temp table exported_parts as {_text('parts')}")
        _cut(con)
        _prove(con, days)


def _prepare(con: Connection, user_keys: Sequence[str]) -> None:
    con.execute(_text("macros"))
    allowed = columns_of("1.4")["ServiceCategory"].allowed
    con.execute(f"create macro service_categories() as {literals(allowed)}")
    con.execute(
        "create macro shown_tags(tags, is_named) as case when is_named then tags else "
        "map_from_entries(list_filter(map_entries(tags), "
        f"lambda tag: not list_contains({literals(list(user_keys))}, tag.key))) end"
    )
    con.execute(f"create temp table exported_runs as {_text('runs')}")


def _cut(con: Connection) -> None:
    """Fill `taken_lines` and `cells`: groups first, then what clusters pay for together.

    Under the idle policy `by_cluster` the idle part of a machine's lines is posted to a cluster. It
    is what its own postings leave of a group, and is cut among the cluster's postings after them.
    """
    sums = ", ".join(f"sum({each}) as {each}" for each in _MEASURES)
    con.execute(
        "create or replace temp table exported_rests as "
        f"with lines as (select {_GROUP}, {sums} from exported_lines group by all), "
        f"parts as (select {_GROUP}, {sums} from exported_parts group by all) "
        f"select -row_number() over () as part_no, {_GROUP}, "
        "lines.effective_cost - coalesce(parts.effective_cost, 0) as effective_cost, "
        "lines.billed_cost - coalesce(parts.billed_cost, 0) as billed_cost "
        f"from lines left join parts using ({_GROUP}) where parts.group_hash is null "
        "or lines.effective_cost <> parts.effective_cost or lines.billed_cost <> parts.billed_cost"
    )
    columns = f"part_no, {_GROUP}, effective_cost, billed_cost"
    con.execute("create or replace temp table taken_lines as from exported_lines")
    con.execute(
        f"create or replace temp view taken_parts as select {columns} from exported_parts "
        f"semi join exported_lines using ({_GROUP}) "
        f"union all select {columns} from exported_rests"
    )
    con.execute(f"create or replace temp table cells as {_text('cells')}")
    if con.execute("select count(*) from exported_rests").fetchone() != (0,):
        _cut_pools(con)


def _cut_pools(con: Connection) -> None:
    con.execute("create or replace temp table own_cells as from cells where part_no > 0")
    con.execute("create or replace temp table own_lines as from taken_lines")
    con.execute(
        "create or replace temp table taken_lines as select own_lines.* replace "
        "(pool_hash as group_hash, cells.effective_cost as effective_cost, "
        "cells.billed_cost as billed_cost, cells.list_cost as list_cost, "
        "cells.contracted_cost as contracted_cost, cells.consumed_quantity as consumed_quantity) "
        "from own_lines inner join cells using (line_no) where cells.part_no < 0"
    )
    con.execute(
        "create or replace temp view taken_parts as select * replace (pool_hash as group_hash) "
        f"from exported_parts anti join exported_lines using ({_GROUP})"
    )
    con.execute(f"create or replace temp table pool_cells as {_text('cells')}")
    con.execute("create or replace temp table taken_lines as from own_lines")
    con.execute(
        "create or replace temp table cells as from own_cells union all by name from pool_cells"
    )


def _prove(con: Connection, days: Sequence[str]) -> None:
    """Compare the cells with the bill lines and with the postings.

    Raises: ModelError where a sum differs.
    """
    sums = ", ".join(f"sum({each})" for each in _MEASURES)
    for what, key, table in (("bill", "line_no", "lines"), ("postings", "part_no", "parts")):
        found = con.execute(
            f"(select source, billing_currency, {sums} from exported_{table} group by all) except "
            f"(select source, billing_currency, {', '.join(f'sum(cells.{m})' for m in _MEASURES)} "
            f"from cells inner join exported_{table} using ({key}) group by all)"
        ).fetchall()
        if found:
            raise ModelError(
                f"the file would not add up to the {what} of {found[0][0]} in {found[0][1]}",
                where=f"{days[0]} to {days[-1]}",
                fix="run `mlspend check`, then `mlspend nightly`; nothing was written",
            )


def _columns(version: str) -> list[str]:
    """Return what a version's file has of the rows, allocation columns as it calls them."""
    known = columns_of(version)
    columns = []
    for column in _told():
        if column in known or column.startswith("x_"):
            columns.append(name(column))
        elif column.startswith("Allocated"):
            columns.append(f"{name(column)} as {name(f'x_{column}')}")
    return columns


def _told() -> list[str]:
    lines = _text("rows").partition("\nselect\n    billed_cost")[2]
    return [part.partition('"')[0] for part in lines.split(' as "')[1:]]


def _join(con: Connection, parts: Sequence[str], half: Path, wanted: Export) -> int:
    """Write the parts as one file."""
    how = format_of(wanted.target)
    source = f"read_parquet({literals(parts)})"
    columns = "*"
    if how is not None and how.startswith("format csv"):
        described = con.execute(f"describe select * from {source}").fetchall()
        columns = ", ".join(
            f"strftime({name(row[0])}, '%Y-%m-%dT%H:%M:%SZ') as {name(row[0])}"
            if str(row[1]).startswith("TIMESTAMP")
            else name(row[0])
            for row in described
        )
    row = con.execute(
        f"copy (select {columns} from {source}) to {literal(str(half))} ({how})"
    ).fetchone()
    return int(row[0]) if row else 0


def _text(query: str) -> str:
    return (HOME / "exported" / f"{query}.sql").read_text(encoding="utf-8")
