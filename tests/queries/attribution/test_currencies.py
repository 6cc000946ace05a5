"""The reporting currency: which rate is taken, that parts add up, and that nothing is guessed."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.catalog import models
from queries.checks import check_model
from queries.engines.duckdb import Limits, connect, create_macros
from tests.queries.attribution.conftest import DAY, TAG_KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.queries.attribution.conftest import Build, Draw, Row, Warehouse

CONVERTING = (
    *("currency_legs", "reporting_rates", "reporting_days"),
    *("spend_daily", "conversions", "freshness"),
)
UNIT = Decimal("1e-12")
SAID = f"no rate for 1 day of cost, from {DAY} to {DAY}: what was billed then has no cost in EUR"


def rate(currency: str, value: str, day: date = DAY, source: str = "ecb", **more: object) -> Row:
    """Return a rate as the bank publishes it: what one euro buys."""
    return {
        "source": source,
        "rate_date": day,
        "from_currency": "EUR",
        "to_currency": currency,
        "rate": Decimal(value),
    } | more


def built(build: Build, lines: Sequence[Row], rates: Sequence[Row], to: str = "EUR") -> Warehouse:
    """Return the warehouse with these bill lines, all of its models run."""
    return build(
        {"cost_lines": lines, "exchange_rates": rates, "raw.reporting": [{"currency": to}]}
    )


def billed(
    build: Build,
    costs: Sequence[tuple[str, str, str]],
    rates: Sequence[Row],
    to: str = "EUR",
) -> Warehouse:
    """Return a warehouse of teams' (source, currency, cost); only what converts is run."""
    warehouse = build.kept.get(1) or build({})
    reporting = [{"currency": to}] if to else []
    warehouse.fill({"exchange_rates": rates, "raw.reporting": reporting})
    members = [
        (DAY, dimension, "a", source, currency, Decimal(cost))
        for source, currency, cost in costs
        for dimension in ("team", "service")
    ]
    _convert(warehouse, members)
    return warehouse


def reported(warehouse: Warehouse, columns: str = "member") -> dict[object, Decimal | None]:
    """Return what each member of the teams cost in the reporting currency."""
    rows = warehouse.rows(
        f"select {columns}, sum(reporting_cost) from marts.spend_daily "
        "where dimension = 'team' group by all"
    )
    return {row[0]: row[-1] for row in rows}


def conversions(warehouse: Warehouse) -> list[tuple[object, ...]]:
    return warehouse.rows(
        "select billing_currency, effective_cost, rates, reporting_cost, is_missing, difference "
        "from marts.conversions order by all"
    )


def converted(cost: Decimal, factor: Fraction) -> Decimal:
    """Convert in plain Python: whole units of 1e-12, halves away from 0."""
    exact = Fraction(abs(cost)) * factor * 10**12
    units = (exact.numerator * 2 + exact.denominator) // (exact.denominator * 2)
    return (units if cost > 0 else -units) * UNIT


def test_a_bill_stands_in_its_own_currency_and_in_the_one_reported(
    build: Build, draw: type[Draw]
) -> None:
    lines = [
        draw.line(100, tags={"team": "a"}),
        draw.line(50, tags={"team": "a"}, source="eu", billing_currency="EUR"),
    ]
    found = built(build, lines, [rate("USD", "1.25")])

    assert reported(found) == {"a": Decimal(130)}
    assert found.rows(
        "select billing_currency, effective_cost, reporting_cost, reporting_currency "
        "from marts.leaderboard('team', date '2026-10-01', date '2026-11-01')"
    ) == [("EUR", 50, 50, "EUR"), ("USD", 100, 80, "EUR")]
    assert conversions(found) == [
        ("EUR", 50, None, 50, False, 0),
        ("USD", 100, f"1 EUR = 1.25 USD ({DAY}, ecb)", 80, False, 0),
    ]


@pytest.mark.parametrize("days", [0, 1, 7])
def test_the_last_rate_within_a_week_stands_in(build: Build, days: int) -> None:
    rates = [
        rate("USD", "2", DAY - timedelta(days)),
        rate("USD", "4", DAY - timedelta(days + 1)),
        rate("USD", "8", DAY + timedelta(1)),
    ]
    assert reported(billed(build, [("aws", "USD", "8")], rates)) == {"a": 4}


