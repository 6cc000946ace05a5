"""What is said to be empty is empty: each query is asked, over tables with and without rows."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from connectors import CONNECTORS, connector_class
from queries.build import BuildInput, Settings, build
from queries.catalog import models
from queries.engines.duckdb import Limits, connect
from queries.parsed import query_of
from queries.warehouse import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = {frozenset[str]()}
CASES = {
    "select x from s.a": {"a"},
    "from s.a": {"a"},
    "select 1 as x": {""},
    "select x from s.a where x > 1 order by x limit 3": {"a"},
    "select distinct x from s.a inner join s.b using (x)": {"a b"},
    "select a.x from s.a, s.b as other where other.x = a.x": {"a b"},
    "select x from s.a cross join (select x as y from s.b)": {"a b"},
    "select x from s.a left join s.b using (x)": {"a"},
    "select x from s.a asof left join s.b using (x)": {"a"},
    "select a.x from s.a asof join s.b on a.x >= b.x": {"a b"},
    "select x from s.a right join s.b using (x)": {"b"},
    "select x from s.a full join s.b using (x)": {"a", "b"},
    "select x from s.a semi join s.b using (x)": {"a b"},
    "select x from s.a anti join s.b using (x)": {"a"},
    "select x, sum(x) over () from s.a": {"a"},
    "select unnest([x, x]) from s.a": {"a"},
    "select x, y from s.a cross join unnest([1, 2]) as t (y)": {"a"},
    "select x from s.a where exists (select 1 from s.b)": {"a"},
    "select sum(x) from s.a": {""},
    "select count(*) from s.a having count(*) > 0": {""},
    "select sum(x) as total, total + 1 as more from s.a": {""},
    "select coalesce(sum(x) filter (where x > 1), 0) from s.a": {""},
    "select bit_xor(hash(a)) from s.a": {""},
    "select arg_max(x, x), any_value(x) from s.a": {""},
    "select max(sum(x)) over () from s.a": {""},
    "select histogram(x) from s.a": {""},
    "select abs(x) from s.a": {"a"},
    "select least(x, 1), a.x from s.a": {"a"},
    "select x, count(*) from s.a group by x": {"a"},
    "select x, count(*) from s.a group by all": {"a"},
    "select count(*) from s.a group by all": {""},
    "select x, count(*) from s.a group by rollup (x)": {""},
    "select x, count(*) from s.a group by cube (x)": {""},
    "select x, count(*) from s.a group by grouping sets ((x), ())": {""},
    "select x from s.a union all select x from s.b": {"a", "b"},
    "select x from s.a union select x from s.b union all select 1": {""},
    "select x from s.a except select x from s.b": {"a"},
    "select x from s.a intersect select x from s.b": {"a b"},
    "select * from (values (1)) as t (x)": {""},
    "select * from range(3)": {""},
    "with c as (select x from s.a), d as (select x from c join s.b using (x)) from d": {"a b"},
    "with c as (select x from s.a) select x from s.c union all select x from c": {"a", "c"},
    "with recursive c as (select x from s.a union all select x + 1 from c where x < 3) from c": {
        "a"
    },
    "with recursive c as (select 1 as x union all select x + 1 from c where x < 3) from c": {""},
    "with c as (select x from s.a) select x from (with c as (select 1 as x) from c)": {""},
    "select x from s.b left join (select x from s.a union all from s.c) using (x)": {"b"},
    "select (select count(*) from s.a) as n from s.b": {"b"},
}
TABLES = ("a", "b", "c")


@pytest.mark.parametrize("sql", CASES)
def test_what_a_query_needs_is_read_off_it_and_is_true(sql: str) -> None:
    ways = query_of(sql).ways

    assert ways == {frozenset(f"s.{table}" for table in way.split()) for way in CASES[sql]}
    with connect(Limits(threads=1)) as con:
        con.execute("create schema s")
        for count in range(len(TABLES) + 1):
            for filled in combinations(TABLES, count):
                for table in TABLES:
                    values = "values (2), (3)" if table in filled else "select 1 where false"
                    con.execute(f"create or replace table s.{table} as from ({values}) as t (x)")
                has_rows = bool(con.execute(sql).fetchall())
                can_have = any(way <= {f"s.{table}" for table in filled} for way in ways)
                assert can_have or not has_rows


def test_of_a_night_without_deliveries_no_model_has_rows_that_was_said_to_have_none(
    tmp_path: Path,
) -> None:
    tables = {
        kind: {table.name: table for table in connector_class(kind).tables} for kind in CONNECTORS
    }
    given = BuildInput(tables, [], [], Settings(), Limits(threads=1), tmp_path / "lake")
    built = build(given)
    assert built is not None
    warehouse = Warehouse(built.con, models(), {}, tmp_path, built.manifest)
    warehouse.create_raw(tables, [], with_all=True)
    warehouse.build_metadata()  # also what a night leaves out; proves what feeds a table
    for model in warehouse.day_models:
        if model.kind == "step":  # which are gone, too
            built.con.execute(f"create table {model.name} as {warehouse.sql_of(model)}")
    there = built.con.execute("select table_schema, table_name from information_schema.tables")
    empty = {
        f"{schema}.{table}"
        for schema, table in there.fetchall()
        if not built.con.execute(f'from {schema}."{table}" limit 1').fetchall()
    }
    sure = [model for model in models() if all(way & empty for way in model.ways)]
    assert len(sure) > 200
    for model in sure:
        if model.kind == "beside":
            continue  # reads a column of files alone: held in attribution/test_conservation.py
        query = f"select 1 from ({warehouse.sql_of(model)}\n) limit 1"
        assert not built.con.execute(query).fetchall(), model.name
    built.con.close()
