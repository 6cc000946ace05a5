"""What a raw file looks like from outside: its columns, their types, and how SQL names them.

Parquet may nest. A struct stands for its fields, called as flattened text calls them
(`service.description`), however deep; a list of structs is one column, which reads as JSON in which
every value is a text, because a number in JSON would be a double.
"""

from __future__ import annotations

import csv
import gzip
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queries import ModelError
from queries.engines.duckdb import Error, literal, name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queries.engines.duckdb import Connection
    from queries.raw import LandedFile

_STRUCT = "STRUCT("


@dataclass(frozen=True, slots=True)
class Shape:
    """Files that are read alike: same format, same columns in the same order."""

    format: str
    headers: tuple[str, ...]
    types: tuple[str, ...]
    sources: tuple[str, ...]
    """What each column is in SQL over a scan of the file."""
    is_month_first: bool = False
    """Whether the times in text are MM/DD/YYYY."""
    told: tuple[tuple[str, str], ...] = ()
    """Columns that the files' names tell, with their value."""


def shape_of(con: Connection, file: LandedFile) -> Shape:
    """Return a file's shape; one without headers for an empty file.

    Raises: ModelError for a file that cannot be opened.
    """
    if file.format != "parquet":
        headers = csv_header(file)
        sources = tuple(f"c{position}" for position in range(len(headers)))
        return Shape(file.format, headers, ("VARCHAR",) * len(headers), sources)
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
    """Return the error for a file that cannot be opened."""
    return ModelError(
        f"a {file.format} file cannot be read: {why}",
        where=f"{file.name} ({file.path})",
        fix="have the source write it again; the last good delivery stays in force",
    )
