"""A month's end on five bills at once: both views, what is final, entered figures, restatements."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from connectors import connector_class
from connectors.azure_cost import AzureCost
from connectors.base import Delivery
from jobs.config import read_config
from jobs.night import open_night
from jobs.nightly import build_and_publish
from jobs.progress import NoProgress
from queries.generation import newest_generation
from queries.read import open_generation, run_named
from tests.connectors.azure_runs import line as azure_line
from tests.connectors.azure_runs import text_of, write_run
from tests.connectors.gcp_lines import line as gcp_line
from tests.connectors.known import Memory
from tests.connectors.test_alibaba_orders import write as write_alibaba
from tests.jobs.folder_source import FolderFile
from tests.queries import split_bill
from tests.queries.test_gcp_staging import json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from queries.engines.duckdb import Connection

KINDS = ("alibaba_bill", "aws_cur", "azure_cost", "focus", "gcp_billing")
CONFIG = """state_dir = "state"
[connectors.aws_cur]
root = "aws"
[connectors.azure_cost]
actual_root = "actual"
amortized_root = "amortized"
[connectors.gcp_billing]
root = "gcp"
[connectors.alibaba_bill]
root = "alibaba"
[connectors.focus]
root = "focus"
""" + "".join(
    f'[[invoices]]\nsource = "{kind}"\nmonth = "2026-09"\namount = {amount}\n'
    f'currency = "{currency}"\n'
    for kind, amount, currency in (
        *(("alibaba_bill", "4", "CNY"), ("aws_cur", "4", "USD"), ("azure_cost", "4.01", "USD")),
        *(("focus", "5", "USD"), ("gcp_billing", "4", "EUR")),
    )
)
SEPTEMBER = (("2026-09-30", "4"),)
OCTOBER = (("2026-09-30", "0.25"), ("2026-10-08", "2.5"))
"""Days of use and their cost; the first is billed a month late."""
AGAIN = (*OCTOBER, ("2026-10-08", "-0.125"))
"""October as a newer delivery has it."""


def aws(folder: Path, month: str, lines: Sequence[tuple[str, str]]) -> Delivery:
    bill = [
        split_bill.machine(
            cost,
            f"i-{place}",
            bill_billing_period_start_date=f"{month}-01T00:00:00Z",
            bill_invoice_id="INV-9" if month == "2026-09" else "",
            line_item_usage_start_date=f"{day}T03:00:00Z",
            line_item_usage_end_date=f"{day}T04:00:00Z",
        )
        for place, (day, cost) in enumerate(lines)
    ]
    return landed("line_items", month, split_bill.write(folder / "bill.csv", bill))


def azure(folder: Path, month: str, lines: Sequence[tuple[str, str]]) -> Delivery:
    text = text_of([azure_line(cost, day=day, month=month) for day, cost in lines])
    for half, kind in (("actual", "ActualCost"), ("amortized", "AmortizedCost")):
        write_run(folder / half, kind, [text], month=month)
    source = AzureCost(str(folder / "actual"), str(folder / "amortized"))
    (delivery,) = source.deliveries(Memory())
    return delivery


def google(folder: Path, month: str, lines: Sequence[tuple[str, str]]) -> Delivery:
    found = [
        gcp_line(
            cost=float(cost),
            invoice={"month": month.replace("-", "")},
            usage_start_time=datetime.fromisoformat(f"{day}T03:00:00+00:00"),
            usage_end_time=datetime.fromisoformat(f"{day}T04:00:00+00:00"),
        )
        for day, cost in lines
    ]
    return landed("line_items", month, json_lines(folder / "bill.json", found))


def alibaba(folder: Path, month: str, lines: Sequence[tuple[str, str]]) -> Delivery:
    orders = [
        {
            "BillingCycle": month,
            "Item": "PayAsYouGoBill",
            "InstanceID": f"i-{place}",
            "UsageStartTime": f"{day} 09:00:00",
            "UsageEndTime": f"{day} 10:00:00",
            "PretaxAmount": cost,
        }
        for place, (day, cost) in enumerate(lines)
    ]
    return landed("lines", month, write_alibaba(folder, *orders))


def focus(folder: Path, month: str, lines: Sequence[tuple[str, str]]) -> Delivery:
    after = "2026-10" if month == "2026-09" else "2026-11"
    header = (
        "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,"
        "BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ProviderName"
    )
    with (folder / "bill.csv").open("w", encoding="utf-8", newline="") as text:
        csv.writer(text).writerows(
            [
                header.split(","),
                *(
                    f"{cost},{cost},USD,9,{month}-01T00:00:00Z,{after}-01T00:00:00Z,{day}T00:00:00Z,"
                    f"{day}T01:00:00Z,Usage,Compute,Nebius".split(",")
                    for day, cost in lines
                ),
            ]
        )
    return landed("cost_and_usage", month, folder / "bill.csv")


def landed(table: str, month: str, path: Path) -> Delivery:
    return Delivery(table, month, "", datetime(2026, 1, 1, tzinfo=UTC), [FolderFile(path)])


WRITERS = dict(zip(KINDS, (alibaba, aws, azure, focus, google), strict=True))


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Open what is published after October has come twice, the second time in November."""
    home = tmp_path_factory.mktemp("company")
    (home / "mlspend.toml").write_text(CONFIG, encoding="utf-8")
    config = read_config(home / "mlspend.toml")
    states = (
        ("2026-09", SEPTEMBER, datetime(2026, 10, 2, tzinfo=UTC)),
        ("2026-10", OCTOBER, datetime(2026, 10, 9, tzinfo=UTC)),
        ("2026-10", AGAIN, datetime(2026, 11, 3, tzinfo=UTC)),
    )
    with open_night(config, NoProgress(), "test") as night:
        for number, (month, lines, at) in enumerate(states):
            for kind, written in WRITERS.items():
                folder = home / f"{kind}{number}"
                folder.mkdir()
                delivery = replace(
                    written(folder, month, lines), version=f"v{number}", version_at=at
                )
                (table, *_) = connector_class(kind).tables
                night.store.land(kind, kind, table, delivery)
        build_and_publish(night)
    with open_generation(newest_generation(config.state_dir)) as con:
        yield con


