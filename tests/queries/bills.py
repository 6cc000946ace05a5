"""Bills staged and summed for tests, and exact sums of CSV that share no code with either."""

from __future__ import annotations

import ast
import csv
import gzip
import hashlib
from contextlib import contextmanager
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from connectors import connector_class
from connectors.stored import format_of
from queries.catalog import HOME, read_model
from queries.engines.duckdb import Connection, Limits, connect, create_macros, create_seeds
from queries.landed import Landed, LandedFile
from queries.plain import plain_totals
from queries.raw import create_raw_view
from queries.stage import check_feed
from queries.totals import raw_totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DATA = Path("tests/data")
EXACT = Context(prec=200)
WIDE = Context(prec=1200)
Row = dict[str, object]


def land(kind: str, paths: Sequence[Path]) -> Landed:
    """Return files as one delivery in the raw store."""
    at = datetime(2026, 11, 2)  # noqa: DTZ001 - raw times are UTC without a zone
    files = tuple(
        LandedFile(
            path,
            f"{path.parent.name}/{path.name}",
            format_of(path.name),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in paths
    )
    table = connector_class(kind).tables[0].name
    return Landed("acme", kind, table, "2026-10", "v1", at, files, at)


@contextmanager
def staged(kind: str, paths: Sequence[Path], records: str = "") -> Iterator[Connection]:
    """Open a warehouse in which the view `staged` is a bill's model over some files.

    `records` is another model than the one of the bill's lines.
    """
    con = connect(Limits(threads=1))
    try:
        create_macros(con, {})
        create_seeds(con)
        table = connector_class(kind).tables[0]
        create_raw_view(con, kind, table, [land(kind, paths)])
        model = read_model(HOME / "staging" / f"{kind}__{records or table.name}.sql")
        con.execute(f"create temp view staged as {model.sql}")
        check_feed(con, model, "staged")
        yield con
    finally:
        con.close()


def stage_rows(kind: str, paths: Sequence[Path], records: str = "") -> list[Row]:
    """Return the staged lines of some files, or other records that a model reads in them."""
    with staged(kind, paths, records) as con:
        found = con.execute("select * from staged order by all")
        columns = [column[0] for column in found.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def assert_plain(table: str, paths: Sequence[Path]) -> None:
    """See that the loop over lines adds a delivery up to what the books are held against."""
    names = [f"{path.parent.name}/{path.name}" for path in paths]
    wanted: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for total in raw_totals(table, paths, names):
        amount, beyond = wanted.get((total.billing_currency, total.measure), (Decimal(0),) * 2)
        wanted[total.billing_currency, total.measure] = (
            WIDE.add(amount, total.amount),
            WIDE.add(beyond, total.beyond),
        )
    found, _ = plain_totals(table, list(zip(paths, names, strict=True)))
    assert found == {key: pair for key, pair in wanted.items() if any(pair)}


def open_text(path: Path) -> TextIO:
    """Open a CSV file, packed or not."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def lines_of(path: Path) -> Iterator[dict[str, str]]:
    """Yield the lines of a CSV file as the standard library reads them."""
    with open_text(path) as text:
        yield from csv.DictReader(text)


def sum_column(paths: Sequence[Path], column: str) -> tuple[Decimal, Decimal]:
    """Add a column of CSV files line by line: at 12 places, and what lies beyond."""
    rounded = beyond = Decimal(0)
    for path in paths:
        for line in lines_of(path):
            text = line.get(column) or ""
            if text in ("", "NULL", "null"):
                continue
            value = Decimal(text)
            units = value.quantize(Decimal("1e-12"), ROUND_HALF_UP, EXACT)
            rounded = EXACT.add(rounded, units)
            beyond = EXACT.add(beyond, EXACT.subtract(value, units))
    return rounded, beyond


def sum_printed_credits(paths: Sequence[Path]) -> Decimal:
    """Add the credits of Google's lines, where Python has printed them; 0 for any other bill."""
    total = Decimal(0)
    for path in paths:
        for line in lines_of(path):
            for credit in ast.literal_eval(line.get("credits") or "[]"):
                total = EXACT.add(total, Decimal(repr(credit["amount"])))
    return total
