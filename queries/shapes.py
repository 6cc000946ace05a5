"""What a raw file looks like from outside: its columns, their types, and how SQL names them.

Parquet and JSON may nest. A struct stands for its fields, called as flattened text calls them
(`service.description`), however deep; a list of structs is one column, which reads as JSON in which
every value is a text, because a number in JSON would be a double.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from queries import ModelError
from queries.csv_faults import find_csv_fault, is_sound_in_two_ways
from queries.engines.duckdb import Error, literal, literals, name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from queries.engines.duckdb import Connection
    from queries.landed import LandedFile

CSV = ("csv", "csv.gz")
BIG_TEXT = 1 << 20
"""Bytes of CSV: of less, loading what makes it Parquet takes longer than all that it saves."""
_STRUCT = "STRUCT("
_PLAIN = (
    *("VARCHAR", "DOUBLE", "FLOAT", "BIGINT", "INTEGER"),
    *("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
)
"""Types whose nulls statistics count as rows do: what nests has values of its own."""
_SHOWN_AS_IT_IS = re.compile(r"[ -\[\]-~]+")
"""Texts that statistics show as they are: other letters may be escaped, by a backslash."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Files that are read alike: same format, same columns in the same order."""

    format: str
    headers: tuple[str, ...]
    types: tuple[str, ...]
    sources: tuple[str, ...]
    """What each column is in SQL over a scan of the file."""
    few: frozenset[str] = frozenset()
    """Of the sources, texts that say few things many times over."""
    is_month_first: bool = False
    """Whether the times in text are MM/DD/YYYY."""
    is_strict: bool = True
    """Whether lines of CSV end in one way, which is all that a strict reader takes."""
    told: tuple[tuple[str, str], ...] = ()
    """Columns that the files' names tell, with their value."""


def shape_of(con: Connection, file: LandedFile) -> Shape:
    """Return a file's shape; one without headers for an empty file.

    Raises: ModelError for a file that cannot be opened.
    """
    if file.kept:
        return Shape(
            file.format,
            headers=tuple(header for _, header in file.kept),
            types=("VARCHAR",) * len(file.kept),
            sources=tuple(name(column) for column, _ in file.kept),
            few=frozenset(map(name, file.few)),
        )
    if file.format.startswith("json"):
        return _json_shape(con, file)
    if file.format != "parquet":
        headers = csv_header(file)
        sources = tuple(f"c{position}" for position in range(len(headers)))
        is_strict = is_big_text(file) or not is_sound_in_two_ways(file.path)
        return Shape(
            file.format, headers, ("VARCHAR",) * len(headers), sources, is_strict=is_strict
        )
    try:
        rows = con.execute(
            f"describe select * from read_parquet({literal(str(file.path))}, "
            "hive_partitioning = false)"
        ).fetchall()
    except Error as error:
        raise unreadable(file, str(error).splitlines()[0]) from error
    columns = [leaf for row in rows for leaf in _leaves(row[0], row[1], name(row[0]))]
    headers, types, sources = zip(*columns, strict=True) if columns else ((), (), ())
    return Shape("parquet", headers, types, sources)


def constants_in(con: Connection, shape: Shape, files: Sequence[LandedFile]) -> dict[str, str]:
    """Return what needs no reading of Parquet files: column in SQL -> the value of all its rows.

    As their own statistics say it of every row group: only nulls, or no null and a least value that
    is the greatest too. A bound may be cut off, but then it is not the other one as well.
    """
    rows = con.execute(
        "select path_in_schema, min(stats_min_value), "
        "sum(stats_null_count) = sum(num_values) as is_null "
        f"from parquet_metadata({literals([str(file.path) for file in files])}) group by all "
        "having count(stats_null_count) = count(*) and (is_null or (sum(stats_null_count) = 0 "
        "and count(stats_min_value) = count(*) and count(stats_max_value) = count(*) "
        "and min(stats_min_value) = max(stats_max_value)))"
    ).fetchall()
    kinds = dict(zip(shape.sources, shape.types, strict=True))
    found = {}
    for column, value, is_null in rows:
        source, kind = name(column), kinds.get(name(column), "")
        if is_null and kind in _PLAIN:
            found[source] = f"cast(null as {kind})"
        elif not is_null and kind == "VARCHAR" and _SHOWN_AS_IT_IS.fullmatch(value):
            found[source] = literal(value)
    return found


