"""A column of a raw file as an SQL expression of its declared type.

A double of 2048 or more is read by way of its shortest text, because DuckDB's own cast to
DECIMAL(38,12) is off in the twelfth place from there on (measured on 2.0.0); below that both ways
agree, and the cast is a hundred times faster. So is that of a whole number, which counts of bytes
and requests are: up to 2^53 its shortest text is itself. Times in text are read by way of
TIMESTAMPTZ, because the cast of a text to TIMESTAMP drops its offset; from there by way of
microseconds, which is what `timezone('UTC', ...)` says at twice the price. What cannot fail is
asked first: the engine then asks once for each text that a column has, not once for each line. A
list of structs read as text is JSON in which every value is a text, because a number in JSON would
be a double.
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
_WHOLE = 1 << 53
"""Below it a double that is whole is written with all its digits."""
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
        is_dated = f"case when {column}[5] = '-' then {column}"
        quick = f"make_timestamp(epoch_us(try_cast({is_dated} end as timestamptz)))"
        wrong = f"cast({is_dated} else 'no ISO time: ' || {column} end as timestamptz)"
        return f"coalesce({quick}, make_timestamp(epoch_us({wrong})))"
    return column if actual == "TIMESTAMP" else f"cast({column} as timestamp)"


def _number(column: str, actual: str) -> str:
    if actual == "FLOAT":
        # Which text is the shortest of one, two engines do not agree: it counts as what it is.
        column, actual = f"cast({column} as double)", "DOUBLE"
    exact = f"cast(cast({column} as varchar) as decimal(38, 12))"
    if actual == "DOUBLE":
        fast = f"cast({column} as decimal(38, 12))"
        whole = f"try_cast({column} as bigint)"
        return (
            f"case when {column} > -2048 and {column} < 2048 then {fast} "
            f"when {column} > -{_WHOLE} and {column} < {_WHOLE} and {column} = {whole} "
            f"then cast({whole} as decimal(38, 12)) else {exact} end"
        )
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
            # a tag of Google's says besides whether it is inherited, and of whom
            parts.append(
                f"tag_map(list_transform({column}, lambda tag: "
                "struct_pack(k := struct_extract_at(tag, 1), v := struct_extract_at(tag, 2))))"
            )
    if loose:
        parts.append(_packed(loose))
    if not parts:
        return "cast(null as map(varchar, varchar))"
    return parts[0] if len(parts) == 1 else f"map_concat({', '.join(parts)})"


def _packed(loose: Sequence[tuple[str, str]]) -> str:
    """Return the map of loose columns, without those that are null.

    Making a map of entries looks for a key that comes twice, which takes longer than all else that
    is done to a line; the fields of a struct cannot come twice. So lines that have all of the
    columns, or none, take that way, unless keys differ in capitals alone, which a struct forbids.
    """
    filled = [(key, column) for key, column in loose if not column.startswith("cast(null ")]
    nothing = "cast(map() as map(varchar, varchar))"
    if not filled:
        return nothing
    entries = ", ".join(
        f"{{'k': {literal(key)}, 'v': cast({column} as varchar)}}" for key, column in filled
    )
    some = f"map_from_entries(list_filter([{entries}], lambda entry: entry.v is not null))"
    if len({key.lower() for key, _ in filled if key}) < len(filled):
        return some
    fields = ", ".join(f"{literal(key)}: cast({column} as varchar)" for key, column in filled)
    has_all = " and ".join(f"{column} is not null" for _, column in filled)
    has_none = " and ".join(f"{column} is null" for _, column in filled)
    return (
        f"case when {has_all} then cast({{{fields}}} as map(varchar, varchar)) "
        f"when {has_none} then {nothing} else {some} end"
    )
