"""Reading a published generation: open it read-only, run the cookbook's queries on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.engines.duckdb import open_read_only
from queries.generation import newest_generation
from queries.named import NamedQuery, Param, Value, cookbook, named_query

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from queries.engines.duckdb import Connection

__all__ = [
    "NamedQuery",
    "Param",
    "Value",
    "cookbook",
    "named_query",
    "newest_generation",
    "open_generation",
    "run_named",
]


def open_generation(path: Path) -> Connection:
    """Open a generation for reading by our own queries; analysts' SQL goes to `queries.sandbox`."""
    return open_read_only(path)


def run_named(
    con: Connection, name: str, params: Mapping[str, Value]
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Run a query of the cookbook; return its columns and its rows, in the order it states.

    Raises: ModelError for a name or a parameter that the cookbook does not have.
    """
    query = named_query(name)
    cursor = con.execute(query.sql, query.bind(params))
    columns = tuple(str(column[0]) for column in cursor.description or ())
    return columns, cursor.fetchall()
