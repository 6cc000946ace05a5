"""The specification's own examples, staged: what each publishes is what comes out."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.queries.bills import lines_of, stage_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.queries.bills import Row

FOCUS = Path("tests/data/focus")
V12, V14 = FOCUS / "spec_1_2", FOCUS / "spec_1_4"
CLOSED, OPEN = "closed-billing-period__scenario_", "open-billing-period-"


def sums(rows: Sequence[Row], *keys: str) -> dict[str, Decimal]:
    """Add billed cost by the text of some columns, without what comes to 0."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        cost = row["billed_cost"]
        assert isinstance(cost, Decimal)
        found[" ".join(str(row[key])[:10] for key in keys)] += cost
    return {key: cost for key, cost in found.items() if cost}


def corrections(*names: str) -> list[Row]:
    return [row for name in names for row in stage_rows("focus", [V14 / f"{name}.csv"])]


@pytest.mark.parametrize("path", sorted(V12.glob("*.csv")), ids=lambda path: path.stem)
def test_a_commitments_costs_are_those_published(path: Path) -> None:
    """Billed and effective cost of purchases, of what is used, unused, and outside of it."""
    published: dict[tuple[str, str | None], list[Decimal]] = {}
    for line in lines_of(path):
        status = line.get("CommitmentDiscountStatus") or "null"
        key = (line["ChargeCategory"], None if status == "null" else status)
        both = published.setdefault(key, [Decimal(0), Decimal(0)])
        both[0] += Decimal(line["BilledCost"])
        both[1] += Decimal(line["EffectiveCost"])
    staged: dict[tuple[str, str | None], list[Decimal]] = {}
    for row in stage_rows("focus", [path]):
        own = (str(row["charge_category"]), row["commitment_discount_status"])
        both = staged.setdefault(own, [Decimal(0), Decimal(0)])  # type: ignore[arg-type]
        both[0] += row["billed_cost"]  # type: ignore[operator]
        both[1] += row["effective_cost"]  # type: ignore[operator]
    assert staged == published


def test_a_used_hour_costs_its_share_and_an_idle_one_is_nobodys() -> None:
    """The third scenario of usage: three quarters used, a quarter unused, nothing billed."""
    rows = stage_rows("focus", [V12 / "commitment_discount_usage_scenario_3.csv"])
    found = {row["x_line_class"]: (row["billed_cost"], row["effective_cost"]) for row in rows}
    assert found == {"other": (0, Decimal("0.75")), "commitment_unused": (0, Decimal("0.25"))}


@pytest.mark.parametrize("style", ["ledger", "delta"])
def test_a_correction_of_a_closed_period_is_of_its_use_and_on_the_next_invoice(style: str) -> None:
    """Both styles: the machine named wrongly pays a fifth less, and May's invoice stands."""
    name = f"{CLOSED}1_partial_reallocation"
    rows = corrections(f"{name}_original", f"{name}_{style}")
    assert sums(rows, "resource_id") == {"R-111": 1200, "R-222": 300}
    assert sums(rows, "charge_date", "resource_id") == {
        "2025-05-01 R-111": 1200,
        "2025-05-01 R-222": 300,
    }
    assert sums(rows, "billing_period") == {"2025-05-01": 1500}
    assert sums(rows, "billing_period", "resource_id") == {
        "2025-05-01 R-111": 1500,
        "2025-06-01 R-111": -300,
        "2025-06-01 R-222": 300,
    }
    assert sums(rows, "invoice_id") == {"INV-202505": 1500}


def test_late_usage_of_a_closed_period_is_on_the_next_invoice() -> None:
    rows = corrections(f"{CLOSED}2_late_arriving_usage_ledger")
    assert sums(rows, "billing_period", "charge_date", "charge_class") == {
        "2025-06-01 2025-05-01 Correction": 1500
    }


def test_a_correction_of_cost_alone_has_no_quantity() -> None:
    rows = corrections(f"{CLOSED}3_itemized_cost_only_ledger")
    assert sums(rows, "charge_category", "sku_id") == {
        "Adjustment USG-123": Decimal("0.001"),
        "Adjustment USG-456": Decimal("0.001"),
    }
    assert {row["consumed_quantity"] for row in rows} == {None}


def test_in_an_open_period_the_replacement_is_the_whole_truth() -> None:
    rows = corrections(f"{OPEN}current__scenario_1_partial_reallocation_replacement")
    assert sums(rows, "resource_id") == {"R-111": 1200, "R-222": 300}
    assert {row["charge_class"] for row in rows} == {None}


def test_late_usage_of_an_open_period_is_on_its_own_invoice() -> None:
    rows = corrections(f"{OPEN}previous__scenario_2_late_arriving_usage_ledger")
    assert sums(rows, "billing_period", "charge_date") == {"2025-06-01 2025-06-01": 1500}


HEADER = (
    "BilledCost,EffectiveCost,BillingPeriodStart,ChargePeriodStart,ChargeCategory,BillingCurrency"
)
START = "1,1,2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,Usage,USD"


@pytest.mark.parametrize(
    ("columns", "values", "wanted"),
    [
        ("ProviderName,PublisherName,InvoiceIssuerName", "AWS,AWS,AWS", ("AWS", "AWS", None)),
        ("ProviderName,PublisherName,InvoiceIssuerName", "AWS,Acme,AWS", ("Acme", "AWS", None)),
        ("ProviderName,PublisherName,InvoiceId", "AWS,AWS,I-1", ("AWS", "AWS", "I-1")),
        (
            "ProviderName,PublisherName,ServiceProviderName,HostProviderName",
            "A,B,Acme,AWS",
            ("Acme", "AWS", None),
        ),
        ("ServiceProviderName,HostProviderName,InvoiceId", "Acme,AWS,I-2", ("Acme", "AWS", "I-2")),
    ],
)
def test_every_version_says_who_provides_hosts_and_invoices(
    tmp_path: Path, columns: str, values: str, wanted: tuple[str | None, ...]
) -> None:
    """1.0, its marketplace, 1.2, 1.3 with both pairs of columns, 1.4."""
    path = tmp_path / "focus.csv"
    path.write_text(f"{HEADER},{columns}\n{START},{values}\n", encoding="utf-8")
    (row,) = stage_rows("focus", [path])
    names = ("service_provider_name", "host_provider_name", "invoice_id")
    assert tuple(row[name] for name in names) == wanted


def test_a_split_line_carries_its_workloads_tags_over_its_own(tmp_path: Path) -> None:
    path = tmp_path / "focus.csv"
    tags = '"{""team"": ""platform"", ""env"": ""prod""}","{""team"": ""vision""}"'
    columns = "ResourceId,AllocatedMethodId,AllocatedResourceId,Tags,AllocatedTags"
    path.write_text(f"{HEADER},{columns}\n{START},i-1,m,pod-1,{tags}\n", encoding="utf-8")
    (row,) = stage_rows("focus", [path])
    assert row["tags"] == {"team": "vision", "env": "prod"}
    assert row["resource_id"] == "i-1"
