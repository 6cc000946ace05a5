"""Raw files as typed tables: what a source delivered, read by declared columns alone.

Nothing is guessed. A declared column that a file lacks reads as null, one that is not declared is
left in the file, and a value that is not of its declared type stops the source with the file, the
row and the value named; `raw_values` says how each is read.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from queries import ModelError
from queries.engines.duckdb import Error, Limits, connect, literal, literals, name
from queries.raw_values import TYPES, expression
from queries.shapes import constants_in, json_scan, shape_of, unreadable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from queries.engines.duckdb import Connection
    from queries.landed import Declared, Landed, LandedFile
    from queries.shapes import Shape

PROVENANCE: Mapping[str, str] = {
    "x_source": "varchar",
    "x_unit": "varchar",
    "x_version": "varchar",
    "x_version_at": "timestamp",
}


CSV_BUFFERS = "max_line_size = 16777216, buffer_size = 33554432"
"""Left alone, a buffer is sixteen of the longest lines: 256 MB, and a big file fills several."""


def create_raw_view(
    con: Connection, connector: str, table: Declared, landed: Sequence[Landed]
) -> str:
    """Create `raw.<connector>__<table>` over deliveries; with none it is empty, and typed.

    Returns its query.
    """
    query = raw_select(con, table, landed)
    show_raw(con, connector, table, query)
    return query


def show_raw(con: Connection, connector: str, table: Declared, query: str) -> None:
    """Create `raw.<connector>__<table>` over a query."""
    con.execute("create schema if not exists raw")
    view = f"raw.{name(f'{connector}__{table.name}')}"
    con.execute(f"create or replace view {view} as {query}")


def raw_select(con: Connection, table: Declared, landed: Sequence[Landed]) -> str:
    """Return the query that reads deliveries of one table as its declared columns.

    Raises: ModelError for a file that cannot be opened.
    """
    shapes = by_shape(con, table, landed)
    if not shapes:
        return _empty(table)
    return "\nunion all\n".join(
        _select(table, _knowing_constants(con, table, shape, members), members)
        for shape, members in shapes.items()
    )


def by_shape(
    con: Connection, table: Declared, landed: Sequence[Landed]
) -> dict[Shape, list[tuple[Landed, LandedFile]]]:
    """Return the files of deliveries that are read alike together; those without a header not.

    Raises: ModelError for a file that cannot be opened.
    """
    shapes: dict[Shape, list[tuple[Landed, LandedFile]]] = {}
    for delivery in landed:
        for file in delivery.files:
            shape = shape_in(con, table, file)
            if shape.headers:
                shapes.setdefault(shape, []).append((delivery, file))
    return shapes


def _knowing_constants(
    con: Connection, table: Declared, shape: Shape, members: Sequence[tuple[Landed, LandedFile]]
) -> Shape:
    """Return a shape whose columns that are the same in all lines of a bill are read as values."""
    if not table.is_bill or shape.format != "parquet":
        return shape
    known = constants_in(con, shape, [file for _, file in members])
    sources = tuple(known.get(source, source) for source in shape.sources)
    return replace(shape, sources=sources)


def _empty(table: Declared) -> str:
    columns = {column: TYPES[kind] for column, kind in table.columns.items()} | dict(PROVENANCE)
    values = ", ".join(
        f"cast(null as {kind}) as {name(column)}" for column, kind in columns.items()
    )
    return f"select {values} where false"


def _select(table: Declared, shape: Shape, members: Sequence[tuple[Landed, LandedFile]]) -> str:
    columns = [
        f"{expression} as {name(column)}" for column, expression in columns_of(table, shape).items()
    ]
    files = [file for _, file in members]
    deliveries = {delivery for delivery, _ in members}
    scan = f"{scan_of(table, shape, files)} as rows{_joins(table, shape, files)}"
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
    return f"select {', '.join(columns)} from {scan} inner join {of_file} using (x_path)"


def _joins(table: Declared, shape: Shape, files: Sequence[LandedFile]) -> str:
    """Return what brings maps to their texts, where a file says few: each text is parsed once."""
    meant = expression("tags", ("said", "VARCHAR"), [], is_month_first=False)
    scan = scan_of(table, shape, files)
    return "".join(
        f" left join (select said, {meant} as meant from (select distinct {source} as said "
        f"from {scan})) as {meaning} on rows.{source} = {meaning}.said"
        for source, meaning in _meanings(table, shape).items()
    )


def _meanings(table: Declared, shape: Shape) -> dict[str, str]:
    """Return column that is text of a map, and says few -> what stands for it in a query."""
    found = _places(table, shape.headers)
    sources = [shape.sources[found[column]] for column in _maps(table) if column in found]
    return {
        source: f"of_text_{place}" for place, source in enumerate(sources) if source in shape.few
    }


def _maps(table: Declared) -> list[str]:
    return [column for column, kind in table.columns.items() if kind == "tags"]


def _provenance(delivery: Landed) -> dict[str, str]:
    return {
        "x_source": literal(delivery.source),
        "x_unit": literal(delivery.unit),
        "x_version": literal(delivery.version),
        "x_version_at": f"timestamp {literal(delivery.version_at.isoformat(sep=' '))}",
    }


def scan_of(table: Declared, shape: Shape, files: Sequence[LandedFile]) -> str:
    """Return what reads files of one shape in SQL, `x_path` telling each row's file."""
    paths = literals([str(file.path) for file in files])
    if shape.format == "parquet":
        return f"read_parquet({paths}, filename = 'x_path', hive_partitioning = false)"
    if shape.format.startswith("json"):
        return json_scan(paths, shape)
    columns = ", ".join(f"'c{position}': 'varchar'" for position in range(len(shape.headers)))
    compression = "gzip" if shape.format == "csv.gz" else "none"
    return (
        f"read_csv({paths}, columns = {{{columns}}}, header = true, auto_detect = false, "
        "delim = ',', quote = '\"', escape = '\"', "
        f"strict_mode = {shape.is_strict}, nullstr = {literals(list(table.null_marks))}, "
        f"compression = '{compression}', "
        f"{CSV_BUFFERS}, filename = 'x_path')"
    )