def test_an_older_rate_is_none_and_it_is_said(build: Build) -> None:
    costs = [("aws", "USD", "8"), ("eu", "EUR", "3")]
    found = billed(build, costs, [rate("USD", "2", DAY - timedelta(8))])

    assert conversions(found) == [
        ("EUR", 3, None, 3, False, 0),
        ("USD", 8, None, None, True, 0),
    ]
    assert found.rows(
        "select billing_currency, reporting_cost from "
        "marts.leaderboard('team', date '2026-10-01', date '2026-11-01') order by all"
    ) == [("EUR", 3), ("USD", None)]
    assert found.rows("select source, table_name, is_stale, note from marts.freshness") == [
        (
            "exchange rates",
            "USD to EUR",
            True,
            SAID,
        )
    ]


def test_between_two_other_currencies_it_goes_through_the_euro(build: Build) -> None:
    rates = [rate("USD", "1.0842"), rate("GBP", "0.83115")]
    found = billed(build, [("aws", "USD", "123.456789")], rates, to="GBP")

    factor = Fraction("0.83115") / Fraction("1.0842")
    assert reported(found) == {"a": converted(Decimal("123.456789"), factor)}
    ((*_, rates_text, _, _, _),) = conversions(found)
    assert rates_text == f"1 EUR = 1.0842 USD ({DAY}, ecb); 1 EUR = 0.83115 GBP ({DAY}, ecb)"


def test_a_rate_may_be_quoted_the_other_way_round(build: Build) -> None:
    quoted = rate("USD", "0.92", from_currency="USD", to_currency="EUR")
    assert reported(billed(build, [("aws", "USD", "100")], [quoted])) == {"a": 92}


def test_of_two_sources_the_first_by_name_counts(build: Build) -> None:
    rates = [rate("USD", "4", source="treasury"), rate("USD", "2", source="bank")]
    assert reported(billed(build, [("aws", "USD", "8")], rates)) == {"a": 4}


def test_without_a_reporting_currency_nothing_is_added(build: Build) -> None:
    found = billed(build, [("aws", "USD", "8")], [rate("USD", "2")], to="")
    assert reported(found) == {"a": None}
    assert conversions(found) == []


def test_a_run_has_its_cost_in_the_reporting_currency(build: Build, draw: type[Draw]) -> None:
    tables = {
        "cost_lines": [draw.machine(8)],
        "node_hours": [draw.node()],
        "pod_hours": [draw.pod("p", gpu=8, cpu=64, memory=488)],
        "runs": [draw.run("r")],
        "run_places": [
            {
                "run_key": "r",
                "cluster": "c1",
                "namespace": "lab",
                "pod": "p",
                "started_at": draw.at(0),
                "ended_at": draw.at(1),
            }
        ],
        "exchange_rates": [rate("USD", "2")],
    }
    found = build({**tables, "raw.reporting": [{"currency": "EUR"}]})
    query = "select effective_cost, reporting_cost, reporting_currency from marts.runs"
    assert found.rows(query) == [(8, 4, "EUR")]
    assert build(tables).rows(query) == [(8, None, None)]


amounts = st.decimals("-500000", "2000000", places=12, allow_nan=False)
rates_drawn = st.decimals("0.000001", "30000", places=6, allow_nan=False)
parts_drawn = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["aws", "gcp"]), amounts),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=40)
@given(parts_drawn, rates_drawn, rates_drawn)
def test_parts_add_up_to_the_converted_total(
    build: Build,
    parts: list[tuple[str, str, Decimal]],
    dollar: Decimal,
    pound: Decimal,
) -> None:
    """In every dimension, for each source, and no part is further off than one unit."""
    warehouse = build.kept.get(1) or build({})
    members = [(DAY, "team", member, source, "USD", cost) for member, source, cost in parts]
    members += [(DAY, "service", "s", source, "USD", cost) for _, source, cost in parts]
    warehouse.fill(
        {
            "exchange_rates": [rate("USD", f"{dollar}"), rate("GBP", f"{pound}")],
            "raw.reporting": [{"currency": "GBP"}],
        }
    )
    _convert(warehouse, members)

    factor = Fraction(pound) / Fraction(dollar)
    rows = warehouse.rows(
        "select dimension, source, member, effective_cost, reporting_cost from marts.spend_daily"
    )
    for dimension in ("team", "service"):
        for source in {source for _, source, _ in parts}:
            total = sum(cost for _, of, cost in parts if of == source)
            here = [row for row in rows if row[:2] == (dimension, source)]
            assert sum(row[-1] for row in here) == converted(Decimal(total), factor)
            assert all(abs(row[-1] - converted(row[-2], factor)) <= UNIT for row in here)
            assert all(row[-1] * row[-2] >= 0 for row in here), "a part changes its sign"


