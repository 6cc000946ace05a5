"""The file of a generation: what a view shows of every mart, with comments, and readers' macros.

Tables are written by several connections, each in one transaction of its own: one writes as long as
it packs, and the disk is asked once for each of them, not for each table and comment. Where there
are few threads, each table is one's: what several leave over are small pieces within it, and where
those fit into one the engine packs all behind them again when the file is closed, and leaves the
first packing as a hole.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING

from queries.catalog import canonical_comments, macro_files, models
from queries.engines.duckdb import STORAGE_VERSION, Error, literal, name
from queries.side_by_side import do_side_by_side
from queries.verify import content_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from queries.catalog import Model
    from queries.engines.duckdb import Connection
    from queries.privacy.masks import Masks

_RUN_NAMES = frozenset(["run_id", "run_key", "native_id"])
"""Hardly two of them are alike: packing them takes as long as all else, to halve their bytes."""
_SHARES = 2
"""More would keep more row groups in memory at once, and one mart is most of all there is."""


def write_marts(con: Connection, path: Path, masked: Masks) -> dict[str, dict[str, str]]:
    """Write what a view shows of every mart to a new file; return each table's rows and digest."""
    shares = _shares(con)
    tables: dict[str, dict[str, str]] = {}

    def write(number: str, own: Connection) -> None:
        tables.update(_write_share(own, shares[int(number)], masked))

    con.execute("reset checkpoint_threshold")  # a file is to be whole in itself
    con.execute(f"attach {literal(str(path))} as published (storage_version '{STORAGE_VERSION}')")
    try:
        con.execute("create schema published.marts")
        numbers: dict[str, set[str]] = {str(number): set() for number in range(len(shares))}
        do_side_by_side(con, numbers, write, has_one_thread=True)
        _create_macros(con)
    finally:
        con.execute("use memory")
        con.execute("detach published")
    return {model.name: tables[model.name] for model in _marts()}


def _marts() -> list[Model]:
    return [model for model in models() if model.layer == "marts"]


def _shares(con: Connection) -> list[list[Model]]:
    """Share the marts out so that all shares have about as many values."""
    sizes = dict(
        con.execute(
            "select schema_name || '.' || table_name, estimated_size * column_count "
            "from duckdb_tables()"
        ).fetchall()
    )
    shares: list[tuple[int, int, list[Model]]] = [(0, number, []) for number in range(_SHARES)]
    heapify(shares)
    for model in sorted(_marts(), key=lambda model: -sizes.get(model.name, 0)):
        size, number, share = shares[0]
        share.append(model)
        heapreplace(shares, (size + sizes.get(model.name, 0), number, share))
    return [share for _, _, share in shares]


def _write_share(
    con: Connection, share: Sequence[Model], masked: Masks
) -> dict[str, dict[str, str]]:
    """Write some marts in one transaction; return each table's rows and digest."""
    tables = {}
    with _transaction(con):
        for model in share:
            table = f"published.{model.name}"
            _create(con, table, masked.query_of(model))
            replace(masked, con=con).check(model, table)
            _comment(con, table, model.about, _comments_of(model.name))
            tables[model.name] = {"digest": content_of(con, table)}
    return tables


def _create(con: Connection, table: str, query: str) -> None:
    """Create a table of a query's rows."""
    columns = [
        f"{name(column)} {kind}{' using compression uncompressed' if column in _RUN_NAMES else ''}"
        for column, kind, *_ in con.execute(f"describe {query}").fetchall()
    ]
    con.execute(f"create table {table} ({', '.join(columns)})")
    con.execute(f"insert into {table} {query}")


def _create_macros(con: Connection) -> None:
    con.execute("use published")
    with _transaction(con):
        for file in macro_files():
            con.execute(file.read_text(encoding="utf-8"))


@contextmanager
def _transaction(con: Connection) -> Iterator[None]:
    con.execute("begin")
    try:
        yield
        con.execute("commit")
    except BaseException:
        with suppress(Error):  # one that failed to commit is not open any more
            con.execute("rollback")
        raise


def _comments_of(mart: str) -> dict[str, str]:
    """Return column comments, a mart's own first, else those of the column's first use."""
    known: dict[str, str] = {}
    for comments in canonical_comments().values():
        known = dict(comments) | known
    for model in models():
        known |= model.columns
    own = next((model.columns for model in models() if model.name == mart), {})
    return known | dict(own)


def _comment(con: Connection, table: str, about: str, comments: Mapping[str, str]) -> None:
    con.execute(f"comment on table {table} is {literal(about)}")
    for row in con.execute(f"describe {table}").fetchall():
        if row[0] in comments:
            target = f"{table}.{name(row[0])}"
            con.execute(f"comment on column {target} is {literal(comments[row[0]])}")