def columns_of(table: Declared, shape: Shape) -> dict[str, str]:
    """Return declared column -> SQL expression over the scan."""
    declared = {column.lower() for column in table.columns}
    found = _places(table, shape.headers)
    there = {column: (shape.sources[place], shape.types[place]) for column, place in found.items()}
    loose: dict[str, list[tuple[str, str]]] = {column: [] for column in table.maps}
    for place, header in enumerate(shape.headers):
        if (table.rename or str)(header).lower() not in declared and place not in found.values():
            for target, prefix in table.maps.items():
                key = _key_of(header, (table.rename or str)(header), target, prefix)
                if key is not None:
                    loose[target].append((key, shape.sources[place]))
    for source, meaning in _meanings(table, shape).items():
        for column in _maps(table):
            if column in there and there[column][0] == source:
                there[column] = (f"{meaning}.meant", TYPES["tags"].upper())
    told = {column: literal(value) for column, value in shape.told}
    return {
        column: told.get(column)
        or expression(
            kind, there.get(column), loose.get(column, []), is_month_first=shape.is_month_first
        )
        for column, kind in table.columns.items()
    }


def _places(table: Declared, headers: Sequence[str]) -> dict[str, int]:
    """Return declared column -> which header is read as it: its own name before its aliases."""
    places: dict[str, int] = {}
    for place, header in enumerate(headers):
        places.setdefault((table.rename or str)(header).lower(), place)
    found = {}
    for column in table.columns:
        for called in (column, *table.aliases.get(column, ())):
            if called.lower() in places:
                found[column] = places[called.lower()]
                break
    return found


