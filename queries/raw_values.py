"""A column of a raw file as an SQL expression of its declared type.

A double of 2048 or more is read by way of its shortest text, because DuckDB's own cast to
DECIMAL(38,12) is off in the twelfth place from there on (measured on 2.0.0); below that both ways
agree, and the cast is a hundred times faster. Times in text are read by way of TIMESTAMPTZ, because
the cast of a text to TIMESTAMP drops its offset. A list of structs read as text is JSON in which
every value is a text, because a number in JSON would be a double.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from queries.engines.duckdb import literal, literals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TYPES: Mapping[str, str] = {
    "text": "varchar",
    "number": "decimal(38, 12)",
    "integer": "bigint",
    "time": "timestamp",
    "flag": "boolean",
    "tags": "map(varchar, varchar)",
}
MONTH_FIRST = ("%m/%d/%Y", "%m/%d/%Y %H:%M:%S")
"""How a time is written in a file whose first time has a month before the day."""
_NUMBER = re.compile(
    r"(?<= )(?:DOUBLE|FLOAT|DECIMAL\(\d+,\d+\)|U?(?:BIGINT|HUGEINT|INTEGER|SMALLINT|TINYINT))"
)


def expression(
    kind: str,
    found: tuple[str, str] | None,
    loose: Sequence[tuple[str, str]],
    *,
    is_month_first: bool,
) -> str:
    """Return what reads a column: `found` is its name in the scan and its type there.

    `loose` are the (key, column) pairs that are packed into a map.
    """
    if kind == "tags":
        return _tags(found, loose)
    if found is None:
        return f"cast(null as {TYPES[kind]})"
    column, actual = found
    if kind == "number":
        return _number(column, actual)
    if kind == "text":
        return _text(column, actual)
    if kind == "time":
        return _time(column, actual, is_month_first=is_month_first)
    return column if actual.lower() == TYPES[kind] else f"cast({column} as {TYPES[kind]})"


def _text(column: str, actual: str) -> str:
    """Return the SQL of a column as text; what is nested becomes JSON whose values are texts."""
    if actual == "VARCHAR":
        return column
    if actual.endswith("[]") or actual.startswith("MAP"):
        return f"cast(to_json(cast({column} as {_NUMBER.sub('VARCHAR', actual)})) as varchar)"
    return f"cast({column} as varchar)"


def _time(column: str, actual: str, *, is_month_first: bool) -> str:
    if actual == "VARCHAR" and is_month_first:
        return f"strptime({column}, {literals(MONTH_FIRST)})"
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
            # Azure leaves the outer braces out
            braced = (
                f"case when ltrim({column})[1] = '\"' "
                f"then '{{' || {column} || '}}' else {column} end"
            )
            parts.append(f"try_cast(try_cast({braced} as json) as map(varchar, varchar))")
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
