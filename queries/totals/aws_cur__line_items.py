"""What an AWS bill adds up to: unblended as billed, and commitments amortised.

Billed is the sum of every line's unblended cost, whatever the line is. Effective follows AWS's own
guide to amortisation, line item type by line item type. Both are summed before and after negotiated
discounts: which of the two counts is known when all lines of an account's period have been seen,
because where any is a discount, net columns would count it twice.

Source: https://docs.aws.amazon.com/cur/latest/userguide/cur-data-view.html
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from queries.totals.batches import Layout, batches
from queries.totals.exact import KEYS, Sums, month_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from queries.totals import RawTotal

_COST = "line_item_unblended_cost"
_RESERVED = "reservation_effective_cost"
_UNUSED_UPFRONT = "reservation_unused_amortized_upfront_fee_for_billing_period"
_UNUSED_RECURRING = "reservation_unused_recurring_fee"
_COVERED = "savings_plan_savings_plan_effective_cost"
_NET = "line_item_net_unblended_cost"
_NET_RESERVED = "reservation_net_effective_cost"
_NET_UNUSED_UPFRONT = "reservation_net_unused_amortized_upfront_fee_for_billing_period"
_NET_UNUSED_RECURRING = "reservation_net_unused_recurring_fee"
_NET_COVERED = "savings_plan_net_savings_plan_effective_cost"
_COMMITTED = "savings_plan_total_commitment_to_date"
_USED = "savings_plan_used_commitment"
_NETS: Mapping[str, str] = {
    _COST: _NET,
    _RESERVED: _NET_RESERVED,
    _UNUSED_UPFRONT: _NET_UNUSED_UPFRONT,
    _UNUSED_RECURRING: _NET_UNUSED_RECURRING,
    _COVERED: _NET_COVERED,
}
_PLACES = {net: place for place, net in enumerate(_NETS.values())}
_MONEY = (*_NETS, *_NETS.values(), _COMMITTED, _USED)
_KINDS = ("line_type", "is_of_commitment", "has_reserved", "has_unused", "has_committed", "nets")
_AFTER = "after discounts: "
_DISCOUNTS = "discounts"
"""Adds up nothing, but is there where lines are discounts."""
_WANTED = (
    *_MONEY,
    "bill_billing_period_start_date",
    "bill_payer_account_id",
    "line_item_currency_code",
    "line_item_line_item_type",
    "line_item_usage_start_date",
    "reservation_reservation_a_r_n",
    "savings_plan_savings_plan_a_r_n",
)
_KEPT = (*_NETS, *(column for column in _WANTED if column not in _MONEY))
_BEFORE_CAPITAL = re.compile(r"(?<=[a-zA-Z])(?=[A-Z])")


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    sums = Sums(_MONEY, _KINDS, _weigh, stated=(_COST, _COVERED))
    sums.add_files((path, map(_keyed, batches(path, LAYOUT))) for path in paths)
    totals = sums.totals()
    discounted = {
        (total.billing_account_id, total.billing_period)
        for total in totals
        if total.measure == _DISCOUNTS
    }
    return [
        replace(total, measure=total.measure.removeprefix(_AFTER))
        for total in totals
        if total.measure != _DISCOUNTS
        and total.measure.startswith(_AFTER)
        != ((total.billing_account_id, total.billing_period) in discounted)
    ]


def _name_of(header: str) -> str:
    """Return the name in CUR 2.0 of a header of either report."""
    if "/" not in header:
        return header.lower()
    return "_".join(_BEFORE_CAPITAL.sub("_", part) for part in header.split("/", 1)).lower()


LAYOUT = Layout(_name_of, _WANTED, needed=(_COST,), kept=_KEPT)


def _keyed(lines: pl.DataFrame) -> pl.DataFrame:
    """Add the keys that totals are by, and what decides how a line counts."""
    nets = [net for net in _NETS.values() if lines[net].null_count() < lines.height]
    use = month_of(lines["line_item_usage_start_date"])
    invoice = month_of(lines["bill_billing_period_start_date"])
    return lines.with_columns(
        pl.lit("AWS").alias("provider"),
        pl.col("bill_payer_account_id").cast(pl.String).fill_null("").alias("billing_account_id"),
        invoice.fill_null(use).alias("billing_period"),
        use.fill_null(invoice).alias("charge_month"),
        pl.col("line_item_currency_code").cast(pl.String).fill_null("XXX").alias(KEYS[-1]),
        pl.col("line_item_line_item_type").cast(pl.String).alias("line_type"),
        (
            _is_set("savings_plan_savings_plan_a_r_n") | _is_set("reservation_reservation_a_r_n")
        ).alias("is_of_commitment"),
        pl.col(_RESERVED).is_not_null().alias("has_reserved"),
        (pl.col(_UNUSED_UPFRONT).is_not_null() | pl.col(_UNUSED_RECURRING).is_not_null()).alias(
            "has_unused"
        ),
        pl.col(_COMMITTED).is_not_null().alias("has_committed"),
        pl.sum_horizontal(
            pl.lit(0, pl.Int8),
            *(pl.col(net).is_not_null().cast(pl.Int8) * (1 << _PLACES[net]) for net in nets),
        ).alias("nets"),
    )


def _weigh(kind: tuple[Any, ...]) -> dict[str, dict[str, int]]:
    """Return how the money of a line counts, before and after discounts."""
    line_type, *others, nets = kind
    measures = {"billed_cost": {_COST: 1}, "effective_cost": _effective(line_type, *others)}
    swapped = {gross: net for gross, net in _NETS.items() if nets >> _PLACES[net] & 1}
    after = {
        f"{_AFTER}{measure}": {
            swapped.get(column, column): weight for column, weight in weights.items()
        }
        for measure, weights in measures.items()
    }
    is_discount = (line_type or "").endswith("Discount")
    return measures | after | ({_DISCOUNTS: {}} if is_discount else {})


def _effective(
    line_type: str | None,
    is_of_commitment: bool,  # noqa: FBT001
    has_reserved: bool,  # noqa: FBT001
    has_unused: bool,  # noqa: FBT001
    has_committed: bool,  # noqa: FBT001
) -> dict[str, int]:
    """Return what of a line's money is its amortised cost, by its type and what else it says."""
    if line_type == "DiscountedUsage" and has_reserved:
        return {_RESERVED: 1}
    if line_type == "RIFee" and has_unused:
        return {_UNUSED_UPFRONT: 1, _UNUSED_RECURRING: 1}
    if line_type == "SavingsPlanCoveredUsage":
        return {_COVERED: 1}
    if line_type == "SavingsPlanRecurringFee" and has_committed:
        return {_COMMITTED: 1, _USED: -1}
    if line_type in ("SavingsPlanNegation", "SavingsPlanUpfrontFee") or (
        line_type in ("Fee", "Refund") and is_of_commitment
    ):
        return {}
    return {_COST: 1}


def _is_set(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).fill_null("") != ""