def undeclared_columns(con: Connection, table: Declared, delivery: Landed) -> list[str]:
    """Return the headers of a delivery that no declared column reads, each once, as delivered.

    Raises: ModelError for a file that cannot be opened.
    """
    headers = [header for file in delivery.files for header in shape_of(con, file).headers]
    return [header for header in dict.fromkeys(headers) if not _is_read(table, header)]


def _is_read(table: Declared, header: str) -> bool:
    renamed = (table.rename or str)(header)
    return bool(_places(table, [header])) or any(
        _key_of(header, renamed, target, prefix) is not None
        for target, prefix in table.maps.items()
    )


def read_places(table: Declared, headers: Sequence[str], columns: Collection[str]) -> list[int]:
    """Return which headers some of a table's declared `columns` read."""
    places = {place for column, place in _places(table, headers).items() if column in columns}
    for target, prefix in table.maps.items():
        for place, header in enumerate(headers):
            renamed = (table.rename or str)(header)
            if target in columns and _key_of(header, renamed, target, prefix) is not None:
                places.add(place)
    return sorted(places)


def _key_of(header: str, renamed: str, target: str, prefix: str) -> str | None:
    """Return the map key of a loose column, none where it is not one of the map's."""
    if header.lower().startswith(prefix.lower()):
        return header[len(prefix) :]
    if renamed.lower().startswith(f"{target.lower()}_"):
        return renamed[len(target) + 1 :]
    return None


def shape_in(con: Connection, table: Declared, file: LandedFile) -> Shape:
    """Return how a file is read as one of a table, with what its name and its first time tell."""
    shape = shape_of(con, file)
    told = tuple((column, tell(file.name)) for column, tell in table.of_file.items())
    is_month_first = table.month_first and "/" in _some_time(con, table, shape, file)
    few = frozenset(_meanings(table, shape))  # files differ in others, and it changes nothing
    return replace(shape, told=told, is_month_first=is_month_first, few=few)


def _some_time(con: Connection, table: Declared, shape: Shape, file: LandedFile) -> str:
    """Return one of the times that a file writes as text; empty where there is none."""
    places = _places(table, shape.headers)
    columns = [
        shape.sources[places[column]]
        for column, kind in table.columns.items()
        if kind == "time" and column in places and shape.types[places[column]] == "VARCHAR"
    ]
    if not columns:
        return ""
    written = f"coalesce({', '.join(columns)})"
    try:
        row = con.execute(
            f"select {written} from {scan_of(table, shape, [file])} "
            f"where {written} is not null limit 1"
        ).fetchone()
    except Error as error:
        raise unreadable(file, str(error).splitlines()[0]) from error
    return str(row[0]) if row else ""


def find_bad_value(con: Connection, table: Declared, landed: Sequence[Landed]) -> ModelError | None:
    """Look for the first value that is not of its declared type; none where all are.

    Slow, because it reads every file again: call it after a conversion has failed.
    """
    for delivery in landed:
        for file in delivery.files:
            shape = shape_in(con, table, file)
            found = _bad_value_in(con, table, shape, file) if shape.headers else None
            if found is not None:
                return found
    return None


def name_the_row(error: ModelError, table: Declared, files: Sequence[LandedFile]) -> None:
    """Add to an error's place the row of the first bad value of its file, where there is one."""
    for file in files:
        place = f"{file.name} ({file.path})"
        if f"in:  {place}" not in error.__notes__:
            continue
        with closing(connect(Limits(threads=1))) as con:
            shape = shape_in(con, table, file)
            found = _bad_value_in(con, table, shape, file) if shape.headers else None
        if found is not None:
            error.__notes__ = [
                found.__notes__[0] if note == f"in:  {place}" else note for note in error.__notes__
            ]


def _bad_value_in(
    con: Connection, table: Declared, shape: Shape, file: LandedFile
) -> ModelError | None:
    expressions = columns_of(table, shape)
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
                f"as is_bad from {scan_of(table, shape, [file])}) where is_bad limit 1"
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
    place = _places(table, shape.headers).get(column)
    return None if place is None else shape.sources[place]
