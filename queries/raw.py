"""Raw files as typed tables: what a source delivered, read by declared columns alone.

Nothing is guessed. A declared column that a file lacks reads as null, one that is not declared is
left in the file, and a value that is not of its declared type stops the source with the file, the
row and the value named. A double of 2048 or more is read by way of its shortest text, because
DuckDB's own cast to DECIMAL(38,12) is off in the twelfth place from there on (measured on 2.0.0);
below that both ways agree, and the cast is a hundred times faster. Times in text are read by way of
TIMESTAMPTZ, because the cast of a text to TIMESTAMP drops its offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from queries import ModelError
from queries.engines.duckdb import Error, literal, literals, name
from queries.shapes import as_text, shape_of, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from queries.engines.duckdb import Connection
    from queries.shapes import Shape

TYPES: Mapping[str, str] = {
    "text": "varchar",
    "number": "decimal(38, 12)",
    "integer": "bigint",
    "time": "timestamp",
    "flag": "boolean",
    "tags": "map(varchar, varchar)",
}
PROVENANCE: Mapping[str, str] = {
    "x_source": "varchar",
    "x_unit": "varchar",
    "x_version": "varchar",
    "x_version_at": "timestamp",
}


class Declared(Protocol):
    """What a connector says of one of its tables; `connectors.base.Table` is one."""

    @property
    def name(self) -> str:
        """The table."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Declared column -> type, a key of TYPES."""
        ...

    @property
    def maps(self) -> Mapping[str, str]:
        """A `tags` column -> prefix of the loose columns packed into it."""
        ...

    @property
    def rename(self) -> Callable[[str], str] | None:
        """Header as delivered -> declared name."""
        ...

    @property
    def null_marks(self) -> Sequence[str]:
        """Texts that mean null in CSV."""
        ...

    @property
    def is_bill(self) -> bool:
        """Whether its rows are money."""
        ...


def declaration(table: Declared) -> str:
    """Return what a table declares as one text: where it differs, files read differently."""
    columns = [f"{column} {kind}" for column, kind in table.columns.items()]
    maps = [f"{column} {prefix}" for column, prefix in table.maps.items()]
    return repr((table.name, columns, maps, list(table.null_marks)))


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One file in the raw store."""

    path: Path
    name: str
    """As the source names it."""
    format: str
    """csv, csv.gz or parquet."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Landed:
    """One delivery in the raw store."""

    source: str
    connector: str
    table: str
    unit: str
    version: str
    version_at: datetime
    """UTC, without a zone."""
    files: tuple[LandedFile, ...]
    landed_at: datetime
    """UTC, without a zone."""

    @property
    def raw_name(self) -> str:
        """`<connector>__<table>`: the raw table, and the stem of the staging models over it."""
        return f"{self.connector}__{self.table}"


def create_raw_view(
    con: Connection, connector: str, table: Declared, landed: Sequence[Landed]
) -> None:
    """Create `raw.<connector>__<table>` over deliveries; with none it is empty, and typed."""
    con.execute("create schema if not exists raw")
    view = f"raw.{name(f'{connector}__{table.name}')}"
    con.execute(f"create or replace view {view} as {raw_select(con, table, landed)}")


def raw_select(con: Connection, table: Declared, landed: Sequence[Landed]) -> str:
    """Return the query that reads deliveries of one table as its declared columns.

    Raises: ModelError for a file that cannot be opened.
    """
    shapes: dict[Shape, list[tuple[Landed, LandedFile]]] = {}
    for delivery in landed:
        for file in delivery.files:
            shape = shape_of(con, file)
            if shape.headers:
                shapes.setdefault(shape, []).append((delivery, file))
    if not shapes:
        return _empty(table)
    return "\nunion all\n".join(_select(table, shape, members) for shape, members in shapes.items())


def _empty(table: Declared) -> str:
    columns = {column: TYPES[kind] for column, kind in table.columns.items()} | dict(PROVENANCE)
    values = ", ".join(
        f"cast(null as {kind}) as {name(column)}" for column, kind in columns.items()
    )
    return f"select {values} where false"


