"""However the inputs look, the costs of a day add up to its bill, in every dimension."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.queries.attribution.conftest import models_of, sql_of
from tests.queries.attribution.worlds import policies, tables_of, totals_of, worlds

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

    from tests.queries.attribution.conftest import Build, Draw

CASES = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@CASES
@given(world=worlds, policy=policies)
def test_the_books_close_whatever_is_known(
    build: Build, draw: type[Draw], world: dict[str, Any], policy: dict[str, Any]
) -> None:
    """Every model keeps its promises (`build` proves them) and every dimension equals the bill."""
    tables = tables_of(world, draw)
    built = build(tables, **policy)

    assert built.rows("select * from marts.books where difference <> 0") == []
    assert bool(built.rows("select 1 from marts.books")) == bool(tables["cost_lines"])


@CASES
@given(world=worlds, policy=policies)
def test_no_cost_changes_its_sign(
    build: Build, draw: type[Draw], world: dict[str, Any], policy: dict[str, Any]
) -> None:
    """Where all lines cost something, no part is negative; where all are credits, none positive."""
    for sign in (1, -1):
        kinds = ("machine_lines", "other_lines", "disks", "network_lines")
        for line in (line for kind in kinds for line in world[kind]):
            line["cost"] = sign * abs(line["cost"])
        parts = ("attribution.postings", "attribution.member_spend")
        built = build(tables_of(world, draw), only=parts, **policy)
        for table in parts:
            wrong = built.rows(
                f"select * from {table} "
                f"where {sign} * effective_cost < 0 or {sign} * billed_cost < 0"
            )
            assert wrong == []


@CASES
@given(world=worlds, policy=policies, seed=st.integers(0, 2**32 - 1))
def test_neither_threads_nor_the_order_of_rows_change_anything(
    build: Build, draw: type[Draw], world: dict[str, Any], policy: dict[str, Any], seed: int
) -> None:
    """One thread over rows in order gives what two threads give over rows shuffled."""
    tables = tables_of(world, draw)
    compared = (
        *("attribution.postings", "attribution.run_links", "marts.spend_daily"),
        *("marts.runs", "marts.run_records", "marts.serving_daily"),
    )
    order = Random(seed)  # noqa: S311 - an order, no secret; drawn, each step would be a choice
    results = []
    for threads in (1, 2):
        built = build(tables, threads=threads, only=compared, **policy)
        results.append({table: built.digest(table) for table in compared})
        for rows in tables.values():
            order.shuffle(rows)

    assert results[0] == results[1]


@CASES
@given(world=worlds)
def test_days_are_attributed_alone_as_together(
    build: Build, draw: type[Draw], world: dict[str, Any]
) -> None:
    """No day model reads another day: one built alone equals its part of a longer build."""
    tables = tables_of(world, draw)
    next_day = draw.day + timedelta(days=1)
    moved = [
        line
        | {
            "charge_date": next_day,
            "charge_hour": line["charge_hour"] and line["charge_hour"] + timedelta(days=1),
        }
        for line in tables["cost_lines"]
    ]
    postings = ("attribution.postings",)
    alone = build(tables, only=postings).digest("attribution.postings")
    both = build(tables | {"cost_lines": tables["cost_lines"] + moved}, only=postings)

    assert alone == both.rows(
        f"select * from attribution.postings where charge_date = date '{draw.day}' order by all"
    )


@settings(CASES, max_examples=10)
@given(world=worlds, policy=policies, data=st.data())
def test_what_is_said_to_have_no_rows_has_none_in_any_world(
    build: Build, draw: type[Draw], world: dict[str, Any], policy: dict[str, Any], data: DataObject
) -> None:
    """Every model's SQL is asked here, also of those that nights and other tests pass over."""
    tables = tables_of(world, draw)
    kept = data.draw(st.sets(st.sampled_from(sorted(tables.keys() - {"raw.totals"}))))
    tables = {table: rows for table, rows in tables.items() if table in kept}
    tables["raw.totals"] = totals_of(tables.get("cost_lines", []))
    built = build(tables, **policy)

    for model in models_of(()):
        if built.tables.is_sure(model):
            assert not built.rows(f"select 1 from ({sql_of(model, policy)}\n) limit 1"), model.name


def test_a_lost_line_shows_in_the_books(build: Build, draw: type[Draw]) -> None:
    """The raw ledger counts two lines, the models see one: the proof can fail."""
    lines = [draw.machine(10), draw.line("2.5", resource_id="data")]
    built = build({"cost_lines": lines[:1], "raw.totals": totals_of(lines)})

    assert set(
        built.rows("select billed, attributed + unattributed, difference from marts.books")
    ) == {(Decimal("12.5"), Decimal(10), Decimal("2.5"))}


def test_a_bill_that_only_one_side_knows_is_a_difference(build: Build, draw: type[Draw]) -> None:
    """Neither a lost bill nor an invented one drops out of the books."""
    lost, invented = draw.line(3, source="lost"), draw.line(4, source="invented")
    built = build({"cost_lines": [invented], "raw.totals": totals_of([lost])})

    assert set(built.rows("select source, billed, difference from marts.books")) == {
        ("lost", Decimal(3), Decimal(3)),
        ("invented", Decimal(0), Decimal(-4)),
    }


def test_the_books_keep_what_lies_beyond_twelve_places(build: Build, draw: type[Draw]) -> None:
    totals = totals_of([draw.line(1), draw.line(1)])
    for total in totals:
        total["beyond"] = "0.0000000000004"
    built = build({"cost_lines": [draw.line(1), draw.line(1)], "raw.totals": totals})

    ((beyond,),) = set(built.rows("select beyond_12_places from marts.books"))
    assert Decimal(beyond) == Decimal("0.0000000000008")
