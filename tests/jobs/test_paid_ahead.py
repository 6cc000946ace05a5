"""Nights on orders that are paid for months at once: days to come have cost, and are not today."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from queries.generation import newest_generation
from queries.read import open_generation
from tests.connectors.test_alibaba_orders import write
from tests.jobs.nights import run

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """state_dir = "state"
[connectors.alibaba_bill]
root = "bills"
[connectors.exchange_rates]
path = "rates.csv"
[currency]
report = "EUR"
[[quotas]]
name = "month"
dimension = "project"
member = "vision"
measure = "effective_cost"
window = "month"
limit = 1000
currency = "CNY"
"""
YEAR = {
    "PretaxAmount": "36500",
    "UsageStartTime": "2026-10-02 00:00:00",
    "UsageEndTime": "2027-10-01 23:59:59",
    "Tag": "project:vision",
}


def used(day: date) -> dict[str, str]:
    """Return a line of a machine that is paid by the day."""
    return {
        "BillingCycle": f"{day:%Y-%m}",
        "Item": "PayAsYouGoBill",
        "InstanceID": "i-2",
        "UsageStartTime": f"{day} 00:00:00",
        "UsageEndTime": f"{day + timedelta(days=1)} 00:00:00",
        "PretaxAmount": "1.5",
    }


def night(home: Path, month: str, *lines: dict[str, str]) -> None:
    """Run a night on one more month's bill."""
    bill = home / "bills" / f"1234567890123456_InstanceDetailMonthly_{month}.csv"
    bill.parent.mkdir(exist_ok=True)
    write(home, *lines).rename(bill)
    done = run(home)
    assert done.returncode == 0, done.stderr


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with open_generation(newest_generation(home / "state")) as con:
        return con.execute(query).fetchall()


def named(home: Path, query: str, *params: str) -> list[dict[str, str]]:
    options = [option for param in params for option in ("--param", param)]
    done = run(home, "sql", "--csv", "--named", query, *options)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_a_year_paid_at_once_is_borne_by_its_days_and_today_is_not_a_year_ahead(
    tmp_path: Path,
) -> None:
    (tmp_path / "mlspend.toml").write_text(CONFIG, encoding="utf-8")
    rates = "date,currency,rate\n2026-09-30,CNY,8\n2026-10-30,CNY,8\n"
    (tmp_path / "rates.csv").write_text(rates, encoding="utf-8")
    night(tmp_path, "202610", YEAR, *(used(date(2026, 10, day)) for day in range(1, 6)))

    books = "select measure, sum(billed), max(abs(difference)) from marts.books "
    books += "where dimension = 'team' group by measure order by measure"
    closed = [(measure, Decimal("36507.5"), 0) for measure in ("billed_cost", "effective_cost")]
    assert ask(tmp_path, books) == closed
    december = "select sum(effective_cost), sum(billed_cost) from marts.spend_daily "
    december += "where dimension = 'project' and member = 'vision' "
    december += "and charge_date between '2026-12-01' and '2026-12-31'"
    assert ask(tmp_path, december) == [(3100, 0)]

    assert ask(tmp_path, "from marts.covered_days") == [
        (date(2026, 10, 1), date(2026, 10, 5), date(2027, 10, 1))
    ]
    assert named(tmp_path, "covered_days")[0]["reporting_currency"] == "EUR"
    assert ask(tmp_path, "select count(*) from marts.freshness where is_stale") == [(0,)]
    quota = "select as_of_date, used_amount from marts.quotas"
    assert ask(tmp_path, quota) == [(date(2026, 10, 5), 400)]
    shown = {row["member"]: row for row in named(tmp_path, "leaderboard", "dimension=project")}
    assert Decimal(shown["vision"]["effective_cost"]) == 400
    assert Decimal(shown["vision"]["billed_cost"]) == 36500

    for command in (("explain", "project=vision"), ("prove",)):
        done = run(tmp_path, *command)
        assert done.returncode == 0, done.stderr

    # By now days have come that no rate is known for.
    night(tmp_path, "202611", used(date(2026, 11, 3)))
    assert ask(tmp_path, "select newest_day from marts.covered_days") == [(date(2026, 11, 3),)]
    assert ask(tmp_path, quota) == [(date(2026, 11, 3), 300)]
    assert ask(tmp_path, december) == [(3100, 0)]
    assert ask(tmp_path, "from marts.restatements") == []
