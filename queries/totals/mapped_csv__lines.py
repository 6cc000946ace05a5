"""What an invoice of one's own shape adds up to: its costs, read sign by sign."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING

import polars as pl

from queries import ModelError
from queries.totals import RawTotal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_EXACT = Context(prec=100)
_COLUMNS = ("provider", "account", "date", "currency", "cost", "decimal_mark")


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    sums: dict[tuple[str, str, str, str], list[Decimal]] = {}
    for path in paths:
        try:
            for cells in pl.read_parquet(path, columns=list(_COLUMNS)).iter_rows():
                provider, account, day, currency, cost, mark = cells
                key = (provider, account or "", day[:7], currency)
                sums.setdefault(key, []).append(_amount(cost, mark))
        except (pl.exceptions.PolarsError, OSError, TypeError, InvalidOperation) as error:
            raise ModelError(
                f"a file cannot be read: {(str(error) or type(error).__name__).splitlines()[0]}",
                where=str(path),
                fix="have the source write it again; the last good delivery stays in force",
            ) from error
    return [
        RawTotal(
            provider=provider,
            billing_account_id=account,
            billing_period=month,
            charge_month=month,
            billing_currency=currency,
            measure=measure,
            rows=len(costs),
            amount=_sum(costs),
            beyond=Decimal(0),
        )
        for (provider, account, month, currency), costs in sorted(sums.items())
        for measure in ("billed_cost", "effective_cost")
    ]


def _sum(costs: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for cost in costs:
        total = _EXACT.add(total, cost)
    return total


def _amount(written: str, mark: str) -> Decimal:
    """Read digits and the decimal mark, and no other sign but the leading one."""
    is_negative = written.startswith(("-", "\N{MINUS SIGN}"))
    digits = "".join(
        "." if sign == mark else sign for sign in written if sign == mark or sign.isdigit()
    )
    amount = _EXACT.create_decimal(digits)
    return amount.copy_negate() if is_negative else amount