def _select(table: Declared, shape: Shape, members: Sequence[tuple[Landed, LandedFile]]) -> str:
    columns = [
        f"{expression} as {name(column)}" for column, expression in _columns(table, shape).items()
    ]
    files = [file for _, file in members]
    deliveries = {delivery for delivery, _ in members}
    scan = _scan(table, shape, files)
    if len(deliveries) == 1:
        (only,) = deliveries
        columns += [f"{value} as {column}" for column, value in _provenance(only).items()]
        return f"select {', '.join(columns)} from {scan}"
    rows = ", ".join(
        f"({literal(str(file.path))}, {', '.join(_provenance(delivery).values())})"
        for delivery, file in members
    )
    of_file = f"(values {rows}) as of_file (x_path, {', '.join(PROVENANCE)})"
    columns += [f"of_file.{column}" for column in PROVENANCE]
    return f"select {', '.join(columns)} from {scan} as rows inner join {of_file} using (x_path)"


def _provenance(delivery: Landed) -> dict[str, str]:
    return {
        "x_source": literal(delivery.source),
        "x_unit": literal(delivery.unit),
        "x_version": literal(delivery.version),
        "x_version_at": f"timestamp {literal(delivery.version_at.isoformat(sep=' '))}",
    }


def _scan(table: Declared, shape: Shape, files: Sequence[LandedFile]) -> str:
    paths = literals([str(file.path) for file in files])
    if shape.format == "parquet":
        return f"read_parquet({paths}, filename = 'x_path', hive_partitioning = false)"
    columns = ", ".join(f"'c{position}': 'varchar'" for position in range(len(shape.headers)))
    compression = "gzip" if shape.format == "csv.gz" else "none"
    return (
        f"read_csv({paths}, columns = {{{columns}}}, header = true, auto_detect = false, "
        "delim = ',', quote = '\"', escape = '\"', strict_mode = true, "
        f"nullstr = {literals(list(table.null_marks))}, compression = '{compression}', "
        "max_line_size = 16777216, filename = 'x_path')"
    )


def _columns(table: Declared, shape: Shape) -> dict[str, str]:
    """Return declared column -> SQL expression over the scan."""
    rename = table.rename or str
    declared = {column.lower() for column in table.columns}
    there: dict[str, tuple[str, str]] = {}
    loose: dict[str, list[tuple[str, str]]] = {column: [] for column in table.maps}
    for header, kind, column in zip(shape.headers, shape.types, shape.sources, strict=True):
        renamed = rename(header)
        if renamed.lower() in declared:
            there.setdefault(renamed.lower(), (column, kind))
            continue
        for target, prefix in table.maps.items():
            key = _key_of(header, renamed, target, prefix)
            if key is not None:
                loose[target].append((key, column))
    return {
        column: _expression(kind, there.get(column.lower()), loose.get(column, []))
        for column, kind in table.columns.items()
    }


def undeclared_columns(con: Connection, table: Declared, delivery: Landed) -> list[str]:
    """Return the headers of a delivery that no declared column reads, each once, as delivered.

    Raises: ModelError for a file that cannot be opened.
    """
    headers = [header for file in delivery.files for header in shape_of(con, file).headers]
    return [header for header in dict.fromkeys(headers) if not _is_read(table, header)]


def _is_read(table: Declared, header: str) -> bool:
    renamed = (table.rename or str)(header)
    return renamed.lower() in {column.lower() for column in table.columns} or any(
        _key_of(header, renamed, target, prefix) is not None
        for target, prefix in table.maps.items()
    )


def _key_of(header: str, renamed: str, target: str, prefix: str) -> str | None:
    """Return the map key of a loose column, none where it is not one of the map's."""
    if header.lower().startswith(prefix.lower()):
        return header[len(prefix) :]
    if renamed.lower().startswith(f"{target.lower()}_"):
        return renamed[len(target) + 1 :]
    return None


