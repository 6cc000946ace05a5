"""The scenarios that the FOCUS specification publishes, each a bill of its own, in whole nights."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from queries.generation import newest_generation
from queries.read import open_generation
from tests.jobs.nights import run
from tests.queries.bills import DATA

if TYPE_CHECKING:
    from pathlib import Path

V12, V14 = DATA / "focus" / "spec_1_2", DATA / "focus" / "spec_1_4"
WHOLE = "one_hundred_percent_utilization_with"
COMMITMENTS: dict[str, tuple[str, str, str]] = {
    "commitment_discount_purchase_scenario_1": ("8760", "0", "0"),
    "commitment_discount_usage_scenario_1": ("0", "1", "0"),
    "commitment_discount_usage_scenario_2": ("0", "1", "1"),
    "commitment_discount_usage_scenario_3": ("0", "1", "0.25"),
    "commitment_discount_usage_scenario_4": ("0.5", "1.5", "0"),
    f"{WHOLE}_commitment_discount_flexibility_with_1_resource": ("2.75", "2.75", "0"),
    f"{WHOLE}_commitment_discount_flexibility_with_2_resources": ("2", "2", "0"),
    f"{WHOLE}out_commitment_discount_flexibility": ("1.5", "1.5", "0"),
    "zero_percent_utilization_without_commitment_discount_flexibility": ("3.5", "3.5", "1.5"),
}
"""Scenario -> what it bills, what that is when amortised, and how much of this is unused."""
CLOSED, OPEN = "closed-billing-period__scenario_", "open-billing-period-current__scenario_"
CORRECTIONS: dict[str, tuple[dict[str, str], dict[str, str], dict[tuple[str, str], str]]] = {
    "ledger": (
        {"2025-05": f"{CLOSED}1_partial_reallocation_original"},
        {"2025-06": f"{CLOSED}1_partial_reallocation_ledger"},
        {("2025-05", "2025-05"): "1500", ("2025-06", "2025-05"): "0"},
    ),
    "delta": (
        {"2025-05": f"{CLOSED}1_partial_reallocation_original"},
        {"2025-06": f"{CLOSED}1_partial_reallocation_delta"},
        {("2025-05", "2025-05"): "1500", ("2025-06", "2025-05"): "0"},
    ),
    "late": (
        {"2025-05": f"{CLOSED}1_partial_reallocation_original"},
        {"2025-06": f"{CLOSED}2_late_arriving_usage_ledger"},
        {("2025-05", "2025-05"): "1500", ("2025-06", "2025-05"): "1500"},
    ),
    "cost_only": (
        {"2025-05": f"{CLOSED}1_partial_reallocation_original"},
        {"2025-06": f"{CLOSED}3_itemized_cost_only_ledger"},
        {("2025-05", "2025-05"): "1500", ("2025-06", "2025-05"): "0.002"},
    ),
    "replaced": (
        {"2025-07": f"{OPEN}1_partial_reallocation_original"},
        {"2025-07": f"{OPEN}1_partial_reallocation_replacement"},
        {("2025-07", "2025-07"): "1500"},
    ),
    "before_the_invoice": (
        {},
        {"2025-06": "open-billing-period-previous__scenario_2_late_arriving_usage_ledger"},
        {("2025-06", "2025-06"): "1500"},
    ),
}
"""Correction -> its bills of the first night and of the second, by their files' months, and what is
billed in the end, by billing period and month of use."""


def put(example: Path, place: Path, account: str) -> None:
    """Copy an example; it tells no account, by which bills are told apart."""
    with example.open(encoding="utf-8-sig", newline="") as text:
        lines = [line for line in csv.reader(text) if line]
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w", encoding="utf-8", newline="") as text:
        told = [["BillingAccountId", *lines[0]], *([account, *line] for line in lines[1:])]
        csv.writer(text).writerows(told)


def night(home: Path, sources: list[str]) -> None:
    tables = (f'[[connectors.focus]]\nsource = "{one}"\nroot = "{one}"\n' for one in sources)
    (home / "mlspend.toml").write_text("".join(tables), encoding="utf-8")
    done = run(home)
    assert done.returncode == 0, done.stderr


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with open_generation(newest_generation(home / "state")) as con:
        open_books = "select count(*) from marts.books where difference <> 0"
        assert con.execute(open_books).fetchall() == [(0,)]
        return con.execute(query).fetchall()


def test_every_example_is_a_scenario() -> None:
    assert {path.stem for path in V12.glob("*.csv")} == set(COMMITMENTS)
    used = {name for both in CORRECTIONS.values() for one in both[:2] for name in one.values()}
    assert {path.stem for path in V14.glob("*.csv")} == used


def test_commitments_are_billed_amortised_and_unused_as_published(tmp_path: Path) -> None:
    sources = {f"scenario{place}": name for place, name in enumerate(COMMITMENTS)}
    for source, name in sources.items():
        put(V12 / f"{name}.csv", tmp_path / source / "2023-01.csv", source)
    night(tmp_path, list(sources))
    rows = ask(
        tmp_path,
        "select source, sum(billed_cost), sum(effective_cost), coalesce(sum(effective_cost) "
        "filter (where cost_kind = 'commitment_unused'), 0) from marts.spend_daily "
        "where dimension = 'team' group by source",
    )
    assert {sources[row[0]]: row[1:] for row in rows} == {
        name: tuple(Decimal(figure) for figure in figures) for name, figures in COMMITMENTS.items()
    }


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder after two nights: before the corrections came, and after."""
    home = tmp_path_factory.mktemp("corrected")
    for source, (first, _, _) in CORRECTIONS.items():
        (home / source).mkdir()
        for month, name in first.items():
            put(V14 / f"{name}.csv", home / source / f"{month}.csv", source)
    night(home, [source for source, (first, _, _) in CORRECTIONS.items() if first])
    for source, (_, then, _) in CORRECTIONS.items():
        for month, name in then.items():
            put(V14 / f"{name}.csv", home / source / f"{month}.csv", source)
    night(home, list(CORRECTIONS))
    return home


def test_corrections_are_billed_when_invoiced_and_charged_when_used(corrected: Path) -> None:
    """Both views: the invoice's month and the month of use."""
    rows = ask(
        corrected,
        "select source, strftime(billing_period, '%Y-%m'), strftime(charge_month, '%Y-%m'), "
        "measure, billed from marts.books where dimension = 'user'",
    )
    assert {row[:4]: row[4] for row in rows} == {
        (source, period, month, measure): Decimal(cost)
        for source, (_, _, costs) in CORRECTIONS.items()
        for (period, month), cost in costs.items()
        for measure in ("billed_cost", "effective_cost")
    }


def test_a_correction_restates_no_sum_that_was_told(corrected: Path) -> None:
    """A closed period is left alone, and the replacement of an open one comes to the same."""
    assert ask(corrected, "from marts.restatements") == []
