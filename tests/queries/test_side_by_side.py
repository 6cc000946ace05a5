"""Pieces of work on one database at once: each after its needs, all of them, or an error."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.engines.duckdb import Connection, Limits, MachineError, MemoryLimitError, connect
from queries.side_by_side import do_side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = "select count(*) from range(100000000000) where hash(range) = 1"


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=2))
    yield connection
    connection.close()


def names(con: Connection) -> list[str]:
    rows = con.execute("select table_name from duckdb_tables() order by all").fetchall()
    return [name for (name,) in rows]


def threads(con: Connection) -> int:
    row = con.execute("select current_setting('threads')").fetchone()
    assert row is not None
    return int(row[0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sets(st.integers(0, 9), max_size=4), min_size=1, max_size=12))
def test_each_piece_is_done_once_after_what_it_needs(parts: list[set[int]]) -> None:
    """A piece reads the tables that it needs, so that it fails where one is not there."""
    needs = {f"t{n}": {f"t{m}" for m in part if m < n} for n, part in enumerate(parts)}
    done = []

    def work(name: str, own: Connection) -> None:
        rows = " union all ".join(["select 1 as one", *(f"from {table}" for table in needs[name])])
        own.execute(f"create table {name} as select 1 as one from ({rows}) limit 1")
        done.append(name)

    con = connect(Limits(threads=2))
    do_side_by_side(con, needs, work)
    assert sorted(done) == sorted(needs)
    assert names(con) == sorted(needs)
    con.close()


@pytest.mark.parametrize("is_faulty", [False, True])
@pytest.mark.parametrize(("there_are", "each_has"), [(1, 1), (2, 1), (3, 3)])
def test_of_few_threads_each_may_have_one_while_it_lasts(
    there_are: int, each_has: int, *, is_faulty: bool
) -> None:
    """Of more, one long piece would keep all of them waiting."""
    con, found = connect(Limits(threads=there_are)), []

    def work(_: str, own: Connection) -> None:
        found.append(threads(own))
        if is_faulty:
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop") if is_faulty else nullcontext():
        do_side_by_side(con, {"a": set()}, work, has_one_thread=True)
    assert (found, threads(con)) == ([each_has], there_are)
    con.close()


def test_two_are_done_at_once(con: Connection) -> None:
    both = threading.Barrier(2, timeout=30)

    def work(_: str, __: Connection) -> None:
        both.wait()

    do_side_by_side(con, {"a": set(), "b": set()}, work)


def test_every_connection_is_in_utc(con: Connection) -> None:
    zones = []

    def work(_: str, own: Connection) -> None:
        zones.append(own.execute("select current_setting('TimeZone')").fetchone())

    do_side_by_side(con, {"a": set(), "b": set()}, work)
    assert zones == [("UTC",), ("UTC",)]


def test_an_error_ends_the_rest_soon(con: Connection) -> None:
    def work(name: str, own: Connection) -> None:
        if name == "long":
            own.execute(LONG)
        if name == "bad":
            raise ValueError(name)
        own.execute(f"create table {name} (a int)")

    with pytest.raises(ValueError, match="bad"):
        do_side_by_side(con, {"long": set(), "bad": set(), "late": {"bad"}}, work)
    assert names(con) == []


def test_what_has_not_enough_memory_beside_others_is_done_alone(con: Connection) -> None:
    tries = []
    both = threading.Barrier(2, timeout=30)

    def work(name: str, own: Connection) -> None:
        tries.append(name)
        if name in ("a", "b") and tries.count(name) == 1:
            both.wait()
            if name == "a":
                raise MemoryLimitError("beside b")
        own.execute(f"create table {name} (a int)")

    do_side_by_side(con, {"a": set(), "b": set(), "c": {"a", "b"}}, work)
    assert names(con) == ["a", "b", "c"]
    assert tries[-2:] == ["a", "c"]


def test_what_has_not_enough_memory_alone_is_told(con: Connection) -> None:
    con.execute("set memory_limit = '30MB'; set temp_directory = ''")

    def work(name: str, own: Connection) -> None:
        own.execute(f"create table {name} as select md5(range::varchar) from range(10000000)")

    with pytest.raises(MachineError):
        do_side_by_side(con, {"a": set(), "b": set()}, work)