def _expression(kind: str, found: tuple[str, str] | None, loose: Sequence[tuple[str, str]]) -> str:
    if kind == "tags":
        return _tags(found, loose)
    if found is None:
        return f"cast(null as {TYPES[kind]})"
    column, actual = found
    if kind == "number":
        return _number(column, actual)
    if kind == "time":
        return _time(column, actual)
    if kind == "text":
        return as_text(column, actual)
    return column if actual.lower() == TYPES[kind] else f"cast({column} as {TYPES[kind]})"


def _time(column: str, actual: str) -> str:
    if actual == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {column})"
    if actual == "VARCHAR":
        # "4/1/25" would be read as a day of the year 4: a time begins with its year
        dated = f"case when {column}[5] = '-' then {column} else 'no ISO time: ' || {column} end"
        return f"timezone('UTC', cast({dated} as timestamptz))"
    return column if actual == "TIMESTAMP" else f"cast({column} as timestamp)"


def _number(column: str, actual: str) -> str:
    exact = f"cast(cast({column} as varchar) as decimal(38, 12))"
    if actual == "DOUBLE":
        fast = f"cast({column} as decimal(38, 12))"
        return f"case when {column} > -2048 and {column} < 2048 then {fast} else {exact} end"
    if actual == "FLOAT":
        return exact
    return f"cast({column} as decimal(38, 12))"


def _tags(found: tuple[str, str] | None, loose: Sequence[tuple[str, str]]) -> str:
    parts = []
    if found is not None:
        column, actual = found
        if actual == "MAP(VARCHAR, VARCHAR)":
            parts.append(column)
        elif actual.startswith("MAP"):
            parts.append(f"cast({column} as map(varchar, varchar))")
        elif actual in ("VARCHAR", "JSON"):
            parts.append(f"try_cast(try_cast({column} as json) as map(varchar, varchar))")
        elif actual.endswith("[]"):
            parts.append(f"map_from_entries({column})")
    if loose:
        entries = ", ".join(
            f"{{'k': {literal(key)}, 'v': cast({column} as varchar)}}" for key, column in loose
        )
        parts.append(
            f"map_from_entries(list_filter([{entries}], lambda entry: entry.v is not null))"
        )
    if not parts:
        return "cast(null as map(varchar, varchar))"
    return parts[0] if len(parts) == 1 else f"map_concat({', '.join(parts)})"


def find_bad_value(con: Connection, table: Declared, landed: Sequence[Landed]) -> ModelError | None:
    """Look for the first value that is not of its declared type; none where all are.

    Slow, because it reads every file again: call it after a conversion has failed.
    """
    for delivery in landed:
        for file in delivery.files:
            shape = shape_of(con, file)
            found = _bad_value_in(con, table, shape, file) if shape.headers else None
            if found is not None:
                return found
    return None


def _bad_value_in(
    con: Connection, table: Declared, shape: Shape, file: LandedFile
) -> ModelError | None:
    expressions = _columns(table, shape)
    for column, kind in table.columns.items():
        if kind not in ("number", "time", "integer", "flag"):
            continue
        source = _source_column(table, shape, column)
        if source is None:
            continue
        attempt = f"try({expressions[column]})"
        con.execute("set preserve_insertion_order = true")
        try:
            row = con.execute(
                f"select row_number, value from (select row_number() over () as row_number, "
                f"cast({source} as varchar) as value, {source} is not null and {attempt} is null "
                f"as is_bad from {_scan(table, shape, [file])}) where is_bad limit 1"
            ).fetchone()
        except Error as error:
            return unreadable(file, str(error).splitlines()[0])
        finally:
            con.execute("set preserve_insertion_order = false")
        if row is not None:
            return ModelError(
                f"column {column} holds {row[1]!r}, which is not a {kind}",
                where=f"{file.name}, row {row[0]} after the header ({file.path})",
                fix="have the source write it again; the last good delivery stays in force",
            )
    return None


def _source_column(table: Declared, shape: Shape, column: str) -> str | None:
    rename = table.rename or str
    for header, source in zip(shape.headers, shape.sources, strict=True):
        if rename(header).lower() == column.lower():
            return source
    return None
