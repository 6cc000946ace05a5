"""One FOCUS file as DuckDB sees it: its columns by the specification's names, values typed or null.

Each column of the specification that a file has is there twice: under its own name, of its own
type, and under `raw_<name>` as the text that was written. What is not of its type is null in the
first and stands in the second, so that a rule can tell the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from queries.engines.duckdb import literal, literals, name
from queries.landed import LandedFile
from queries.raw import CSV_BUFFERS
from queries.shapes import csv_header

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from queries.engines.duckdb import Connection
    from queries.focus.model import Column

NULL_MARKS = ("", "NULL", "null", "(null)", "None", "''")
_TYPES = {"Decimal": "decimal(38, 12)", "Date/Time": "timestamp"}
_NUMBERS = ("DOUBLE", "FLOAT", "DECIMAL", "BIGINT", "INTEGER", "HUGEINT", "SMALLINT", "TINYINT")


@dataclass(frozen=True, slots=True)
class FocusFile:
    """A file, and what its header holds."""

    path: Path
    headers: tuple[str, ...]
    """As written, in order."""
    kinds: tuple[str, ...]
    """DuckDB's type of each: text throughout for CSV."""
    format: str
    """csv, csv.gz or parquet."""
    is_strict: bool = True
    """Whether lines of CSV end in one way."""

    def found(self, columns: Mapping[str, Column]) -> dict[str, int]:
        """Return column of the specification -> its place in the file, whatever its case."""
        by_letters = {column.lower(): column for column in columns}
        places: dict[str, int] = {}
        for place, header in enumerate(self.headers):
            column = by_letters.get(header.replace("_", "").lower())
            if column is not None and (column not in places or header == column):
                places[column] = place
        return places

    def source_of(self, place: int) -> str:
        """Return the SQL name of the column at a place of the scan."""
        return name(self.headers[place]) if self.format == "parquet" else f"c{place}"

    def scan(self) -> str:
        """Return the table function that reads the file."""
        path = literal(str(self.path))
        if self.format == "parquet":
            return f"read_parquet({path}, hive_partitioning = false)"
        columns = ", ".join(f"'c{place}': 'varchar'" for place in range(len(self.headers)))
        compression = "gzip" if self.format == "csv.gz" else "none"
        return (
            f"read_csv({path}, columns = {{{columns}}}, header = true, auto_detect = false, "
            "delim = ',', quote = '\"', escape = '\"', "
            f"strict_mode = {self.is_strict}, nullstr = {literals(NULL_MARKS)}, "
            f"compression = '{compression}', "
            f"{CSV_BUFFERS})"
        )

    def lines(self, columns: Mapping[str, Column]) -> str:
        """Return the query over its lines, each column typed and as written."""
        parts = []
        for column, place in self.found(columns).items():
            source, actual = self.source_of(place), self.kinds[place]
            parts.append(f"{_typed(source, actual, columns[column])} as {name(column)}")
            parts.append(f"{_text(source, actual)} as {name(f'raw_{column}')}")
        return f"select {', '.join(parts) or '1 as nothing'} from {self.scan()}"


def open_file(con: Connection, path: Path) -> FocusFile:
    """Read a file's header.

    Raises: ModelError for a file that cannot be read.
    """
    kind = "parquet" if path.suffix == ".parquet" else "csv"
    kind = "csv.gz" if path.name.endswith(".gz") else kind
    if kind == "parquet":
        rows = con.execute(
            f"describe select * from read_parquet({literal(str(path))}, hive_partitioning = false)"
        ).fetchall()
        return FocusFile(path, tuple(row[0] for row in rows), tuple(row[1] for row in rows), kind)
    headers = csv_header(LandedFile(path, path.name, kind, ""))
    return FocusFile(path, headers, ("VARCHAR",) * len(headers), kind)


def is_of_kind(actual: str, column: Column) -> bool:
    """Tell whether a Parquet column has a type that can hold what the specification asks for."""
    if column.kind == "Decimal":
        return actual.startswith(_NUMBERS)
    if column.kind == "Date/Time":
        return actual.startswith("TIMESTAMP")
    if column.kind == "JSON":
        return actual in ("VARCHAR", "JSON") or actual.startswith(("MAP", "STRUCT"))
    return actual == "VARCHAR"


def _typed(source: str, actual: str, column: Column) -> str:
    wanted = _TYPES.get(column.kind)
    if wanted is None:
        return _text(source, actual)
    if actual == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {source})"
    if wanted == "timestamp" and actual == "VARCHAR":
        # what timezone('UTC', ...) says, at half the price
        return f"make_timestamp(epoch_us(try_cast({source} as timestamptz)))"
    return f"try_cast({source} as {wanted})"


def _text(source: str, actual: str) -> str:
    if actual == "VARCHAR":
        return source
    nested = actual.startswith(("MAP", "STRUCT")) or actual.endswith("[]")
    return f"cast({f'to_json({source})' if nested else source} as varchar)"