def named(con: Connection, query: str, **params: Any) -> list[dict[str, Any]]:
    columns, rows = run_named(con, query, params)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_both_views_add_up_to_the_same_books(company: Connection) -> None:
    """What September's last day cost is on two invoices."""
    by_invoice = company.execute(
        "select source, strftime(billing_period, '%Y-%m'), strftime(charge_month, '%Y-%m'), "
        "billed, difference from marts.books "
        "where dimension = 'team' and measure = 'effective_cost'"
    ).fetchall()
    wanted = {
        ("2026-09", "2026-09"): Decimal(4),
        ("2026-10", "2026-09"): Decimal("0.25"),
        ("2026-10", "2026-10"): Decimal("2.375"),
    }
    assert {(row[0], row[1:3]): row[3] for row in by_invoice} == {
        (kind, months): cost for kind in KINDS for months, cost in wanted.items()
    }
    assert {row[4] for row in by_invoice} == {0}
    found = [
        (f"{row['billing_period']:%Y-%m}", f"{row['charge_month']:%Y-%m}", row["effective_cost"])
        for row in named(company, "spend_by_billing_period", dimension="team")
        if row["billing_currency"] == "USD"
    ]
    sums: dict[tuple[str, str], Decimal] = {}
    for period, month, cost in found:
        sums[period, month] = sums.get((period, month), Decimal(0)) + cost
    assert sums == {months: 3 * cost for months, cost in wanted.items()}
    by_use: dict[date, Decimal] = {}
    for row in named(company, "month_by_month", dimension="team"):
        if row["billing_currency"] == "USD":
            month = row["charge_month"]
            by_use[month] = by_use.get(month, Decimal(0)) + row["effective_cost"]
    assert by_use == {date(2026, 9, 1): Decimal("12.75"), date(2026, 10, 1): Decimal("7.125")}


def test_each_provider_is_final_and_reconciled_by_its_own_rule(company: Connection) -> None:
    """On 8 October Alibaba's September is final since the 4th, and Azure's since the 5th.

    AWS's is by its invoice's id; Google's takes until the 10th, as a provider's that is not known.
    """
    rows = named(company, "invoices")
    september = {
        row["source"]: (row["state"], row["entered_amount"], row["difference"], row["verdict"])
        for row in rows
        if row["billing_period"] == date(2026, 9, 1)
    }
    assert september == {
        "alibaba_bill": ("final", 4, 0, "agrees"),
        "aws_cur": ("final", 4, 0, "agrees"),
        "azure_cost": ("final", Decimal("4.01"), Decimal("-0.01"), "differs"),
        "focus": ("estimated", 5, -1, "open"),
        "gcp_billing": ("estimated", 4, 0, "agrees"),
    }
    october = {(row["source"], row["state"]) for row in rows if row["billing_period"].month == 10}
    assert october == {(kind, "estimated") for kind in KINDS}


def test_the_ledger_tells_what_moved_each_bill_and_why(company: Connection) -> None:
    moved = company.execute(
        "select source, unit, charge_month, cost_before, cost_after, lines_before, lines_after, "
        "was_open from marts.restatements where measure = 'billed_cost' order by source"
    ).fetchall()
    october = ("2026-10", date(2026, 10, 1), Decimal("2.5"), Decimal("2.375"))
    lines = {"azure_cost": (2, 4)}  # both halves of its pair have them
    assert moved == [(kind, *october, *lines.get(kind, (1, 2)), True) for kind in KINDS]
    told = named(company, "restatements", measure="billed_cost")
    assert {(row["source"], row["cause"], row["cost_change"]) for row in told} == {
        (kind, "credits", Decimal("-0.125")) for kind in KINDS
    }
