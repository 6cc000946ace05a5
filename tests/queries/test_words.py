"""Texts that are known by their place in a list: who reads what was written sees texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from queries.catalog import Model, models
from queries.engines.duckdb import Limits, NotListedError, connect
from queries.lake import write
from queries.tables import Tables
from queries.words import MOST, do_listed, list_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from queries.engines.duckdb import Connection


@pytest.fixture
def con() -> Iterator[Connection]:
    con = connect(Limits(threads=1))
    con.execute("create table said (charge_date date, who varchar)")
    yield con
    con.close()


def say(con: Connection, texts: str) -> None:
    """Have a table say some texts, which a query yields, and list them."""
    con.execute(f"insert into said select date '2026-10-05', who from ({texts}) as texts(who)")
    list_words(con, "said", ["who"])


def kind_of(con: Connection, table: str = "said") -> str:
    """Return how the texts are known."""
    return str(con.execute(f"select any_value(typeof(who)) from {table}").fetchall()[0][0])


def test_texts_are_known_by_their_place_and_written_as_they_are(
    con: Connection, tmp_path: Path
) -> None:
    said = ["anna", "anna", "ben", "it's", "", "Ünal", None]
    say(con, "values ('ben'), ('anna'), (null), ('it''s'), ('anna'), (''), ('Ünal')")
    is_listed = kind_of(con).startswith("ENUM")
    write(con, "from said", tmp_path, "said.parquet")
    read = pl.read_parquet(tmp_path / "said.parquet")

    assert is_listed
    assert kind_of(con, f"'{tmp_path}/said.parquet'") == "VARCHAR"
    assert read.schema["who"] == pl.String
    assert sorted(read["who"], key=str) == sorted(said, key=str)


def test_a_list_that_is_too_long_stays_text(con: Connection) -> None:
    say(con, f"select 'user-' || range from range({MOST * 2})")

    assert kind_of(con) == "VARCHAR"


def test_a_column_without_texts_stays_as_it_was(con: Connection) -> None:
    say(con, "values (null)")

    assert kind_of(con) == "VARCHAR"


def test_a_query_with_a_text_that_is_in_no_list_is_run_again_as_text(
    con: Connection, tmp_path: Path
) -> None:
    """Whether it makes a table or a file."""
    say(con, "values ('ben')")
    sql = (
        "select date '2026-10-05' as charge_date, cast(who as words.said_who) as who, "
        "cast(left(who, 1) as enum('b')) as letter from (values ('ben'), ('carla')) as texts(who)"
    )
    con.execute("create schema attribution")
    model = Model("attribution.told", sql, "", "step", frozenset(), {})
    Tables(con, {}).fill(model, model.name, sql)
    do_listed(sql, lambda query: write(con, query, tmp_path, "told.parquet"))

    for told in (model.name, f"'{tmp_path}/told.parquet'"):
        assert con.execute(f"select who, letter from {told} order by all").fetchall() == [
            ("ben", "b"),
            ("carla", "c"),
        ]
    assert [path.name for path in tmp_path.iterdir()] == ["told.parquet"]


def test_a_query_that_fails_as_text_too_fails(con: Connection) -> None:
    say(con, "values ('ben')")

    with pytest.raises(NotListedError, match="INT32"):
        do_listed("select cast(cast(who as words.said_who) as integer) from said", con.execute)


def test_of_other_days_the_lists_are_others(con: Connection) -> None:
    say(con, "values ('anna')")
    con.execute("create table earlier as from said")
    con.execute("create or replace table said (charge_date date, who varchar)")
    say(con, "values ('ben')")

    assert con.execute("select who from earlier union all select who from said").fetchall() == [
        ("anna",),
        ("ben",),
    ]


def test_columns_of_a_query_without_rows_are_remembered_as_texts(con: Connection) -> None:
    say(con, "values ('anna')")
    tables = Tables(con, {})
    tables.learn("nobody", of="select who from said where false")

    assert tables.columns == {"nobody": '"who" VARCHAR'}


def test_only_what_lives_for_one_build_has_lists() -> None:
    """Of a table that is published, readers would see lists."""
    assert {model.kind for model in models() if model.words} == {"step"}