def _leaves(header: str, kind: str, source: str) -> Iterator[tuple[str, str, str]]:
    """Yield a column as header, type and SQL; of a struct, its fields in its place."""
    if not kind.startswith(_STRUCT) or not kind.endswith(")"):
        yield header, kind, source
        return
    for field, inner in _fields(kind[len(_STRUCT) : -1]):
        yield from _leaves(f"{header}.{field}", inner, f"{source}[{literal(field)}]")


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the type of each field, as DuckDB writes the inside of a struct."""
    depth = start = 0
    is_quoted = False
    for place, letter in enumerate(f"{text},"):
        is_quoted ^= letter == '"'
        if is_quoted:
            continue
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            yield _field(text[start:place].strip())
            start = place + 1


def _field(text: str) -> tuple[str, str]:
    if not text.startswith('"'):
        field, _, kind = text.partition(" ")
        return field, kind
    match = re.match(r'"((?:[^"]|"")*)" (.*)', text, re.DOTALL)
    if match is None:
        raise ModelError(
            f"a struct has a field that cannot be read: {text}",
            where="a Parquet file's schema",
            fix="report the schema as a fault",
        )
    return match[1].replace('""', '"'), match[2]


def _json_shape(con: Connection, file: LandedFile) -> Shape:
    """Return the shape of JSON lines: every field that any line has.

    Lines of one structure are looked at once; an aggregate over all of them would hold them all.
    """
    packing = _packing(file.format)
    try:
        structures = con.execute(
            "select distinct json_structure(json) from "
            f"read_ndjson_objects({literal(str(file.path))}, compression = '{packing}')"
        ).fetchall()
    except Error as error:
        raise unreadable(file, str(error).splitlines()[0]) from error
    leaves: dict[str, None] = {}
    objects: set[str] = set()
    nulls: dict[str, None] = {}
    for (text,) in structures:
        for field, kind in _json_fields(json.loads(text), ""):
            if kind == "NULL":
                nulls[field] = None
            elif isinstance(kind, dict):
                objects.add(field)
            else:
                leaves[field] = None
    mixed = next((field or "a line" for field in leaves if field in objects or not field), None)
    if mixed is not None:
        raise unreadable(file, f"{mixed} is not an object, or only in some lines")
    headers = tuple(sorted(leaves.keys() | (nulls.keys() - objects)))
    sources = tuple(f"found[{place}]" for place in range(1, len(headers) + 1))
    return Shape(file.format, headers, ("VARCHAR",) * len(headers), sources)


def _json_fields(structure: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield a structure and, of an object, what is in it, each with its path."""
    yield path, structure
    if isinstance(structure, dict):
        for field, inner in structure.items():
            yield from _json_fields(inner, f"{path}.{field}".removeprefix("."))


def json_scan(paths: str, shape: Shape) -> str:
    """Return what reads JSON lines: `found`, the values of a shape's headers as text, and `x_path`.

    Each line is parsed once, whatever number of its fields is read.
    """
    pointers = literals([_pointer_to(header) for header in shape.headers])
    return (
        f"(select json_extract_string(json, {pointers}) as found, x_path from "
        f"read_ndjson_objects({paths}, compression = '{_packing(shape.format)}', "
        "filename = 'x_path', maximum_object_size = 16777216))"
    )


def _pointer_to(header: str) -> str:
    """Return the JSON pointer of a field within fields."""
    return "".join("/" + field.replace("~", "~0").replace("/", "~1") for field in header.split("."))


def _packing(format_: str) -> str:
    return "gzip" if format_.endswith(".gz") else "none"


def is_big_text(file: LandedFile) -> bool:
    """Tell whether a file is CSV that is worth making Parquet before it is read."""
    return file.format in CSV and file.path.stat().st_size >= BIG_TEXT


def csv_header(file: LandedFile) -> tuple[str, ...]:
    """Return the first line's fields; empty for an empty file.

    Raises: ModelError for text that is not UTF-8, or bytes that are not gzip.
    """
    opener = gzip.open if file.format == "csv.gz" else open
    try:
        with opener(file.path, "rt", encoding="utf-8-sig", newline="") as lines:
            return tuple(next(csv.reader(lines), ()))
    except (UnicodeDecodeError, OSError, EOFError, csv.Error) as error:
        raise unreadable(file, str(error)) from error


def unreadable(file: LandedFile, why: str) -> ModelError:
    """Return the error for a file that cannot be read: `why`, or what is wrong with its lines."""
    fault = find_csv_fault(file.path) if file.format in CSV else None
    return ModelError(
        f"a {file.format} file cannot be read: {fault.why if fault else why}",
        where=f"{file.name} ({file.path})",
        fix=f"{fault.fix if fault else 'have the source write it again'}; "
        "the last good delivery stays in force",
    )
