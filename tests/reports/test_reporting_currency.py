"""The site, the mail and the terminal in one currency, where every rate is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from jobs.site import span_of
from queries.read import open_generation, run_named
from reports.base import Frame, Frames, Range
from reports.digest import About, Reader, digest_reads, write_digest
from reports.figures import exact
from reports.site import write_site
from tests.queries.acme import NEWEST_DAY, write_generation
from tests.reports.frames import META, SPAN, company_frames
from tests.reports.page import parse, read_page

if TYPE_CHECKING:
    from pathlib import Path

DOLLAR = Decimal("0.8")


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generation(tmp_path_factory.mktemp("eur") / "acme.duckdb", DOLLAR)


@pytest.fixture(scope="module")
def unrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generation(tmp_path_factory.mktemp("usd") / "acme.duckdb")


@pytest.fixture(scope="module")
def pages(reported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    span = replace(SPAN, currency="EUR")
    folder = tmp_path_factory.mktemp("reports") / "2026-11-20"
    return write_site(folder, company_frames(reported, span), replace(META, span=span)).parent


def asked(generation: Path, query: str, **params: Any) -> list[dict[str, Any]]:
    with open_generation(generation) as con:
        return Frame(*run_named(con, query, params)).records()


def total(records: list[dict[str, Any]], column: str = "effective_cost") -> Decimal:
    """Return a sum in EUR, each record converted as its currency says."""
    factor = {"EUR": Decimal(1), "USD": DOLLAR}
    return sum(
        ((row[column] or Decimal(0)) * factor[row["billing_currency"]] for row in records),
        Decimal(0),
    )


def test_it_is_shown_where_every_rate_is_known_and_only_then(reported: Path, unrated: Path) -> None:
    with open_generation(reported) as con:
        span = span_of(con)
    assert span is not None
    assert span.currency == "EUR"
    with open_generation(unrated) as con:
        assert span_of(con) == SPAN


@pytest.mark.parametrize(
    ("query", "params", "column"),
    [
        ("leaderboard", {"dimension": "team"}, "effective_cost"),
        ("leaderboard", {"dimension": "team"}, "billed_cost"),
        ("leaderboard", {"dimension": "team"}, "previous_cost"),
        ("cost_kinds", {"dimension": "team"}, "effective_cost"),
        ("trend_daily", {}, "effective_cost"),
        ("team_spend", {"dimension": "user"}, "previous_cost"),
        ("member_daily", {"dimension": "model"}, "effective_cost"),
        ("month_by_month", {}, "billed_cost"),
        ("unattributed", {}, "effective_cost"),
        ("users_by_model", {}, "effective_cost"),
        ("team_work", {"by": "project"}, "moved_cost"),
        ("member_runs", {"top": 10_000}, "effective_cost"),
        ("runs_dearest", {"top": 10_000}, "effective_cost"),
        ("idle_machines", {}, "idle_cost"),
        ("idle_daily", {}, "effective_cost"),
        ("training_jobs_dearest", {"top": 10_000}, "failed_cost"),
        ("failure_rates", {"min_runs": 1}, "effective_cost"),
        ("books_proof", {}, "billed"),
        ("books_proof", {"measure": "billed_cost"}, "attributed"),
        ("books_proof", {}, "idle"),
    ],
)
def test_a_query_gives_all_bills_in_it(
    reported: Path, query: str, params: dict[str, Any], column: str
) -> None:
    billed = asked(reported, query, **params)
    found = asked(reported, query, **params, currency="EUR")

    assert {row["billing_currency"] for row in billed} == {"EUR", "USD"}
    assert {row["billing_currency"] for row in found} == {"EUR"}
    assert total(found, column) == total(billed, column) != 0


def test_without_rates_it_gives_nothing_rather_than_a_part(unrated: Path) -> None:
    rows = asked(unrated, "leaderboard", dimension="team")
    assert {row["reporting_currency"] for row in rows} == {"EUR", None}
    assert all(
        (row["reporting_cost"] is None) == (row["billing_currency"] == "USD") for row in rows
    )
    assert asked(unrated, "leaderboard", currency="GBP") == []


def test_the_site_is_in_it_and_its_proof_closes(reported: Path, pages: Path) -> None:
    page = read_page(pages / "index.html")
    units = {one.text for one in page.all("span") if one.has_class("unit")}
    proofs = [one for one in page.all("p") if one.has_class("proof")]

    assert units == {"EUR"}
    assert "--param currency=EUR" in page.text
    assert "converted from the billing currency at each day's rate" in page.text
    assert proofs
    assert all(one.has_class("closes") for one in proofs)
    month = total(asked(reported, "leaderboard", dimension="team"))
    (big,) = [one for one in page.all("p") if one.has_class("big")][:1]
    assert big.all("span")[0].attributes["title"] == exact(month, "EUR")


def test_the_books_stay_as_billed_and_show_the_conversion(pages: Path, reported: Path) -> None:
    page = read_page(pages / "books.html")
    (table,) = [one for one in page.all("table") if "reporting currency" in one.text]
    rows = [[cell.text.strip() for cell in row.children] for row in table.all("tr")][1:]

    assert {(row[3], row[5]) for row in rows} == {("EUR", "EUR"), ("USD", "EUR")}
    assert {row[6] for row in rows} == {"0.000000000000"}
    assert {row[7] for row in rows if row[3] == "EUR"} == {"the same currency"}
    assert all("1 EUR = 1.25 USD" in row[7] for row in rows if row[3] == "USD")
    assert len(rows) == len(asked(reported, "conversions"))
    assert {"EUR", "USD"} <= {cell.text for cell in page.all("table")[0].all("td")}


def test_a_rate_that_is_missing_is_told_in_the_books(site: Path) -> None:
    page = read_page(site / "books.html")
    (table,) = [one for one in page.all("table") if "reporting currency" in one.text]
    assert "19 of 19 days lack a rate" in table.text
    assert "currencies are never added" in page.text


def test_the_digest_is_in_it_and_its_proof_is_not(reported: Path) -> None:
    days = Range("digest", "Last 7 days", NEWEST_DAY - timedelta(6), NEWEST_DAY, "EUR")
    with open_generation(reported) as con:
        frames = {
            read.key: Frame(*run_named(con, read.query, read.params))
            for read in digest_reads(None, days)
        }
    found = write_digest(
        Frames(frames), Reader("Ada", None), About("What machine learning costs", days)
    )

    assert "EUR" in found.subject
    assert "USD" not in found.subject
    text = parse(found.html).text
    assert "in EUR at each day's rate" in text
    assert " USD = attributed" in text
