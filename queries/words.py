"""Texts that many rows repeat, known to the engine by their place in a list (ENUM).

So known, a text is carried through joins and written to the lake at a quarter of the work, and who
reads the file gets the text. A column's list is made of what stands in it, so nothing is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.engines.duckdb import name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queries.engines.duckdb import Connection

MOST = 10_000
"""Texts of a list, about: each stretch of a file that says one of them holds all of them."""


def list_words(con: Connection, table: str, columns: Sequence[str]) -> None:
    """Have columns of a table know their texts by lists; one that says too many stays text."""
    con.execute("create schema if not exists words")
    counts = ", ".join(f"approx_count_distinct({column})" for column in columns)
    said = con.execute(f"select {counts} from {table}").fetchone() or ()
    for column, count in zip(columns, said, strict=True):
        if 0 < count <= MOST:
            words = f"select distinct {column} from {table} where {column} is not null order by all"
            kind = f"words.{name(f'{table} {column}')}"
            con.execute(f"create or replace type {kind} as enum ({words})")
            con.execute(f"alter table {table} alter {column} type {kind}")
