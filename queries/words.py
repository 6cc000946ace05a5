"""Texts that many rows repeat, known to the engine by their place in a list (ENUM).

So known, a text is carried through joins and written to the lake at a quarter of the work, and who
reads the file gets the text. A column's list is made of what stands in it; a query may cast to the
list of another table's column, `words.<table>_<column>`, and one in which a text is not listed is
run again as text: the same rows, dearer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from queries.engines.duckdb import NotListedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from queries.engines.duckdb import Connection

Done = TypeVar("Done")
MOST = 10_000
"""Texts of a list, about: each stretch of a file that says one of them holds all of them."""
_LISTED = re.compile(r"\bas (enum\([^)]*\)|words\.\w+)")


def list_words(con: Connection, table: str, columns: Sequence[str]) -> None:
    """Have columns of a table know their texts by lists; one that says too many stays text."""
    con.execute("create schema if not exists words")
    counts = ", ".join(f"approx_count_distinct({column})" for column in columns)
    said = con.execute(f"select {counts} from {table}").fetchone() or ()
    for column, count in zip(columns, said, strict=True):
        words = f"select distinct {column} from {table} where {column} is not null order by all"
        listed = f"enum ({words})" if 0 < count <= MOST else "varchar"
        kind = f"words.{table.rpartition('.')[2]}_{column}"
        con.execute(f"create or replace type {kind} as {listed}")
        con.execute(f"alter table {table} alter {column} type {kind}")


def as_text(sql: str) -> str:
    """Return a query with text in the place of lists."""
    return _LISTED.sub("as varchar", sql)


def do_listed(sql: str, work: Callable[[str], Done]) -> Done:
    """Have `work` run a query; again as text, where a text of it stands in no list."""
    try:
        return work(sql)
    except NotListedError:
        if as_text(sql) == sql:
            raise
        return work(as_text(sql))
