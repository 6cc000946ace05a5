"""A table of money with known margins keeps them, whatever stands in it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.catalog import HOME
from queries.engines.duckdb import Limits, connect, create_macros

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from queries.engines.duckdb import Connection

COST = st.decimals(-2_000_000, 2_000_000, places=12)


@pytest.fixture(scope="module")
def con() -> Iterator[Connection]:
    con = connect(Limits(threads=1))
    create_macros(con, {})
    con.execute((HOME / "exported" / "macros.sql").read_text(encoding="utf-8"))
    con.execute(
        "create table taken_lines (line_no bigint, charge_date date, source varchar, "
        "billing_currency varchar, group_hash ubigint, effective_cost decimal(38, 12), "
        "billed_cost decimal(38, 12), list_cost decimal(38, 12), contracted_cost decimal(38, 12), "
        "consumed_quantity decimal(38, 12), line_count bigint)"
    )
    con.execute(
        "create table taken_parts (part_no bigint, charge_date date, source varchar, "
        "billing_currency varchar, group_hash ubigint, effective_cost decimal(38, 12), "
        "billed_cost decimal(38, 12))"
    )
    yield con
    con.close()


def fill(con: Connection, table: str, costs: Sequence[Decimal], more: str) -> None:
    con.execute(f"delete from {table}")
    con.executemany(
        f"insert into {table} select ?, date '2026-10-01', 'aws', 'USD', 1, c, -c{more} "
        "from (select cast(? as decimal(38, 12)) as c)",
        [(number, str(cost)) for number, cost in enumerate(costs)],
    )


def sums(con: Connection, key: str, measure: str) -> list[Decimal]:
    rows = con.execute(
        f"select sum({measure}) from ({(HOME / 'exported' / 'cells.sql').read_text()}) "
        f"group by {key} order by {key}"
    ).fetchall()
    return [row[0] for row in rows]


@settings(max_examples=15, deadline=None)
@given(lines=st.lists(COST, min_size=1, max_size=5), parts=st.lists(COST, max_size=4))
def test_cells_add_up_to_lines_and_to_postings(
    con: Connection, lines: list[Decimal], parts: list[Decimal]
) -> None:
    """However the lines and postings of a group are cut, also where they cancel out."""
    parts = [*parts, sum(lines, Decimal(0)) - sum(parts, Decimal(0))]
    fill(con, "taken_lines", lines, ", c, c, c, 7")
    fill(con, "taken_parts", parts, "")

    for measure, sign in (("effective_cost", 1), ("billed_cost", -1)):
        assert sums(con, "line_no", measure) == [sign * cost for cost in lines]
        assert sums(con, "part_no", measure) == [sign * cost for cost in parts]
    assert sums(con, "line_no", "list_cost") == lines
    assert sums(con, "line_no", "charges") == [Decimal(7)] * len(lines)


def test_parts_are_in_proportion(con: Connection) -> None:
    fill(con, "taken_lines", [Decimal(80), Decimal(20)], ", c, c, c, 1")
    fill(con, "taken_parts", [Decimal(25), Decimal(75)], "")

    rows = con.execute(
        "select line_no, part_no, effective_cost, list_cost from "
        f"({(HOME / 'exported' / 'cells.sql').read_text()}) order by all"
    ).fetchall()

    assert rows == [(0, 0, 20, 20), (0, 1, 60, 60), (1, 0, 5, 5), (1, 1, 15, 15)]
