"""Lines of a bill that do not say what they cost: counted in every format, and never lost."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import polars as pl
import pytest

from queries.totals import raw_totals
from tests.queries.bills import DATA, assert_plain, lines_of

if TYPE_CHECKING:
    from pathlib import Path

FOCUS = "focus/sample_1_0/focus_sample.csv"
AWS = "aws_cur/legacy_sample/sample-anonymous-aws-export-dataset.csv"
AZURE = "azure_cost/koku/amortized/azure_azure_version_2.csv"
GOOGLE = "gcp_billing/koku/gcp_2022-08-01_5.csv"
BILLS = {
    "FOCUS, billed": ("focus__cost_and_usage", FOCUS, "BilledCost", {"billed_cost"}),
    "FOCUS, effective": ("focus__cost_and_usage", FOCUS, "EffectiveCost", {"effective_cost"}),
    "AWS": (
        *("aws_cur__line_items", AWS, "lineItem/UnblendedCost"),
        {"billed_cost", "effective_cost"},
    ),
    "Azure": (
        *("azure_cost__cost_details", AZURE, "CostInBillingCurrency"),
        {"billed_cost", "effective_cost"},
    ),
    "Google": ("gcp_billing__line_items", GOOGLE, "cost", {"billed_cost", "effective_cost"}),
}
TABLES = {table: sample for table, sample, _, _ in BILLS.values()}


def blanks(table: str, path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for total in raw_totals(table, [path], [f"amortized/{path.name}"]):
        if total.blank:
            found[total.measure] = found.get(total.measure, 0) + total.blank
    return found


@pytest.mark.parametrize("bill", BILLS.values(), ids=BILLS)
def test_each_line_without_a_cost_is_counted(
    tmp_path: Path, bill: tuple[str, str, str, set[str]]
) -> None:
    table, sample, column, measures = bill
    rows = list(lines_of(DATA / sample))
    for row in rows[1:3]:
        row[column] = ""
    path = tmp_path / "amortized" / "bill.csv"
    path.parent.mkdir()
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert blanks(table, path) == dict.fromkeys(measures, 2)
    assert_plain(table, [path])


@pytest.mark.parametrize(("table", "sample"), TABLES.items())
def test_a_real_sample_states_every_cost(table: str, sample: str) -> None:
    assert blanks(table, DATA / sample) == {}


def test_a_file_without_the_column_states_no_cost_at_all(tmp_path: Path) -> None:
    path = tmp_path / "focus.parquet"
    start = pl.datetime(2026, 10, 1)
    lines = pl.DataFrame({"BilledCost": [1.5, None, 0.0]})
    lines.with_columns(BillingPeriodStart=start, ChargePeriodStart=start).write_parquet(path)
    assert blanks("focus__cost_and_usage", path) == {"billed_cost": 1, "effective_cost": 3}