def _convert(warehouse: Warehouse, members: Sequence[tuple[object, ...]]) -> None:
    """Run the models of conversion alone, on what each member cost."""
    con = warehouse.con
    con.execute("delete from attribution.member_spend")
    con.execute("delete from attribution.user_days")
    for day, dimension, member, source, currency, cost in members:
        con.execute(
            "insert into attribution.member_spend (charge_date, source, billing_period, "
            "billing_currency, dimension, member, cost_kind, service_name, gpu_hours, "
            "effective_cost, billed_cost) values (?, ?, ?, ?, ?, ?, 'direct', 's', 0, ?, ?)",
            [day, source, day, currency, dimension, member, cost, cost],
        )
    for model in models():
        if model.name.partition(".")[2] in CONVERTING:
            sql = model.sql.replace("$stale_hours", "36")
            con.execute(f"create or replace table {model.name} as {sql}")
            check_model(con, model)


@settings(deadline=None, max_examples=200)
@given(
    st.decimals("-90000000000", "90000000000", places=12, allow_nan=False),
    st.integers(1, 10**9) | st.integers(10**20, 10**21),
    st.integers(1, 10**9) | st.integers(10**20, 10**21),
    st.integers(1, 1000),
)
def test_the_arithmetic_is_exact_scales_and_keeps_a_currency_as_it_is(
    arithmetic: object, cost: Decimal, times: int, over: int, scale: int
) -> None:
    ask = arithmetic.execute  # type: ignore[attr-defined]

    def convert(times: int, over: int) -> Decimal:
        given = "cast(? as decimal(38, 12)), cast(? as hugeint), cast(? as hugeint)"
        found: Decimal = ask(f"select converted({given})", [cost, times, over]).fetchone()[0]
        return found

    within = times / over < 1000
    assert convert(over, over) == cost
    if within:
        assert convert(times, over) == converted(cost, Fraction(times, over))
        assert convert(times * scale, over * scale) == convert(times, over)


@pytest.fixture(scope="module")
def arithmetic() -> object:
    con = connect(Limits(threads=1))
    create_macros(con, TAG_KEYS)
    return con


def quota(name: str, currency: str | None, measure: str = "effective_cost") -> Row:
    return {
        "quota": name,
        "dimension": "team",
        "member": "a",
        "measure": measure,
        "window_kind": "month",
        "limit_amount": 200,
        "billing_currency": currency,
        "threshold": 1,
    }


def test_a_quota_in_the_reporting_currency_counts_every_bill(
    build: Build, draw: type[Draw]
) -> None:
    lines = [
        draw.line(100, tags={"team": "a"}),
        draw.line(50, tags={"team": "a"}, source="eu", billing_currency="EUR"),
    ]
    tables = {
        "cost_lines": lines,
        "raw.quotas": [quota("euros", "EUR"), quota("dollars", "USD")],
        "raw.reporting": [{"currency": "EUR"}],
    }
    query = "select quota, used_amount, billing_currency from marts.quotas order by all"
    rated = build({**tables, "exchange_rates": [rate("USD", "1.25")]})
    assert rated.rows(query) == [("dollars", 100, "USD"), ("euros", 130, "EUR")]
    assert build(tables).rows(query) == [("dollars", 100, "USD"), ("euros", 50, "EUR")]
