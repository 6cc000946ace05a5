"""Negotiated discounts of AWS: lines of their own or net columns, and never both."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from queries.totals import raw_totals
from tests.queries.bills import stage_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BOX, PLAN = "BoxUsage:p4d.24xlarge", "arn:aws:savingsplans::1:savingsplan/sp-1"
RESERVED = "arn:aws:ec2:us-east-1:1:reserved-instances/r"
FIXED = {
    "bill_payer_account_id": "000000000001",
    "bill_billing_period_start_date": "2024-05-01T00:00:00Z",
    "line_item_usage_start_date": "2024-05-17T03:00:00Z",
    "line_item_usage_end_date": "2024-05-17T04:00:00Z",
    "line_item_currency_code": "USD",
    "line_item_product_code": "AmazonEC2",
    "line_item_usage_type": BOX,
}
Line = dict[str, str]

# An agreement of 10 % off: a line, then billed and effective before it, and both after it.
TYPES: Mapping[str, tuple[Line, str, str, str, str]] = {
    "Usage": (
        {"line_item_unblended_cost": "30", "line_item_net_unblended_cost": "27"},
        *("30", "30", "27", "27"),
    ),
    "DiscountedUsage": (
        {
            "line_item_unblended_cost": "0",
            "line_item_net_unblended_cost": "0",
            "reservation_reservation_a_r_n": RESERVED,
            "reservation_effective_cost": "20",
            "reservation_net_effective_cost": "18",
        },
        *("0", "20", "0", "18"),
    ),
    "RIFee": (
        {
            "line_item_unblended_cost": "700",
            "line_item_net_unblended_cost": "630",
            "reservation_reservation_a_r_n": RESERVED,
            "reservation_unused_amortized_upfront_fee_for_billing_period": "10",
            "reservation_net_unused_amortized_upfront_fee_for_billing_period": "9",
            "reservation_unused_recurring_fee": "50",
            "reservation_net_unused_recurring_fee": "45",
        },
        *("700", "60", "630", "54"),
    ),
    "SavingsPlanCoveredUsage": (
        {
            "line_item_unblended_cost": "40",
            "line_item_net_unblended_cost": "36",
            "savings_plan_savings_plan_a_r_n": PLAN,
            "savings_plan_savings_plan_effective_cost": "25",
            "savings_plan_net_savings_plan_effective_cost": "22.5",
        },
        *("40", "25", "36", "22.5"),
    ),
    "SavingsPlanNegation": (
        {
            "line_item_unblended_cost": "-40",
            "line_item_net_unblended_cost": "-36",
            "savings_plan_savings_plan_a_r_n": PLAN,
        },
        *("-40", "0", "-36", "0"),
    ),
    "SavingsPlanRecurringFee": (
        {
            "line_item_unblended_cost": "30",
            "line_item_net_unblended_cost": "27",
            "savings_plan_savings_plan_a_r_n": PLAN,
            "savings_plan_total_commitment_to_date": "30",
            "savings_plan_used_commitment": "25",
        },
        *("30", "5", "27", "5"),
    ),
    "Tax": (
        {"line_item_unblended_cost": "6", "line_item_net_unblended_cost": "5.4"},
        *("6", "6", "5.4", "5.4"),
    ),
    "Credit": ({"line_item_unblended_cost": "-8"}, *("-8", "-8", "-8", "-8")),
}
DISCOUNTS = ("EdpDiscount", "PrivateRateDiscount", "BundledDiscount", "SppDiscount")


def write(path: Path, lines: Sequence[Line]) -> Path:
    columns = sorted({column for line in lines for column in line} - set(FIXED))
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, [*FIXED, *columns], restval="")
        writer.writeheader()
        writer.writerows(FIXED | line for line in lines)
    return path


def costs(*paths: Path) -> tuple[Decimal, Decimal]:
    """Return billed and effective cost as staged, after holding them against the raw totals."""
    rows = stage_rows("aws_cur", paths)
    sums = [
        sum((Decimal(str(row[measure])) for row in rows), Decimal(0))
        for measure in ("billed_cost", "effective_cost")
    ]
    totals = raw_totals("aws_cur__line_items", paths)
    for measure, staged in zip(("billed_cost", "effective_cost"), sums, strict=True):
        raw = [total.amount for total in totals if total.measure == measure]
        assert sum(raw, Decimal(0)) == staged
    return sums[0], sums[1]


@pytest.mark.parametrize("kind", TYPES)
def test_net_columns_count_where_no_line_is_a_discount(tmp_path: Path, kind: str) -> None:
    line, _, _, billed, effective = TYPES[kind]
    path = write(tmp_path / "cur.csv", [line | {"line_item_line_item_type": kind}])
    assert costs(path) == (Decimal(billed), Decimal(effective))


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("kind", TYPES)
def test_net_columns_are_not_read_beside_lines_of_discounts(
    tmp_path: Path, kind: str, discount: str
) -> None:
    """The line of the discount lies in another file of the same bill, after what it discounts."""
    line, billed, effective, _, _ = TYPES[kind]
    paths = [
        write(tmp_path / "cur-1.csv", [line | {"line_item_line_item_type": kind}]),
        write(
            tmp_path / "cur-2.csv",
            [{"line_item_line_item_type": discount, "line_item_unblended_cost": "-3"}],
        ),
    ]
    assert costs(*paths) == (Decimal(billed) - 3, Decimal(effective) - 3)


def test_both_ways_of_an_agreement_cost_the_same(tmp_path: Path) -> None:
    """What the customer pays does not hang on how the export is set up."""
    usage = {"line_item_line_item_type": "Usage", "line_item_unblended_cost": "30"}
    discount = {"line_item_line_item_type": "EdpDiscount", "line_item_unblended_cost": "-3"}
    beside = write(tmp_path / "beside.csv", [usage, discount])
    within = write(tmp_path / "within.csv", [usage | {"line_item_net_unblended_cost": "27"}])
    assert costs(beside) == costs(within) == (Decimal(27), Decimal(27))


def test_each_payers_month_is_of_one_way(tmp_path: Path) -> None:
    usage = TYPES["Usage"][0] | {"line_item_line_item_type": "Usage"}
    discount = {"line_item_line_item_type": "EdpDiscount", "line_item_unblended_cost": "-3"}
    lines = [
        usage,
        discount,
        usage | {"bill_payer_account_id": "000000000002"},
        usage
        | {
            "bill_billing_period_start_date": "2024-06-01T00:00:00Z",
            "line_item_usage_start_date": "2024-06-01T00:00:00Z",
        },
    ]
    assert costs(write(tmp_path / "cur.csv", lines)) == (Decimal(81), Decimal(81))


def test_what_a_negation_does_not_take_back_stays_billed(tmp_path: Path) -> None:
    """The pair is kept, so a bill in which it does not cancel loses nothing."""
    covered = TYPES["SavingsPlanCoveredUsage"][0] | {
        "line_item_line_item_type": "SavingsPlanCoveredUsage"
    }
    negation = TYPES["SavingsPlanNegation"][0] | {
        "line_item_line_item_type": "SavingsPlanNegation",
        "line_item_net_unblended_cost": "-35.5",
    }
    path = write(tmp_path / "cur.csv", [covered, negation])
    assert costs(path) == (Decimal("0.5"), Decimal("22.5"))
