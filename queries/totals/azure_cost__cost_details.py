"""What an Azure bill adds up to, from both its exports.

Billed: what AmortizedCost says of all that no commitment covers, and what ActualCost says that
commitments cost when they were bought or given back. Effective: AmortizedCost as it stands.

Source: https://learn.microsoft.com/azure/cost-management-billing/reservations/understand-reserved-instance-usage-ea
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from queries.totals.batches import Layout, batches
from queries.totals.exact import KEYS, BadFileError, Sums, month_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from queries.totals import RawTotal

_COST = "CostInBillingCurrency"
_OTHER_NAMES = {
    "BillingCurrency": ("BillingCurrencyCode", "Currency"),
    _COST: ("Cost", "PreTaxCost"),
    "Date": ("UsageDateTime", "UsageDate"),
}
_WANTED = (
    _COST,
    "BenefitId",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodStartDate",
    "BillingProfileId",
    "ChargeType",
    "Date",
    "PricingModel",
    "ReservationId",
    *(name for names in _OTHER_NAMES.values() for name in names),
)
_KINDS = ("half", "charge_type", "is_committed")
_BY_LETTERS = {name.lower(): name for name in _WANTED}


def sum_files(paths: Sequence[Path], names: Sequence[str]) -> list[RawTotal]:
    """Sum the files of one delivery; a name begins with the export that the file is of.

    Raises: ModelError for a file or value that cannot be read, or of the other export.
    """
    sums = Sums((_COST,), _KINDS, _weigh, stated=(_COST,))
    layout = Layout(_name_of, _WANTED, needed=(_COST, *_OTHER_NAMES[_COST]))
    halves = [name.split("/", 1)[0] for name in names]
    sums.add_files(
        (path, _keyed(batches(path, layout), half))
        for path, half in zip(paths, halves, strict=True)
    )
    return sums.totals()


def _name_of(header: str) -> str:
    """Return the English name of a header, which a translation has in brackets behind it."""
    bare = header.strip()
    if bare.endswith(")"):
        bare = bare[bare.rfind("(") + 1 : -1]
    return _BY_LETTERS.get(bare.replace("_", "").lower(), bare)


def _keyed(blocks: Iterator[pl.DataFrame], half: str) -> Iterator[pl.DataFrame]:
    """Add the keys that totals are by, and what decides how a line counts."""
    is_month_first: bool | None = None
    for block in blocks:
        lines = block.with_columns(
            pl.coalesce(name, *others).alias(name) for name, others in _OTHER_NAMES.items()
        )
        if is_month_first is None:
            is_month_first = _is_month_first(lines)
        use = _month(lines["Date"], is_month_first=is_month_first or False)
        invoice = _month(lines["BillingPeriodStartDate"], is_month_first=is_month_first or False)
        keyed = lines.with_columns(
            pl.lit("Microsoft").alias("provider"),
            _account().fill_null("").alias("billing_account_id"),
            invoice.fill_null(use).alias("billing_period"),
            use.fill_null(invoice).alias("charge_month"),
            _text("BillingCurrency").fill_null("XXX").alias(KEYS[-1]),
            pl.lit(half).alias("half"),
            _text("ChargeType").fill_null("usage").str.to_lowercase().alias("charge_type"),
            _is_committed().alias("is_committed"),
        )
        _refuse_other_half(keyed, half)
        yield keyed


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String)


def _account() -> pl.Expr:
    """Return whom a line is billed to: the enrolment, which is a number, or the billing profile."""
    account = _text("BillingAccountId")
    profile = pl.coalesce(_text("BillingProfileId"), account)
    return pl.when(account.str.contains(r"^[0-9]+$")).then(account).otherwise(profile)


def _is_committed() -> pl.Expr:
    """Tell whether a commitment pays for a line; the oldest exports name no pricing model."""
    model = _text("PricingModel").str.to_lowercase().str.replace_all(" ", "", literal=True)
    has_benefit = _text("ReservationId").is_not_null() | _text("BenefitId").is_not_null()
    return (
        pl.when(model.is_not_null())
        .then(model.is_in(["reservation", "savingsplan"]))
        .otherwise(has_benefit)
    )


def _weigh(kind: tuple[Any, ...]) -> dict[str, dict[str, int]]:
    half, charge_type, is_committed = kind
    once = {_COST: 1}
    if half == "actual":
        is_bought = is_committed and charge_type in ("purchase", "refund")
        return {"billed_cost": once if is_bought else {}, "effective_cost": {}}
    is_covered = is_committed or charge_type.startswith("unused")
    return {"billed_cost": {} if is_covered else once, "effective_cost": once}


def _refuse_other_half(lines: pl.DataFrame, half: str) -> None:
    """Notice exports that were given the wrong way round.

    Raises: BadFileError
    """
    unused = pl.col("charge_type").str.starts_with("unused")
    bought = pl.col("is_committed") & (pl.col("charge_type") == "purchase")
    if not lines.filter(unused if half == "actual" else bought).is_empty():
        given, is_really = ("ActualCost", "AmortizedCost")
        if half != "actual":
            given, is_really = is_really, given
        raise BadFileError(f"an export given as {given} holds lines that only {is_really} has")


def _is_month_first(lines: pl.DataFrame) -> bool | None:
    """Tell how a file writes its times, by the first; none where it writes none as text."""
    for column in ("Date", "BillingPeriodStartDate"):
        if lines[column].dtype == pl.String:
            for text in lines[column].drop_nulls().head(1):
                return "/" in text
    return None


def _month(times: pl.Series, *, is_month_first: bool) -> pl.Series:
    if times.dtype != pl.String or not is_month_first:
        return month_of(times)
    known = {text: _month_number(text) for text in times.unique().drop_nulls()}
    return times.replace_strict(known, return_dtype=pl.Int32).cast(pl.Int32)


def _month_number(text: str) -> int:
    try:
        day = datetime.strptime(text.partition(" ")[0], "%m/%d/%Y")  # noqa: DTZ007  (a day alone)
    except ValueError as error:
        raise BadFileError(f"{text!r} is not MM/DD/YYYY, as other times in the file are") from error
    return day.year * 12 + day.month - 1
