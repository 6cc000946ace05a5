"""Subscription orders of Alibaba's: billed once, and borne by the days that they pay for."""

from __future__ import annotations

import csv
import tempfile
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.totals import raw_totals
from tests.queries.bills import stage_rows

TABLE = "alibaba_bill__lines"
ORDER = {
    "BillingCycle": "2026-10",
    "AccountID": "1",
    "ProductCode": "ecs",
    "Item": "SubscriptionOrder",
    "InstanceID": "i-1",
    "UsageStartTime": "2026-10-11 00:00:00",
    "UsageEndTime": "",
    "BillingDate": "",
    "ServicePeriod": "",
    "ServicePeriodUnit": "",
    "PretaxGrossAmount": "120",
    "InvoiceDiscount": "20",
    "PretaxAmount": "100",
    "Currency": "CNY",
    "Tag": "",
}


def write(folder: Path, *orders: dict[str, str]) -> Path:
    path = folder / "bill.csv"
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, ORDER)
        writer.writeheader()
        writer.writerows({**ORDER, **order} for order in orders)
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return stage_rows("alibaba_bill", [path])


def staged(folder: Path, **order: str) -> list[dict[str, Any]]:
    return rows_of(write(folder, order))


def test_an_order_is_billed_where_it_begins_and_borne_by_its_days(tmp_path: Path) -> None:
    rows = staged(tmp_path, UsageEndTime="2026-10-17 23:59:59")
    (order,) = (row for row in rows if row["charge_category"] == "Purchase")
    assert (order["billed_cost"], order["effective_cost"]) == (100, 0)
    parts = [row for row in rows if row is not order]
    assert [row["charge_date"] for row in parts] == [date(2026, 10, day) for day in range(11, 18)]
    assert {row["billing_period"] for row in rows} == {date(2026, 10, 1)}
    assert {row["billed_cost"] for row in parts} == {0}
    seventh = Decimal("14.285714285714")
    assert {row["effective_cost"] for row in parts} == {seventh, seventh + Decimal("1e-12")}
    for measure, whole in (("effective_cost", 100), ("list_cost", 120), ("contracted_cost", 100)):
        assert sum(row[measure] for row in rows) == whole
    assert {row["charge_period_end"] - row["charge_period_start"] for row in parts} == {
        timedelta(days=1)
    }


@pytest.mark.parametrize(
    ("order", "days"),
    [
        ({"ServicePeriod": "1", "ServicePeriodUnit": "月"}, 31),
        ({"ServicePeriod": "1", "ServicePeriodUnit": "Year"}, 365),
        ({"ServicePeriod": "604800", "ServicePeriodUnit": "秒"}, 7),
        ({"ServicePeriod": "3", "ServicePeriodUnit": "Day"}, 3),
        ({"BillingDate": "2026-10-11", "UsageStartTime": "", "ServicePeriod": "2"}, 1),
        ({"UsageStartTime": "2026-10-11 13:45:10", "UsageEndTime": "2026-10-14 00:00:00"}, 3),
        ({"UsageEndTime": "2026-10-11 23:59:59"}, 1),
        ({"UsageEndTime": "2056-10-11 23:59:59"}, 1),
        ({"ServicePeriod": "999999999", "ServicePeriodUnit": "Year"}, 1),
        ({"ServicePeriod": "7", "ServicePeriodUnit": "parsec"}, 1),
        ({"UsageEndTime": "2026-10-20 00:00:00", "PretaxAmount": "-5"}, 1),
        ({"UsageEndTime": "2026-10-20 00:00:00", "Item": "Refund"}, 1),
        ({"UsageEndTime": "2026-10-20 00:00:00", "Item": "PayAsYouGoBill"}, 1),
        ({"UsageStartTime": "", "ServicePeriod": "9", "ServicePeriodUnit": "Day"}, 1),
    ],
)
def test_only_a_term_that_the_bill_tells_is_spread(
    tmp_path: Path, order: dict[str, str], days: int
) -> None:
    rows = [row for row in staged(tmp_path, **order) if row["effective_cost"]]
    assert len(rows) == days
    assert totals(tmp_path / "bill.csv") == by_month(rows_of(tmp_path / "bill.csv"))


def totals(path: Path) -> dict[tuple[str, str], Decimal]:
    found = {(each.charge_month, each.measure): each.amount for each in raw_totals(TABLE, [path])}
    return {key: amount for key, amount in found.items() if amount}


def by_month(rows: list[dict[str, Any]]) -> dict[tuple[str, str], Decimal]:
    found: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        for measure in ("billed_cost", "effective_cost"):
            key = (f"{row['charge_date']:%Y-%m}", measure)
            found[key] = found.get(key, Decimal(0)) + row[measure]
    return {key: amount for key, amount in found.items() if amount}


@st.composite
def orders(draw: st.DrawFn) -> dict[str, str]:
    begun = draw(st.datetimes(datetime(2026, 9, 28), datetime(2026, 11, 3)))  # noqa: DTZ001
    begun = begun.replace(microsecond=0)
    if draw(st.booleans()):
        begun = begun.replace(hour=0, minute=0, second=0)
    over = begun + draw(st.timedeltas(timedelta(0), timedelta(days=800)))
    order = {
        "UsageStartTime": f"{begun}",
        "PretaxAmount": f"{draw(st.decimals(-9, 10**9, places=draw(st.integers(0, 14)))):f}",
        "Item": draw(st.sampled_from(("SubscriptionOrder", "预付费订单", "Refund", "退款订单"))),
    }
    if draw(st.booleans()):
        return {**order, "UsageEndTime": f"{over.replace(microsecond=0)}"}
    units = ("", "秒", "Hour", "天", "Week", "个月", "年")
    period = draw(st.one_of(st.integers(0, 4000).map(str), st.sampled_from(("", "x", "1.5"))))
    return {**order, "ServicePeriod": period, "ServicePeriodUnit": draw(st.sampled_from(units))}


@settings(max_examples=25, deadline=None)
@given(st.lists(orders(), min_size=1, max_size=4))
def test_whatever_is_ordered_the_models_and_the_raw_totals_agree(
    found: list[dict[str, str]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = write(Path(name), *found)
        rows = rows_of(path)
        assert totals(path) == by_month(rows)
        lines = sum(
            each.rows for each in raw_totals(TABLE, [path]) if each.measure == "billed_cost"
        )
        assert lines == len(found), "a part of an order is no line"
        billed, effective = (
            sum(Decimal(str(row[measure])) for row in rows)
            for measure in ("billed_cost", "effective_cost")
        )
        assert billed == effective
