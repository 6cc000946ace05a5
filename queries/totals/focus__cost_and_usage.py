"""What a FOCUS bill adds up to: its BilledCost and EffectiveCost, as they stand.

Source: https://focus.finops.org/focus-specification/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from queries.totals.batches import Layout, batches
from queries.totals.exact import KEYS, Sums, month_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from queries.totals import RawTotal

_MONEY = ("BilledCost", "EffectiveCost")
_HOSTS = ("HostProviderName", "ProviderName", "ServiceProviderName", "InvoiceIssuerName")
_WANTED = (
    *_MONEY,
    *_HOSTS,
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodStart",
    "ChargePeriodStart",
)
_KEPT = (*_MONEY, "BillingAccountId", "BillingCurrency", "ChargePeriodStart")
_NULLS = ("NULL", "null", "(null)", "None", "''")
_BY_LETTERS = {name.lower(): name for name in _WANTED}


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    weights = {"billed_cost": {"BilledCost": 1}, "effective_cost": {"EffectiveCost": 1}}
    sums = Sums(_MONEY, (), lambda _: weights, stated=_MONEY)
    sums.add_files((path, map(_keyed, batches(path, LAYOUT))) for path in paths)
    return sums.totals()


def _name_of(header: str) -> str:
    """Return the name in the specification, whatever an engine has made of its case."""
    return _BY_LETTERS.get(header.lower().replace("_", ""), header)


LAYOUT = Layout(_name_of, _WANTED, needed=_MONEY, null_marks=_NULLS, kept=_KEPT)


def _keyed(lines: pl.DataFrame) -> pl.DataFrame:
    """Add the keys that totals are by."""
    use, invoice = month_of(lines["ChargePeriodStart"]), month_of(lines["BillingPeriodStart"])
    return lines.with_columns(
        pl.coalesce(pl.col(_HOSTS).cast(pl.String)).fill_null("unknown").alias("provider"),
        pl.col("BillingAccountId").cast(pl.String).fill_null("").alias("billing_account_id"),
        invoice.fill_null(use).alias("billing_period"),
        use.fill_null(invoice).alias("charge_month"),
        pl.col("BillingCurrency").cast(pl.String).fill_null("XXX").alias(KEYS[-1]),
    )
