"""The demo company's bills, added up from their files by each provider's own rules."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from tests.queries.bills import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Bill = tuple[str, str, str]
Sums = dict[Bill, tuple[Decimal, Decimal]]

CASH = {
    "aws": "line_item_unblended_cost",
    "azure": "CostInBillingCurrency",
    "eu-lab": "BilledCost",
    "gcp": "cost",
    "lab": "BilledCost",
}
MONEY = [
    "bill_billing_period_start_date",
    "line_item_currency_code",
    "line_item_line_item_type",
    "line_item_unblended_cost",
    "line_item_usage_account_id",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
]


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def newest_parts(company: Path) -> list[Path]:
    """Return the bill's files that count: those of each period's newest execution."""
    folders: dict[str, Path] = {}
    for folder in sorted((company / "aws" / "data").glob("*/*")):
        folders[folder.parent.name] = folder
    return [path for folder in folders.values() for path in sorted(folder.iterdir())]


def exact(value: float | None) -> Decimal:
    """Return a double as it prints: what the provider meant by it."""
    return Decimal(repr(value or 0.0))


def cloud_bill(company: Path) -> Sums:
    """Add the cloud bill up from its files, by the provider's rules for each type of line."""
    sums: dict[Bill, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for path in newest_parts(company):
        for line in pl.read_parquet(path, columns=MONEY).iter_rows(named=True):
            kind = line["line_item_line_item_type"]
            cost = exact(line["line_item_unblended_cost"])
            effective, billed = cost, cost
            if kind == "SavingsPlanCoveredUsage":
                effective = exact(line["savings_plan_savings_plan_effective_cost"])
                billed = Decimal(0)
            elif kind == "SavingsPlanNegation":
                effective = billed = Decimal(0)
            elif kind == "SavingsPlanRecurringFee":
                effective = exact(line["savings_plan_total_commitment_to_date"])
                effective -= exact(line["savings_plan_used_commitment"])
            elif kind == "SavingsPlanUpfrontFee":
                effective = Decimal(0)
            month = f"{line['bill_billing_period_start_date']:%Y-%m}"
            of_bill = sums["aws", month, line["line_item_currency_code"]]
            of_bill[0] += effective
            of_bill[1] += billed
    return {bill: (both[0], both[1]) for bill, both in sums.items()}


def renters_bills(company: Path) -> Sums:
    sums: dict[Bill, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for path in (company / "lab").iterdir():
        text = gzip.decompress(path.read_bytes()).decode()
        for line in csv.DictReader(text.splitlines()):
            of_bill = sums["lab", line["BillingPeriodStart"][:7], line["BillingCurrency"]]
            of_bill[0] += Decimal(line["EffectiveCost"])
            of_bill[1] += Decimal(line["BilledCost"])
    for path in (company / "eu-lab").rglob("*.parquet"):
        for row in pl.read_parquet(path).iter_rows(named=True):
            bill = ("eu-lab", f"{row['BillingPeriodStart']:%Y-%m}", row["BillingCurrency"])
            sums[bill][0] += exact(row["EffectiveCost"])
            sums[bill][1] += exact(row["BilledCost"])
    return {bill: (both[0], both[1]) for bill, both in sums.items()}


def google_bill(company: Path) -> Sums:
    """Add up the nested export: lines, and the credits of each."""
    sums: dict[Bill, Decimal] = defaultdict(Decimal)
    for path in (company / "gcp").rglob("*.parquet"):
        for row in pl.read_parquet(path).iter_rows(named=True):
            month = row["invoice"]["month"]
            bill = ("gcp", f"{month[:4]}-{month[4:]}", row["currency"])
            sums[bill] += exact(row["cost"])
            sums[bill] += sum(exact(credit["amount"]) for credit in row["credits"])
    return {bill: (total, total) for bill, total in sums.items()}


def azure_bill(company: Path) -> Sums:
    """Add up each of the two exports: what use cost, and what was paid."""
    sums: dict[Bill, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for number, half in enumerate(("amortized", "actual")):
        for path in (company / "azure" / half).rglob("*.csv"):
            for row in rows_of(path):
                month = row["BillingPeriodStartDate"][:7]
                bill = ("azure", month, row["BillingCurrencyCode"])
                sums[bill][number] += Decimal(row["CostInBillingCurrency"])
    return {bill: (both[0], both[1]) for bill, both in sums.items()}


def costs_in(source: str, path: Path) -> Sequence[str]:
    """Return the costs in a raw file, as they print: what adds up to the bill.

    Google's credits are beside their lines; of Azure's two exports the actual one has the fees.
    """
    column = CASH[source]
    if path.suffix != ".parquet":
        lines = list(lines_of(path))
        is_other = source == "azure" and all(line["ChargeType"] != "Purchase" for line in lines)
        return [] if is_other else [line[column] for line in lines]
    frame = pl.read_parquet(path)
    costs = frame[column].to_list()
    if source == "gcp":
        costs += [one["amount"] for row in frame["credits"].to_list() for one in row]
    return [repr(cost) for cost in costs]
