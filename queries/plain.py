"""What the raw files of a bill add up to a third time: a loop over lines, and `decimal`.

Models add up in SQL, the books' totals in polars (`queries/totals`). Here lines are read one by one
by csv and json (Parquet by DuckDB, as a reader of cells), each format's rules are written out in
plain words (`plain_rules.py`), and nothing is shared with the other two. It is slow, and short
enough to be checked by eye: that is what it is for.
"""

from __future__ import annotations

import csv
import gzip
import json
from contextlib import closing
from operator import itemgetter
from typing import TYPE_CHECKING

from queries import ModelError
from queries.engines.duckdb import Error, Limits, connect, name
from queries.plain_rules import BILLS, Sum, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal
    from pathlib import Path

    from queries.plain_rules import Bill, Line

    Amounts = dict[tuple[str, str], tuple[Decimal, Decimal]]
    """Currency, measure -> amount at twelve places, what lies beyond; without those that are 0."""

_ROWS = 10_000
_UNREADABLE = (
    *(ArithmeticError, AttributeError, LookupError, SyntaxError, TypeError, ValueError),
    *(EOFError, OSError, Error),
)
"""What a loop over damaged lines may stumble over."""
_LONGEST_CELL = 1 << 28
"""A list of tags or credits may be longer than csv takes a cell for."""


def plain_totals(table: str, files: Sequence[tuple[Path, str]]) -> tuple[Amounts, int]:
    """Return what the files of one delivery of `<connector>__<table>` add up to, and their lines.

    Each file is given with the name that its source gives it.

    Raises: ModelError for a file or value that cannot be read.
    """
    bill, sums, counter = BILLS[table], Sums(Sum), [0]
    place = ""

    def lines() -> Iterator[tuple[str, Line]]:
        nonlocal place
        for path, file_name in files:
            place = str(path)
            for line in _lines_of(path, bill):
                counter[0] += 1
                yield file_name, line

    try:
        bill.rule(lines(), sums)
    except _UNREADABLE as error:
        raise ModelError(
            f"a bill cannot be added up plainly: {type(error).__name__}: {error}".splitlines()[0],
            where=place,
            fix="nothing else says so of this file: report this as a fault",
        ) from error
    found = {key: (total.units, total.beyond) for key, total in sums.items()}
    return {key: pair for key, pair in sorted(found.items()) if any(pair)}, counter[0]


def _lines_of(path: Path, bill: Bill) -> Iterator[Line]:
    """Yield a file's lines with the wanted columns that it has; the first where two are alike."""
    if path.name.endswith(".parquet"):
        yield from _parquet(path, bill)
        return
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
        if path.name.endswith((".json", ".json.gz")):
            for written in text:
                if written.strip():
                    record = json.loads(written, parse_float=str, parse_int=str)
                    found = _found(record, bill)
                    yield {column: record[header] for column, header in found.items()}
            return
        csv.field_size_limit(_LONGEST_CELL)
        reader = csv.reader(text)
        headers = next(reader, [])
        found = _found(headers, bill)
        columns, places = list(found), [headers.index(header) for header in found.values()]
        # Of one place alone `itemgetter` would give a cell, not a row of them.
        cells = itemgetter(*places, 0) if places else lambda _: ()
        for row in reader:
            if row:
                filled = zip(columns, cells(row), strict=False)
                yield {column: cell for column, cell in filled if cell not in bill.nulls}


def _parquet(path: Path, bill: Bill) -> Iterator[Line]:
    with closing(connect(Limits(memory="400MB", threads=1))) as con:
        source = "read_parquet($path, hive_partitioning = false)"
        given = {"path": str(path)}
        described = con.execute(f"describe from {source}", given).fetchall()
        kinds = {row[0]: row[1] for row in described}
        found = _found(kinds, bill)
        if not found:
            return
        cells = ", ".join(_cell(header, kinds[header]) for header in found.values())
        con.execute(f"select {cells} from {source}", given)
        while rows := con.fetchmany(_ROWS):
            for row in rows:
                yield dict(zip(found, row, strict=True))


def _cell(header: str, kind: str) -> str:
    """Return what reads a column: times as they are in UTC, bytes as the text that they are."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {name(header)})"
    return f"decode({name(header)})" if kind == "BLOB" else name(header)


def _found(headers: Iterable[str], bill: Bill) -> dict[str, str]:
    found: dict[str, str] = {}
    for header in headers:
        found.setdefault(bill.header(header), header)
    return {column: found[column] for column in bill.columns if column in found}
