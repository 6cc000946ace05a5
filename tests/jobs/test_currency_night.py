"""Whole nights with a reporting currency: what is converted, shown, said to be missing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from queries.generation import newest_generation
from queries.read import open_generation
from tests.jobs.nights import FOCUS, run, write_month

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = (
    f'{FOCUS}[connectors.exchange_rates]\npath = "rates.csv"\n[currency]\nreport = "EUR"\n'
    '[privacy]\npeople = "teams"\n'
)
"""People are folded into their teams, so that what is published of converted cost is added up."""


def write_rates(home: Path, *rates: str) -> None:
    (home / "rates.csv").write_text("\n".join(["date,currency,rate", *rates, ""]), "utf-8")


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with open_generation(newest_generation(home / "state")) as con:
        return con.execute(query).fetchall()


def night(home: Path) -> tuple[str, str]:
    done = run(home)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_a_night_reports_in_one_currency_and_a_new_rate_attributes_nothing_anew(
    tmp_path: Path,
) -> None:
    write_month(tmp_path / "bills", "2026-10", {1: "1.25", 12: "2.5"})
    (tmp_path / "mlspend.toml").write_text(CONFIG, "utf-8")
    costs = "select sum(effective_cost), sum(reporting_cost), count(*) - count(reporting_cost) "
    costs += "from marts.spend_daily where dimension = 'team'"

    write_rates(tmp_path, "2026-09-30,USD,1.25")
    shown, _ = night(tmp_path)
    assert ask(tmp_path, costs) == [(Decimal("3.75"), 1, 1)]
    assert "Teams, October 2026, USD" in shown
    assert "The books, by user:\n  USD: billed 3.75 = " in shown
    said = "no rate for 1 day of cost, from 2026-10-12 to 2026-10-12"
    assert f"missing: exchange rates, USD to EUR: {said}" in run(tmp_path, "sources").stdout
    assert f"Stale:\n  exchange rates USD to EUR: {said}" in shown
    pages = max((tmp_path / "state" / "reports").glob("20*"))
    assert f"({said}: what was billed then has no cost in EUR)" in (
        " ".join((pages / "index.html").read_text("utf-8").replace("<wbr>", "").split())
    )

    write_rates(tmp_path, "2026-09-30,USD,1.25", "2026-10-09,USD,1.2")
    shown, progress = night(tmp_path)
    assert "attribute 2026-10" not in progress
    assert ask(tmp_path, costs) == [(Decimal("3.75"), 1 + Decimal("2.083333333333"), 0)]
    assert "Teams, October 2026, EUR" in shown
    assert "Stale:" not in shown
    assert "USD: billed 3.75 = " in shown, "the proof stays in the billing currency"
    assert "missing" not in run(tmp_path, "sources").stdout
    assert "2026-10-09, exchange_rates" in (pages / "books.html").read_text("utf-8")

    night(tmp_path)
    assert len(list((tmp_path / "state" / "generations").glob("0*.duckdb"))) == 2, (
        "nothing changed, so nothing is published"
    )
