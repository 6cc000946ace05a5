"""What a bill costs by a reader that shares no code with mlspend: csv, json, Arrow and `decimal`.

It knows one measure of each format, and refuses what is not whole: a line of another width than
the header, letters that are not UTF-8, a cost that is no number.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import re
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Cells = Mapping[str, Any]

EXACT = Context(prec=600)
_NUMBER = re.compile(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? *")
_UNREADABLE = (csv.Error, EOFError, InvalidOperation, OSError, SyntaxError, TypeError, ValueError)


class NotWholeError(Exception):
    """A file is not what its format says."""


def letters(header: str) -> str:
    """Return a header without what spellings differ in."""
    return header.lower().replace("_", "").replace(" ", "").replace("-", "")


@dataclass(frozen=True)
class Way:
    """How one measure of one format is read."""

    cost: str
    """The column, in `letters`."""
    currency: str
    measure: str
    nulls: frozenset[str] = frozenset(("",))
    credits: str = ""
    """A column with a list of objects of which each has an amount."""
    counts: Callable[[Cells], bool] = lambda _: True
    """Whether a line counts."""
    also: tuple[str, ...] = ()
    """The columns that `counts` asks for."""

    def columns(self) -> set[str]:
        """Return the columns that are read."""
        return {self.cost, self.currency, self.credits, *self.also} - {""}


@dataclass(frozen=True)
class Found:
    """What a file adds up to."""

    sums: Mapping[str, Decimal]
    """Currency -> cost, without those that are 0; XXX where a line has none."""
    rows: int
    has_cost: bool
    """Whether there is a column of the cost."""


def read_apart(path: Path, way: Way) -> Found:
    """Add a file up.

    Raises: NotWholeError
    """
    sums: dict[str, Decimal] = {}
    rows, has_cost = 0, False
    try:
        for cells in _lines(path, way):
            rows += 1
            has_cost = has_cost or way.cost in cells
            said = {
                key: None if isinstance(cell, str) and cell in way.nulls else cell
                for key, cell in cells.items()
            }
            if not way.counts(said):
                continue
            currency = said.get(way.currency) or "XXX"
            total = EXACT.add(sums.get(currency, Decimal(0)), _number(said.get(way.cost)))
            for each in _list(said.get(way.credits) if way.credits else None):
                total = EXACT.add(total, _number(each.get("amount")))
            sums[currency] = total
    except (*_UNREADABLE, pa.ArrowException, AttributeError) as error:
        raise NotWholeError(str(error)) from error
    return Found({key: value for key, value in sums.items() if value}, rows, has_cost)


def _lines(path: Path, way: Way) -> Iterator[Cells]:
    content = path.read_bytes()
    if path.name.endswith(".gz"):
        content = gzip.decompress(content)
    if path.name.endswith(".parquet"):
        return _of_parquet(content, way)
    text = content.decode("utf-8-sig")
    return _of_json(text) if ".json" in path.name else _of_csv(text)


def _of_csv(text: str) -> Iterator[Cells]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [letters(each) for each in next(reader, [])]
    for row in reader:
        if row:
            # The first of two columns of one name counts.
            yield dict(zip(reversed(header), reversed(row), strict=True))


def _of_json(text: str) -> Iterator[Cells]:
    for line in text.split("\n"):
        if line.strip():
            found = json.loads(line, parse_float=str, parse_int=str)
            yield {letters(key): value for key, value in found.items()}


def _of_parquet(content: bytes, way: Way) -> Iterator[Cells]:
    file = parquet.ParquetFile(io.BytesIO(content))
    wanted = [name for name in file.schema_arrow.names if letters(name) in way.columns()]
    for row in file.read(columns=wanted).to_pylist():
        yield {letters(key): value for key, value in row.items()}


def _list(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, str):
        return value or []
    try:
        return json.loads(value, parse_float=str, parse_int=str) or []
    except ValueError:
        return ast.literal_eval(value) or []


def _number(value: Any) -> Decimal:
    if value is None:
        return Decimal(0)
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise NotWholeError(value)
    found = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    if not found.is_finite():
        raise NotWholeError(value)
    return found
